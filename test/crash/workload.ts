/** Files being created, overwritten, renamed, removed and re-created, with a record of what was really done. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, rename, rm, unlink, writeFile } from "node:fs/promises";
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
  /** The agent takes delivered files away (`after:`), so files only appear, whole and by rename, as a careful program brings them. */
  readonly taken?: boolean;
}

/** Works below `folder`. `largest`: bytes of a small file. */
export function makeWorkload(place: Place, random: () => number, largest = 40_000): Workload {
  const { folder, staging, taken = false } = place;
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
  let counter = 0;

  const replace = async (name: string): Promise<void> => {
    const bytes = content(name);
    counter += 1;
    const temporary = join(staging, String(counter));
    await writeFile(temporary, bytes);
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await rename(temporary, join(folder, name));
    record(name, digest(bytes));
  };
  /** As most programs do: truncate, then write in pieces. The states in between are real, too. */
  const overwrite = async (name: string): Promise<void> => {
    const bytes = content(name).subarray(0, 20_000);
    await mkdir(dirname(join(folder, name)), { recursive: true });
    const file = await open(join(folder, name), "w");
    record(name, digest(Buffer.alloc(0)));
    const half = Math.floor(bytes.length / 2);
    await file.write(bytes, 0, half);
    record(name, digest(bytes.subarray(0, half)));
    await file.write(bytes, half);
    await file.close();
    record(name, digest(bytes));
  };
  return {
    truth,
    step: async () => {
      const name = pick(NAMES);
      const what = random();
      if (taken || what < 0.45) await replace(name);
      else if (what < 0.65 && name !== "large.bin") await overwrite(name);
      else if (what < 0.8 && now(name) !== null) {
        await unlink(join(folder, name));
        record(name, null);
      } else if (what < 0.95 && now(name) !== null) {
        const to = pick(NAMES);
        if (to === name) return;
        await mkdir(dirname(join(folder, to)), { recursive: true });
        const sha256 = now(name);
        await rename(join(folder, name), join(folder, to));
        record(name, null);
        record(to, sha256);
      } else if (what >= 0.97) {
        await rm(join(folder, "many"), { recursive: true, force: true });
        for (const gone of NAMES.filter((n) => n.startsWith("many/") && now(n) !== null)) record(gone, null);
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
