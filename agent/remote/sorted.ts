/**
 * Entries of one folder in the order of the bytes of their names, where the server gives them in any. A small folder is
 * sorted in memory; of a larger one sorted runs lie in a file until they are merged, so that a million names need no
 * more memory than some thousands. Of a name that comes twice, as a folder may give it that is changed while it is
 * listed, the later one counts; but a file and a folder of one name are two, the file first.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { Entry } from "./remote.ts";

export interface SortBounds {
  /** Entries of one run: what memory holds. */
  readonly run: number;
  /** Entries that are written and read together. */
  readonly frame: number;
}

const BOUNDS: SortBounds = { run: 20_000, frame: 250 };

/** `folder`: where the runs lie; made when it is needed. */
export async function* sorted(
  entries: AsyncIterable<readonly Entry[]>,
  folder: string,
  { run, frame }: SortBounds = BOUNDS,
): AsyncGenerator<readonly Entry[]> {
  let held: Entry[] = [];
  let spilled: Spilled | undefined;
  try {
    for await (const some of entries) {
      for (const entry of some) held.push(entry);
      if (held.length < run) continue;
      spilled ??= await spillTo(folder);
      await spilled.add(inOrder(held), frame);
      held = [];
    }
    const last = inOrder(held);
    if (spilled === undefined) {
      if (last.length > 0) yield last;
      return;
    }
    await spilled.add(last, frame);
    yield* merged(spilled.runs(), frame);
  } finally {
    await spilled?.close();
  }
}

/** Of equal names the last one stays. */
function inOrder(entries: Entry[]): Entry[] {
  // The sort is stable.
  entries.sort(compare);
  return entries.filter((entry, i) => !isSame(entries[i + 1], entry));
}

function compare(a: Entry, b: Entry): number {
  return Buffer.compare(a.name, b.name) || Number(a.kind === "folder") - Number(b.kind === "folder");
}

function isSame(a: Entry | undefined, b: Entry): boolean {
  return a !== undefined && compare(a, b) === 0;
}

interface Spilled {
  add(entries: readonly Entry[], frame: number): Promise<void>;
  /** Younger runs come later. */
  runs(): AsyncIterator<Entry>[];
  close(): Promise<void>;
}

async function spillTo(folder: string): Promise<Spilled> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, randomUUID());
  const file = await open(path, "wx+", 0o600);
  // Open, it needs no name: whatever ends this process leaves nothing behind.
  await rm(path, { force: true }).catch(() => undefined);
  /** Where each frame of each run lies. */
  const runs: { at: number; length: number }[][] = [];
  let end = 0;
  async function* read(frames: readonly { at: number; length: number }[]): AsyncGenerator<Entry> {
    for (const { at, length } of frames) {
      const bytes = Buffer.alloc(length);
      for (let got = 0; got < length; ) {
        const { bytesRead } = await file.read(bytes, got, length - got, at + got);
        if (bytesRead === 0) throw new Error(`${path} ended early`);
        got += bytesRead;
      }
      yield* (deserialize(bytes) as Entry[]).map(revived);
    }
  }
  return {
    async add(entries, frame) {
      const frames: { at: number; length: number }[] = [];
      for (let i = 0; i < entries.length; i += frame) {
        const bytes = serialize(entries.slice(i, i + frame));
        for (let put = 0; put < bytes.length; )
          put += (await file.write(bytes, put, bytes.length - put, end + put)).bytesWritten;
        frames.push({ at: end, length: bytes.length });
        end += bytes.length;
      }
      if (frames.length > 0) runs.push(frames);
    },
    runs: () => runs.map(read),
    async close() {
      await file.close();
      await rm(path, { force: true });
    },
  };
}

/** What was serialised as a Buffer comes back as a Uint8Array. */
function revived(entry: Entry): Entry {
  const { name } = entry;
  return { ...entry, name: Buffer.from(name.buffer, name.byteOffset, name.byteLength) };
}

interface Head {
  readonly entry: Entry;
  readonly run: number;
  readonly rest: AsyncIterator<Entry>;
}

async function* merged(runs: AsyncIterator<Entry>[], frame: number): AsyncGenerator<readonly Entry[]> {
  // The smallest at the end, where it is taken from; of equal ones the older run.
  const heads: Head[] = [];
  const before = (a: Head, b: Head): boolean => {
    const order = compare(a.entry, b.entry);
    return order === 0 ? a.run < b.run : order < 0;
  };
  const put = (head: Head): void => {
    let [low, high] = [0, heads.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(heads[middle] as Head, head)) high = middle;
      else low = middle + 1;
    }
    heads.splice(low, 0, head);
  };
  const next = async (run: number, rest: AsyncIterator<Entry>): Promise<void> => {
    const result = await rest.next();
    if (result.done !== true) put({ entry: result.value, run, rest });
  };
  for (const [run, rest] of runs.entries()) await next(run, rest);
  let out: Entry[] = [];
  for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
    if (isSame(out.at(-1), head.entry)) out.pop();
    else if (out.length >= frame) {
      yield out;
      out = [];
    }
    out.push(head.entry);
    await next(head.run, head.rest);
  }
  if (out.length > 0) yield out;
}
