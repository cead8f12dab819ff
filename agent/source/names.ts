/** The names in one folder, as short as they can be held: there may be a million, and all must be known before the first is looked at. */
import { key } from "./bytes.ts";
import type { Disk } from "./disk.ts";
import { isOwnName } from "./own-name.ts";

export interface Names {
  /** As keys, in the order of their bytes. */
  readonly all: readonly string[];
  readonly folders: ReadonlySet<string>;
  /** Neither files nor folders, as far as the folder itself says. Windows calls some files links here. */
  readonly odd: ReadonlySet<string>;
  /** Private names of our own; not among the others. */
  readonly own: readonly string[];
}

/** `now`: from memory, while everything waits; see `Disk`. */
export async function namesIn(disk: Pick<Disk, "list">, folder: Buffer, now: boolean): Promise<Names> {
  const [all, own]: [string[], string[]] = [[], []];
  const [folders, odd] = [new Set<string>(), new Set<string>()];
  for await (const entries of disk.list(folder, now))
    for (const entry of entries) {
      const name = key(entry.name);
      if (isOwnName(entry.name)) {
        own.push(name);
        continue;
      }
      all.push(name);
      if (entry.isFile()) continue;
      (entry.isDirectory() ? folders : odd).add(name);
    }
  // A key has one unit for each byte: as text they sort as the bytes do.
  all.sort();
  return { all, folders, odd, own };
}
