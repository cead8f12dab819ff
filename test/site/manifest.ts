/** The manifest as it lies in a site's lake. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ManifestLine } from "@tributary/shared/protocol.ts";
import type { Site } from "./site.ts";

export function manifestOf({ dir }: Pick<Site, "dir">): readonly ManifestLine[] {
  const root = join(dir, "receiver", "lake", "manifest");
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(join(root, name), "utf8").trimEnd().split("\n"))
    .map((line) => JSON.parse(line) as ManifestLine);
}
