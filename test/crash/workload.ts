/** Files being created, overwritten, renamed, removed and re-created, with a record of what was really done. */
import { createHash, randomBytes } from "node:crypto";
import { chown, mkdir, open, rename, rm, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encodePath } from "@tributary/shared/path.ts";
import type { Deed } from "./oracle.ts";

export interface Workload {
  /** Does one random thing. */
  step(): Promise<void>;
  /** Marks the present state of every path as settled: from here it is owed. */
  settle(): void;
  /** What lies there now: pathEncoded -> digest, null where it was removed. */
  present(): Map<string, string | null>;
  readonly truth: Map<string, Deed[]>;
}

/** Seeded, so that a failing round can be run again. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Where files are worked with. Names have folders in them, which come by themselves. */
export interface Ground {
  /** Whole, in place of whatever was there. */
  replace(name: string, bytes: Buffer): Promise<void>;
  remove(name: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** As most programs do: truncate, then write in pieces, `done` after each. Absent: files appear whole there. */
  readonly overwrite?: (
    name: string,
    pieces: readonly Buffer[],
    done: (written: number) => void,
  ) => Promise<void>;
  /** A folder with all that is in it, at once. */
  readonly removeFolder?: (name: string) => Promise<void>;
}

const NAMES = [
  "a.csv",
  "b.csv",
  "sub/c.csv",
  "sub/d=1.csv",
  "sub/deep/e f.txt",
  "sub/deep/é.json",
  "g%41.bin",
  "h\nnew.txt",
  "many/1",
  "many/2",
  "many/3",
  "large.bin",
];

export interface Place {
  readonly folder: string;
  /** For half-made files: on the same file system, outside the source. */
  readonly staging: string;
  /** Whose the folders are; without, who runs the tests. */
  readonly owner?: number | undefined;
}

export function folderGround({ folder, staging, owner }: Place): Ground {
  const at = (name: string): string => join(folder, name);
  let counter = 0;
  async function makeFolder(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined || owner === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) await chown(made, owner, owner);
  }
  return {
    async replace(name, bytes) {
      counter += 1;
      const temporary = join(staging, String(counter));
      await writeFile(temporary, bytes);
      await makeFolder(dirname(at(name)));
      await rename(temporary, at(name));
    },
    remove: (name) => unlink(at(name)),
    async rename(from, to) {
      await makeFolder(dirname(at(to)));
      await rename(at(from), at(to));
    },
    async overwrite(name, pieces, done) {
      await makeFolder(dirname(at(name)));
      const file = await open(at(name), "w");
      done(0);
      for (const [i, piece] of pieces.entries()) {
        await file.write(piece);
        done(i + 1);
      }
      await file.close();
    },
    removeFolder: (name) => rm(at(name), { recursive: true, force: true }),
  };
}

export interface WorkloadOptions {
  /** The agent takes delivered files away (`after:`), so files only appear, whole and by rename, as a careful program brings them. */
  readonly taken?: boolean;
  /** Bytes of a small file. */
  readonly largest?: number;
  /** A name with a line break can be said there, which not every protocol can. */
  readonly lineBreaks?: boolean;
}

export function makeWorkload(
  ground: Ground,
  random: () => number,
  { taken = false, largest = 40_000, lineBreaks = true }: WorkloadOptions = {},
): Workload {
  const names = lineBreaks ? NAMES : NAMES.filter((name) => !name.includes("\n"));
  const truth = new Map<string, Deed[]>();
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const pathOf = (name: string): string => encodePath(Buffer.from(name));
  const record = (name: string, sha256: string | null): void => {
    const deeds = truth.get(pathOf(name)) ?? [];
    deeds.push({ sha256, settled: false });
    truth.set(pathOf(name), deeds);
  };
  const now = (name: string): string | null => truth.get(pathOf(name))?.at(-1)?.sha256 ?? null;
  const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const content = (name: string): Buffer =>
    randomBytes(Math.floor(random() * (name === "large.bin" ? largest * 500 : largest)));

  const replace = async (name: string): Promise<void> => {
    const bytes = content(name);
    await ground.replace(name, bytes);
    record(name, digest(bytes));
  };
  /** The states in between are real, too. */
  const overwrite = async (name: string): Promise<void> => {
    if (ground.overwrite === undefined) return await replace(name);
    const bytes = content(name).subarray(0, 20_000);
    const half = Math.floor(bytes.length / 2);
    const pieces = [bytes.subarray(0, half), bytes.subarray(half)];
    await ground.overwrite(name, pieces, (written) =>
      record(name, digest(Buffer.concat(pieces.slice(0, written)))),
    );
  };
  return {
    truth,
    step: async () => {
      const name = pick(names);
      const what = random();
      if (taken || what < 0.45) await replace(name);
      else if (what < 0.65 && name !== "large.bin") await overwrite(name);
      else if (what < 0.8 && now(name) !== null) {
        await ground.remove(name);
        record(name, null);
      } else if (what < 0.95 && now(name) !== null) {
        const to = pick(names);
        if (to === name) return;
        const sha256 = now(name);
        await ground.rename(name, to);
        record(name, null);
        record(to, sha256);
      } else if (what >= 0.97 && ground.removeFolder !== undefined) {
        await ground.removeFolder("many");
        for (const gone of names.filter((n) => n.startsWith("many/") && now(n) !== null)) record(gone, null);
      }
    },
    settle: () => {
      for (const deeds of truth.values()) {
        const last = deeds.pop();
        if (last) deeds.push({ ...last, settled: true });
      }
    },
    present: () => new Map([...truth].map(([path, deeds]) => [path, deeds.at(-1)?.sha256 ?? null])),
  };
}
