/** To seal: read a file once, hash it, and know that it was the same before the first and after the last byte. */
import { createHash, hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { sameContent, sameState } from "../source/same-state.ts";
import type { OpenFile, Source, Unseen } from "../source/source.ts";
import type { FileState } from "../source/state.ts";
import { type Fetch, type Fetches, KEPT_EVERY, WORTH_KEEPING } from "./fetches.ts";
import type { PartDigests, PartHasher } from "./part-hasher.ts";
import { type Draft, diskProblem, type Room } from "./spool.ts";

export interface SealOrder {
  readonly path: Buffer;
  /** The state in which it held still. */
  readonly state: FileState;
  /** It does not hold still, and is captured as it is: the bytes that its size promised when it was opened. */
  readonly snapshot: boolean;
  /** What was last sealed of it, where equal ids mean equal bytes: then nothing is read. */
  readonly known?: FileState | undefined;
}

export type SealResult =
  | {
      readonly kind: "sealed";
      readonly state: FileState;
      readonly sha256: string;
      /** SHA-256 of each part, one after the other, where they were found on the way. */
      readonly partDigests: Buffer | undefined;
      readonly spooled: string | undefined;
      /** The whole content, where it is small and was read in one go. */
      readonly bytes: Buffer | undefined;
      /** See `OpenFile`. */
      readonly modifiedNs: bigint | undefined;
    }
  /** It is what was last sealed, however it is told now. */
  | { readonly kind: "known"; readonly state: FileState }
  /** It moved: settle again from here. */
  | { readonly kind: "changed"; readonly state: FileState }
  | { readonly kind: "gone" }
  | { readonly kind: "unseen"; readonly unseen: Unseen }
  | { readonly kind: "spool-full" }
  /** Nothing of the source can be had now. */
  | { readonly kind: "away"; readonly reason: string }
  /** The agent stops; it is found again. */
  | { readonly kind: "stopped" };

export const CHUNK = 2 ** 20;
/** What is read while everything waits. */
const AT_ONCE = 64 * 2 ** 10;

export interface SealTools {
  /** Read into; may be shared by calls that follow one another. */
  readonly buffer: Buffer;
  /** For the parts of large files. */
  readonly partHasher?: PartHasher;
  /** Where the bytes come from far away: a reading that breaks off goes on the next time. Only with a spool. */
  readonly fetches?: Fetches;
  readonly stop?: AbortSignal;
}

/**
 * With `spool` the bytes are copied as they are hashed. Throws `disk-full`; whatever else fails is the file's own trouble and comes back as `unseen`.
 */
export async function seal(
  source: Pick<Source, "open" | "readNow">,
  order: SealOrder,
  spool: Room | undefined,
  tools: SealTools,
): Promise<SealResult> {
  if (spool === undefined && order.state.size <= AT_ONCE) {
    const bytes = source.readNow?.(order.path, order.state);
    if (bytes !== undefined)
      return {
        ...{ kind: "sealed", state: order.state, sha256: hash("sha256", bytes), bytes },
        ...{ partDigests: undefined, spooled: undefined, modifiedNs: undefined },
      };
  }
  const opened = await source.open(order.path, order.state);
  if (opened.kind !== "open") return opened;
  await using file = opened.file;
  if (!order.snapshot && !sameState(file.state, order.state)) return { kind: "changed", state: file.state };
  if (order.known !== undefined && sameContent(order.known, file.state))
    return { kind: "known", state: file.state };
  const begun = begunOf(order, file.state, spool, tools.fetches);
  const draft = spool?.draft(file.state.size, begun?.spooled);
  if (spool !== undefined && draft === undefined) return { kind: "spool-full" };
  const copy = draft && { draft, written: begun?.bytes ?? 0, durable: begun?.bytes ?? 0 };
  /** Whether what is there of the copy is of the file as it is. */
  let broken = true;
  let kept = false;
  using parts = order.snapshot ? undefined : tools.partHasher?.begin(file.state.size, tools.buffer);
  try {
    const { sha256, length } = await read(file, order, copy, parts, tools);
    const after = await file.recheck();
    broken = false;
    if (order.snapshot) {
      if (length < file.state.size) return { kind: "changed", state: after ?? file.state };
    } else {
      if (after === undefined) return { kind: "gone" };
      if (length !== file.state.size || !sameState(after, file.state))
        return { kind: "changed", state: after };
    }
    await draft?.commit(length).catch((error: unknown) => Promise.reject(diskProblem(error)));
    kept = true;
    return {
      ...{ kind: "sealed", state: file.state, sha256, partDigests: parts?.all(), spooled: draft?.name },
      ...{ bytes: undefined, modifiedNs: file.modifiedNs },
    };
  } catch (error) {
    if (tools.stop?.aborted) return { kind: "stopped" };
    const { code } = error as { code?: unknown };
    if (code === "disk-full") {
      // Kept, it would leave no room for what could free the disk.
      broken = false;
      throw error;
    }
    if (code === "source-unreachable") return { kind: "away", reason: (error as Error).message };
    const reason = `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return { kind: "unseen", unseen: { path: order.path, reason, code: "file-unreadable" } };
  } finally {
    if (!kept && draft !== undefined && !(broken && (await keep(copy, order, file.state, tools.fetches)))) {
      try {
        if (tools.fetches?.get(order.path)?.spooled === draft.name) tools.fetches.forget(order.path);
      } catch {
        // Without room it stays noted; without its copy it begins anew.
      }
      await draft.discard().catch(() => undefined);
    }
  }
}

/** What was begun of the file in this state; of another state it goes. What another one writes still is left to that. */
function begunOf(
  { path }: SealOrder,
  state: FileState,
  spool: Room | undefined,
  fetches: Fetches | undefined,
): Fetch | undefined {
  const begun = fetches?.get(path);
  if (begun === undefined || spool === undefined) return undefined;
  const rests = spool.rests(begun.spooled);
  if (rests && sameState(begun.state, state)) return begun;
  fetches?.forget(path);
  if (rests) void spool.release(begun.spooled);
  return undefined;
}

interface Copy {
  readonly draft: Draft;
  written: number;
  durable: number;
}

/** Whether what came so far was kept for the next time. */
async function keep(
  copy: Copy | undefined,
  { path, snapshot }: SealOrder,
  state: FileState,
  fetches: Fetches | undefined,
): Promise<boolean> {
  if (copy === undefined || fetches === undefined || snapshot || copy.written < WORTH_KEEPING) return false;
  try {
    await copy.draft.keep();
    // The end is always asked for again: only its server can say that nothing comes behind it.
    const bytes = Math.min(copy.written, state.size - 1);
    fetches.put({ path, state, spooled: copy.draft.name, bytes });
    copy.draft.rest(bytes);
    return true;
  } catch {
    // Without room it begins anew.
    return false;
  }
}

/** Exactly the size that the opened file had: a file that grows is not chased. One half of the buffer is read while the other is hashed. */
async function read(
  file: OpenFile,
  { path }: SealOrder,
  progress: Copy | undefined,
  parts: PartDigests | undefined,
  { buffer, stop, fetches }: SealTools,
): Promise<{ sha256: string; length: number }> {
  const draft = progress?.draft;
  const begun = progress?.written ?? 0;
  const digest = createHash("sha256");
  const size = file.state.size;
  const memory = parts?.buffer ?? buffer;
  const half = memory.length >> 1;
  let copy: FileHandle | undefined;
  let ahead: Promise<number> | undefined;
  try {
    const cloned =
      draft !== undefined && begun === 0 && size > 0 && (await file.cloneTo?.(draft.file)) === true;
    // A clone is one instant's bytes: it is what is hashed then, not the file that may go on changing.
    if (draft !== undefined)
      copy = await open(draft.file, cloned || begun > 0 ? "r+" : "wx+", 0o600).catch((e: unknown) =>
        Promise.reject(diskProblem(e)),
      );
    const here = copy;
    const from = async (into: Buffer, at: number): Promise<number> =>
      here === undefined || (!cloned && at >= begun)
        ? await file.read(into, at)
        : (await here.read(into, 0, into.length, at)).bytesRead;
    const begin = (at: number, side: number): { readonly piece: Buffer; readonly got: Promise<number> } => {
      const fromHere = at < begun ? begun - at : half;
      const want = Math.min(half, size - at, parts?.toPartEnd(at) ?? half, fromHere);
      const piece = memory.subarray(side * half, side * half + want);
      const got = fill(piece, at, from);
      got.catch(() => {});
      ahead = got;
      return { piece, got };
    };
    let length = 0;
    let side = 0;
    for (let next = size > 0 ? begin(0, side) : undefined; next !== undefined; ) {
      const { piece } = next;
      const bytes = piece.subarray(0, await next.got);
      const at = length;
      length += bytes.length;
      // What fits into one piece ends; terabytes would keep a stop waiting for hours.
      if (length < size) stop?.throwIfAborted();
      const offset = side * half;
      side = 1 - side;
      next = bytes.length === piece.length && length < size ? begin(length, side) : undefined;
      const beside = parts?.add(offset, offset + bytes.length);
      digest.update(bytes);
      if (copy !== undefined && progress !== undefined && !cloned && at >= begun) {
        await writeAll(copy, bytes, at);
        progress.written = length;
        if (fetches !== undefined && length - progress.durable >= KEPT_EVERY && length < size) {
          await progress.draft.keep();
          fetches.put({ path, state: file.state, spooled: progress.draft.name, bytes: length });
          progress.durable = length;
        }
      }
      await beside;
    }
    if (cloned) await copy?.truncate(length);
    return { sha256: digest.digest("hex"), length };
  } finally {
    // The buffer is somebody else's from here on.
    await ahead?.catch(() => {});
    await copy?.close();
  }
}

/** Fewer bytes than asked for only at the file's end. */
async function fill(
  into: Buffer,
  position: number,
  read: (into: Buffer, at: number) => Promise<number>,
): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const got = await read(into.subarray(filled), position + filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}

async function writeAll(copy: FileHandle, bytes: Buffer, position: number): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; )
      at += (await copy.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  } catch (error) {
    throw diskProblem(error);
  }
}
