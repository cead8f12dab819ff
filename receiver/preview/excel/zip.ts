/** A .zip, as far as a workbook is one: its list of parts, and the beginning of any of them, inflated within bounds. */
import { createInflateRaw } from "node:zlib";
import { type Source, TooMuch } from "../source.ts";

export interface Part {
  readonly name: string;
  readonly method: number;
  readonly packed: number;
  /** What it says; nobody has seen it. */
  readonly unpacked: number;
  readonly header: number;
}

export interface Zip {
  readonly parts: ReadonlyMap<string, Part>;
  /** The text of a part, piece by piece, until the bound of all parts together is met. */
  text(part: Part): AsyncGenerator<string>;
}

/** Bytes of the list itself, and of everything that is inflated for one preview. */
const MOST_LIST = 2 * 2 ** 20;
const MOST_INFLATED = 64 * 2 ** 20;
/** No more of a part than that was ever meant to be read: it is a bomb, and is not begun. */
const MOST_SAID = 4 * 2 ** 30;
const PIECE = 256 * 1024;

/** Rejects when it is no .zip, or one that is not read here. */
export async function openZip(source: Source): Promise<Zip> {
  const tail = await source.read(source.size - 65_557, source.size);
  const end = tail.lastIndexOf("PK\x05\x06", undefined, "latin1");
  if (end < 0 || end + 22 > tail.length) throw new Error("the list of what is in the .zip is missing");
  const [length, start] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)];
  if (length > MOST_LIST) throw new TooMuch("The list of what is in the .zip is too long.");
  const parts = partsOf(await source.read(start, start + length));
  let left = MOST_INFLATED;

  async function* text(part: Part): AsyncGenerator<string> {
    if (part.unpacked > MOST_SAID || part.unpacked > part.packed * 1_100 + 1_024)
      throw new TooMuch(`${part.name} says that it is ${part.unpacked} bytes out of ${part.packed}.`);
    const decoder = new TextDecoder();
    for await (const bytes of inflated(source, part)) {
      left -= bytes.length;
      if (left < 0)
        throw new TooMuch("More would have to be unpacked for a preview than is allowed (64 MiB).");
      yield decoder.decode(bytes, { stream: true });
    }
  }
  return { parts, text };
}

function partsOf(list: Buffer): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>();
  for (let at = 0; at + 46 <= list.length && list.readUInt32LE(at) === 0x02014b50; ) {
    const nameEnd = at + 46 + list.readUInt16LE(at + 28);
    const name = list.toString("utf8", at + 46, nameEnd).replace(/^\//, "");
    const encrypted = (list.readUInt16LE(at + 8) & 1) === 1;
    parts.set(name.toLowerCase(), {
      name,
      method: encrypted ? -1 : list.readUInt16LE(at + 10),
      packed: list.readUInt32LE(at + 20),
      unpacked: list.readUInt32LE(at + 24),
      header: list.readUInt32LE(at + 42),
    });
    at = nameEnd + list.readUInt16LE(at + 30) + list.readUInt16LE(at + 32);
  }
  return parts;
}

async function* inflated(source: Source, part: Part): AsyncGenerator<Buffer> {
  const header = await source.read(part.header, part.header + 30);
  if (header.length < 30 || header.readUInt32LE(0) !== 0x04034b50)
    throw new Error(`${part.name} is not where the list of the .zip says`);
  const start = part.header + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (part.method === 0) return yield* pieces(source, start, part.packed);
  if (part.method !== 8) throw new Error(`${part.name} is packed in a way that is not read here`);
  const inflate = createInflateRaw({ chunkSize: 64 * 1024 });
  const feed = (async () => {
    for await (const piece of pieces(source, start, part.packed)) {
      if (inflate.destroyed) return;
      if (!inflate.write(piece))
        await new Promise<void>((resolve) => {
          inflate.once("drain", resolve);
          inflate.once("close", resolve);
        });
    }
    inflate.end();
  })();
  feed.catch((error) => inflate.destroy(error));
  yield* inflate as AsyncIterable<Buffer>;
}

async function* pieces(source: Source, start: number, length: number): AsyncGenerator<Buffer> {
  for (let at = start; at < start + length; at += PIECE)
    yield await source.read(at, Math.min(start + length, at + PIECE));
}
