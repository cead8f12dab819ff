/** One name is asked for by a listing of its whole folder, where a server has nothing better: those who ask meanwhile share the next one. */
import { fromKey, key } from "../../source/bytes.ts";
import type { Entry } from "../remote.ts";

interface Round {
  readonly wanted: Set<string>;
  readonly found: Promise<ReadonlyMap<string, Entry>>;
}

/** Never one that had begun before it was asked: it may have passed the name already, as it was then. */
export function sharedLooks(list: (folder: Buffer) => AsyncIterable<readonly Entry[]>) {
  const coming = new Map<string, Round>();
  const running = new Map<string, Promise<unknown>>();

  async function round(folder: string, wanted: ReadonlySet<string>): Promise<ReadonlyMap<string, Entry>> {
    await running.get(folder)?.catch(() => undefined);
    coming.delete(folder);
    const reading = only(list(fromKey(folder)), wanted);
    running.set(folder, reading);
    try {
      return await reading;
    } finally {
      if (running.get(folder) === reading) running.delete(folder);
    }
  }

  return async (folder: Buffer, name: Buffer): Promise<Entry | undefined> => {
    const at = key(folder);
    let next = coming.get(at);
    if (next === undefined) {
      const wanted = new Set<string>();
      next = { wanted, found: round(at, wanted) };
      coming.set(at, next);
    }
    next.wanted.add(key(name));
    return (await next.found).get(key(name));
  };
}

async function only(
  listing: AsyncIterable<readonly Entry[]>,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Entry>> {
  const found = new Map<string, Entry>();
  for await (const entries of listing)
    for (const entry of entries) if (wanted.has(key(entry.name))) found.set(key(entry.name), entry);
  return found;
}
