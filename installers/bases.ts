/** Node for every target, from npm, as package-lock.json names it by version and digest. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.ts";
import type { Target } from "./targets.ts";

const ROOT = join(import.meta.dirname, "..");

interface Locked {
  readonly version: string;
  readonly integrity: string;
}

/** The lock's word on the package: npm writes down even what it does not install on this system. */
function locked(name: string): Locked {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const entry = lock.packages?.[`node_modules/${name}`];
  if (typeof entry?.integrity !== "string") throw new Error(`package-lock.json does not know ${name}`);
  return entry;
}

/** Node's version without `v`, the same for all targets. */
export const nodeVersion = (target: Target): string => locked(target.node).version;

/**
 * Path of Node's program for the target. `cache`: a folder where it stays for the next time, under its digest.
 * Throws when what npm brings is not what the lock names.
 */
export async function nodeFor(target: Target, cache: string): Promise<string> {
  const { version, integrity } = locked(target.node);
  const name = `${target.name}-${createHash("sha256").update(integrity).digest("hex").slice(0, 16)}`;
  const file = join(cache, name, "package", target.nodeFile);
  if (existsSync(file)) return file;
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "fresh-"));
  try {
    await run("npm", ["pack", `${target.node}@${version}`, "--silent", "--pack-destination", fresh], {
      cwd: fresh,
    });
    const archive = join(fresh, `${target.node}-${version}.tgz`);
    const digest = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (digest !== integrity)
      throw new Error(
        `${target.node}@${version} has the digest ${digest}, package-lock.json says ${integrity}`,
      );
    await run("tar", ["-xzf", archive, "-C", fresh]);
    rmSync(archive);
    renameSync(fresh, join(cache, name));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return file;
}
