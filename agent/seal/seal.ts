/** To seal: read a file once, hash it, and know that it was the same before the first and after the last byte. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { sameState } from "../settle/settle.ts";
import type { FileState, OpenFile, Source, Unseen } from "../source/source.ts";
import { type Draft, diskProblem, type Spool } from "./spool.ts";

export interface SealOrder {
  readonly path: Buffer;
  /** The state in which it held still. */
  readonly state: FileState;
  /** It does not hold still, and is captured as it is: the bytes that its size promised when it was opened. */
  readonly snapshot: boolean;
}

export type SealResult =
  | {
      readonly kind: "sealed";
      readonly state: FileState;
      readonly sha256: string;
      readonly spooled: string | undefined;
    }
  /** It moved: settle again from here. */
  | { readonly kind: "changed"; readonly state: FileState }
  | { readonly kind: "gone" }
  | { readonly kind: "unseen"; readonly unseen: Unseen }
  | { readonly kind: "spool-full" }
  /** The agent stops; it is found again. */
  | { readonly kind: "stopped" };

export const CHUNK = 2 ** 20;

/**
 * `buffer` is read into and may be shared by calls that follow one another. With `spool` the bytes are copied as they
 * are hashed. Throws `disk-full`; whatever else fails is the file's own trouble and comes back as `unseen`.
 */
export async function seal(
  source: Pick<Source, "open">,
  order: SealOrder,
  spool: Spool | undefined,
  buffer: Buffer,
  stop?: AbortSignal,
): Promise<SealResult> {
  const opened = await source.open(order.path);
  if (opened.kind !== "open") return opened;
  await using file = opened.file;
  if (!order.snapshot && !sameState(file.state, order.state)) return { kind: "changed", state: file.state };
  const draft = spool?.draft(file.state.size);
  if (spool !== undefined && draft === undefined) return { kind: "spool-full" };
  let kept = false;
  try {
    const { sha256, length } = await read(file, draft, buffer, stop);
    const after = await file.recheck();
    if (order.snapshot) {
      if (length < file.state.size) return { kind: "changed", state: after ?? file.state };
    } else {
      if (after === undefined) return { kind: "gone" };
      if (length !== file.state.size || !sameState(after, file.state))
        return { kind: "changed", state: after };
    }
    await draft?.commit(length).catch((error: unknown) => Promise.reject(diskProblem(error)));
    kept = true;
    return { kind: "sealed", state: file.state, sha256, spooled: draft?.name };
  } catch (error) {
    if (stop?.aborted) return { kind: "stopped" };
    if ((error as { code?: unknown }).code === "disk-full") throw error;
    const reason = `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return { kind: "unseen", unseen: { path: order.path, reason, code: "file-unreadable" } };
  } finally {
    if (!kept) await draft?.discard().catch(() => undefined);
  }
}

/** Exactly the size that the opened file had: a file that grows is not chased. */
async function read(
  file: OpenFile,
  draft: Draft | undefined,
  buffer: Buffer,
  stop: AbortSignal | undefined,
): Promise<{ sha256: string; length: number }> {
  const hash = createHash("sha256");
  const size = file.state.size;
  let copy: FileHandle | undefined;
  try {
    const cloned = draft !== undefined && size > 0 && (await file.cloneTo?.(draft.file)) === true;
    // A clone is one instant's bytes: it is what is hashed then, not the file that may go on changing.
    if (draft !== undefined)
      copy = await open(draft.file, cloned ? "r+" : "wx+", 0o600).catch((e: unknown) =>
        Promise.reject(diskProblem(e)),
      );
    let length = 0;
    while (length < size) {
      // What fits into one piece ends; terabytes would keep a stop waiting for hours.
      if (length > 0) stop?.throwIfAborted();
      const want = buffer.subarray(0, Math.min(buffer.length, size - length));
      const got =
        cloned && copy !== undefined
          ? (await copy.read(want, 0, want.length, length)).bytesRead
          : await file.read(want, length);
      if (got === 0) break;
      const bytes = want.subarray(0, got);
      hash.update(bytes);
      if (copy !== undefined && !cloned) await writeAll(copy, bytes, length);
      length += got;
    }
    if (cloned) await copy?.truncate(length);
    return { sha256: hash.digest("hex"), length };
  } finally {
    await copy?.close();
  }
}

async function writeAll(copy: FileHandle, bytes: Buffer, position: number): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; )
      at += (await copy.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  } catch (error) {
    throw diskProblem(error);
  }
}
