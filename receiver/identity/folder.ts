/**
 * The folder `keys:`: the site's keys as files, the same on every receiver of the site. The folder is 0700, files
 * are 0600. A file is written under a temporary name, synced, renamed, and the folder synced: a key either exists
 * whole or not at all, and is never lost after it was used.
 */
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { makeFolder, syncFolder } from "@tributary/shared/folder.ts";

/** Makes the folder; one that others may read (a copied one, usually) is closed to them. */
export function openFolder(folder: string): void {
  makeFolder(folder, { mode: 0o700, fresh: readKeyFile(folder, "site.json") === undefined });
  tighten(folder, 0o700);
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (statSync(file).isFile()) tighten(file, 0o600);
  }
}

function tighten(path: string, mode: number): void {
  if (process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0) chmodSync(path, mode);
}

/** Durable when it returns. */
export function writeKeyFile(folder: string, name: string, text: string): void {
  const temporary = join(folder, `.${name}.${randomUUID()}`);
  try {
    const file = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, join(folder, name));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

/** The rename is the moment of change; durable when it returns. */
export function renameKeyFile(folder: string, from: string, to: string): void {
  renameSync(join(folder, from), join(folder, to));
  syncFolder(folder);
}

/** Undefined when there is none of this name. */
export function readKeyFile(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Names of the key files, sorted; a temporary file that a crash left is none. */
export function keyFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith("."))
    .sort();
}

/** A text that differs whenever one of these files was written, replaced or removed. */
export function fileMarks(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return `${path}:${stat ? `${stat.mtimeNs}:${stat.size}:${stat.ino}` : "-"}`;
    })
    .join("\n");
}
