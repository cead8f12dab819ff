/** A bundle's bytes as a plain tar stream: gzip and zstd are taken off, within bounds on what may come out of them. */
import { Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";
import { formatBytes } from "@tributary/shared/units.ts";

export interface UnpackBounds {
  /** Bytes of the tar stream, all in all. */
  readonly bytes: number;
  /** How many times as large as what was sent the tar stream may be, once it has more than FREE bytes. */
  readonly ratio: number;
}

/** Small bundles of blanks pack well, and harm nobody. */
const FREE = 64 * 2 ** 20;
const CHUNK = 128 * 2 ** 10;
const PACKED = {
  gzip: { magic: [0x1f, 0x8b], open: () => createGunzip({ chunkSize: CHUNK }) },
  zstd: { magic: [0x28, 0xb5, 0x2f, 0xfd], open: () => createZstdDecompress({ chunkSize: CHUNK }) },
} as const satisfies Record<string, { magic: readonly number[]; open: () => Transform }>;

/**
 * `coding`: the Content-Encoding, undefined when there is none; without one the first bytes tell, so that `tar cz`
 * needs no header. A chunk is valid until the next one is asked for. Throws `content-encoding-refused`,
 * `bundle-invalid` for what cannot be unpacked, `bundle-inflated`.
 */
export async function* unpacked(
  bytes: AsyncIterable<Uint8Array>,
  coding: string | undefined,
  bounds: UnpackBounds,
): AsyncGenerator<Uint8Array> {
  const named = codingOf(coding);
  const source = bytes[Symbol.asyncIterator]();
  const first = await begin(source);
  const kind = named === "sniff" ? kindOf(first) : named;
  let packed = first.length;
  async function* all(): AsyncGenerator<Uint8Array> {
    if (first.length > 0) yield first;
    for (;;) {
      const { value, done } = await source.next();
      if (done === true) return;
      packed += value.length;
      yield value;
    }
  }
  let out = 0;
  const counted = (chunk: Uint8Array): Uint8Array => {
    out += chunk.length;
    if (out > bounds.bytes)
      throw inflated(`it has more than ${formatBytes(bounds.bytes)}, the most of one bundle`);
    if (kind !== undefined && out > FREE && out > packed * bounds.ratio)
      throw inflated(`its ${formatBytes(packed)} unpack to more than ${bounds.ratio} times as much`);
    return chunk;
  };
  try {
    for await (const chunk of kind === undefined ? all() : through(all(), kind)) yield counted(chunk);
  } finally {
    await source.return?.();
  }
}

async function* through(
  packed: AsyncIterable<Uint8Array>,
  kind: keyof typeof PACKED,
): AsyncGenerator<Uint8Array> {
  const inflate = PACKED[kind].open();
  // The stream reads ahead, so it gets memory of its own.
  async function* owned(): AsyncGenerator<Buffer> {
    for await (const chunk of packed) yield Buffer.from(chunk);
  }
  let fault: unknown;
  const input = Readable.from(owned(), { objectMode: false, highWaterMark: 1 });
  input.once("error", (error) => {
    fault = error;
    inflate.destroy(error);
  });
  input.pipe(inflate);
  try {
    for await (const chunk of inflate) yield chunk as Buffer;
  } catch (cause) {
    if (fault !== undefined) throw fault;
    throw new ProblemError(
      "bundle-invalid",
      `the ${kind} stream cannot be unpacked to its end (${(cause as Error).message}); what has a receipt stays, send the rest again`,
      { cause },
    );
  } finally {
    inflate.destroy();
    input.destroy();
  }
}

function codingOf(coding: string | undefined): keyof typeof PACKED | undefined | "sniff" {
  const name = coding?.trim().toLowerCase();
  if (name === undefined || name === "" || name === "identity") return "sniff";
  if (name === "gzip" || name === "x-gzip") return "gzip";
  if (name === "zstd") return "zstd";
  throw new ProblemError(
    "content-encoding-refused",
    `a bundle is plain, gzip or zstd, not Content-Encoding: ${name.slice(0, 50)}`,
  );
}

const MAGIC = 4;

async function begin(source: AsyncIterator<Uint8Array>): Promise<Buffer> {
  let first = Buffer.alloc(0);
  while (first.length < MAGIC) {
    const { value, done } = await source.next();
    if (done === true) break;
    first = Buffer.concat([first, value]);
  }
  return first;
}

/** A plain tar begins with a file's name, which begins with neither. */
function kindOf(first: Buffer): keyof typeof PACKED | undefined {
  for (const [kind, { magic }] of Object.entries(PACKED))
    if (magic.every((byte, i) => first[i] === byte)) return kind as keyof typeof PACKED;
  return undefined;
}

function inflated(why: string): ProblemError {
  return new ProblemError("bundle-inflated", `the bundle is not read on: ${why}; what has a receipt stays`);
}
