/** Gathers what both sides say came of the files: the `found` of the oracle. */
import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Entry, ManifestLine } from "@tributary/shared/protocol.ts";
import type { Acknowledged, Found } from "./oracle.ts";

/** Where the lake's objects are read from: a folder here, a bucket elsewhere. */
export interface LakeReader {
  keys(prefix: string): Promise<string[]>;
  sha256(key: string): Promise<string>;
  text(key: string): Promise<string>;
}

export function folderLake(root: string): LakeReader {
  return {
    keys: async (prefix) =>
      readdirSync(join(root, prefix), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
    sha256: async (key) => {
      const hash = createHash("sha256");
      await pipeline(createReadStream(join(root, key)), hash);
      return hash.digest("hex");
    },
    text: async (key) => readFileSync(join(root, key), "utf8"),
  };
}

export async function gather(
  ledger: readonly Entry[],
  lake: LakeReader,
  receipts: readonly string[],
): Promise<Found> {
  const manifest: ManifestLine[] = [];
  for (const key of await lake.keys("manifest").catch(() => [])) {
    for (const line of (await lake.text(key)).split("\n"))
      if (line !== "") manifest.push(JSON.parse(line) as ManifestLine);
  }
  const digests = new Map<string, string>();
  for (const key of await lake.keys("raw").catch(() => [])) digests.set(key, await lake.sha256(key));
  return { ledger, manifest, lake: digests, receipts: receipts.map(claimsOf) };
}

function claimsOf(receipt: string): Acknowledged {
  return JSON.parse(Buffer.from(receipt.split(".")[1] as string, "base64url").toString()) as Acknowledged;
}
