/** A bundle's bytes as a plain tar stream: gzip and zstd are taken off, within bounds on what may come out of them. */
import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
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
/** 8 MiB, which every decoder should hold (RFC 8878, 3.1.1.1.2): `zstd` asks for more only with --ultra and --long. */
const ZSTD_WINDOW_LOG = 23;
/** Streams that hold such a window at once, in the whole process. */
const MOST_WINDOWS = 32;
type Inflate = Gunzip | ZstdDecompress;
const PACKED = {
  gzip: { magic: [0x1f, 0x8b], open: () => createGunzip({ chunkSize: CHUNK }) },
  zstd: {
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    open: () =>
      createZstdDecompress({
        chunkSize: CHUNK,
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG },
      }),
  },
} as const satisfies Record<string, { magic: readonly number[]; open: () => Inflate }>;
let windows = 0;

/**
 * `coding`: the Content-Encoding, undefined when there is none; without one the first bytes tell, so that `tar cz`
 * needs no header. A chunk is valid until the next one is asked for. Throws `content-encoding-refused`,
 * `bundle-invalid` for what cannot be unpacked, `bundle-inflated`, `busy`.
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
  if (kind === "zstd" && windows >= MOST_WINDOWS)
    throw new ProblemError("busy", `${MOST_WINDOWS} zstd streams are unpacked already; come again`, {
      retryAfter: 1,
    });
  const held = kind === "zstd" ? 1 : 0;
  windows += held;
  try {
    for await (const chunk of kind === undefined ? all() : through(all(), kind)) yield counted(chunk);
  } finally {
    windows -= held;
    await source.return?.();
  }
}

/**
 * One member (gzip) or frame (zstd) after the other. Node unpacks those that follow only where a piece begins with one,
 * and passes over whatever else comes: here none is passed over.
 */
async function* through(
  packed: AsyncIterable<Uint8Array>,
  kind: keyof typeof PACKED,
): AsyncGenerator<Uint8Array> {
  const source = packed[Symbol.asyncIterator]();
  for (let rest = yield* member(source, undefined, kind); rest !== undefined; ) {
    if (kind === "gzip" && rest[0] === 0) {
      // Archives that were padded to the size of a block.
      await requireZeros(rest, source);
      return;
    }
    rest = yield* member(source, rest, kind);
  }
}

/** Gives what stands behind it, undefined at the end. The next piece is not asked for before all of this one was unpacked. */
async function* member(
  source: AsyncIterator<Uint8Array>,
  first: Buffer | undefined,
  kind: keyof typeof PACKED,
): AsyncGenerator<Uint8Array, Buffer | undefined> {
  const inflate = PACKED[kind].open();
  let piece: Buffer = Buffer.alloc(0);
  let before = 0;
  let fault: { readonly error: unknown } | undefined;
  const feed = async (): Promise<void> => {
    for (let next = first ?? (await nextOf(source)); next !== undefined; next = await nextOf(source)) {
      before += piece.length;
      piece = next;
      await new Promise<void>((resolve, reject) =>
        inflate.write(next, (error) => (error == null ? resolve() : reject(error))),
      );
      if (inflate.bytesWritten - before < piece.length) return;
    }
    inflate.end();
  };
  feed().catch((error: unknown) => {
    if (inflate.errored === null && !inflate.destroyed) fault = { error };
    inflate.destroy(error as Error);
  });
  try {
    for await (const chunk of inflate) yield chunk as Buffer;
  } catch (cause) {
    if (fault !== undefined) throw fault.error;
    throw new ProblemError(
      "bundle-invalid",
      `the ${kind} stream cannot be unpacked to its end (${(cause as Error).message}); what has a receipt stays, send the rest again`,
      { cause },
    );
  } finally {
    inflate.destroy();
  }
  const rest = piece.subarray(inflate.bytesWritten - before);
  return rest.length === 0 ? undefined : rest;
}

/** It is unpacked while the source may already fill its memory anew. */
async function nextOf(source: AsyncIterator<Uint8Array>): Promise<Buffer | undefined> {
  const { value, done } = await source.next();
  return done === true ? undefined : Buffer.from(value as Uint8Array);
}

async function requireZeros(rest: Buffer, source: AsyncIterator<Uint8Array>): Promise<void> {
  for (let piece: Buffer | undefined = rest; piece !== undefined; piece = await nextOf(source))
    if (piece.some((byte) => byte !== 0))
      throw new ProblemError("bundle-invalid", "something follows behind the gzip stream that is none");
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
