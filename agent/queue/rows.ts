/** Rows of the queue's file to nouns and back. 64-bit values travel as bigint; SQLite's integers are signed. */
import { join, lastSegment, parent, SLASH } from "../source/bytes.ts";
import type { FileState } from "../source/state.ts";
import type { Parcel, Seen, Waiting } from "./queue.ts";

export interface StateRow {
  readonly size: bigint;
  readonly mtime_ns: bigint;
  readonly ctime_ns: bigint;
  readonly file_id: bigint | null;
}

export interface SeenRow extends StateRow {
  readonly name: Buffer;
  readonly sha256: Buffer;
  readonly sealed_at: bigint;
  readonly missed: bigint;
}

export interface ParcelRow {
  readonly capture_id: string;
  readonly kind: "version" | "removal";
  readonly client: string;
  readonly source: string;
  readonly path: Buffer;
  readonly sealed_at: string;
  readonly size: bigint | null;
  readonly mtime_ns: bigint | null;
  readonly ctime_ns: bigint | null;
  readonly file_id: bigint | null;
  readonly sha256: Buffer | null;
  readonly part_digests: Buffer | null;
  readonly spooled: string | null;
  readonly attempts: bigint;
}

/** File ids are unsigned on disk; the column is signed. */
export function toColumns(state: FileState): [number, bigint, bigint, bigint | null] {
  return [
    state.size,
    BigInt.asIntN(64, state.mtimeNs),
    BigInt.asIntN(64, state.ctimeNs),
    state.fileId === undefined ? null : BigInt.asIntN(64, state.fileId),
  ];
}

export function toState(row: StateRow): FileState {
  return {
    size: Number(row.size),
    mtimeNs: row.mtime_ns,
    ctimeNs: row.ctime_ns,
    fileId: row.file_id === null ? undefined : BigInt.asUintN(64, row.file_id),
  };
}

export function toSeen(folder: Buffer, row: SeenRow): Seen {
  return {
    path: join(folder, row.name),
    state: toState(row),
    sha256: row.sha256.toString("hex"),
    sealedAt: Number(row.sealed_at),
    missed: Number(row.missed),
  };
}

export function toParcel(row: ParcelRow): Parcel {
  const base = {
    captureId: row.capture_id,
    client: row.client,
    source: row.source,
    path: row.path,
    sealedAt: row.sealed_at,
  };
  if (row.kind === "removal")
    return { kind: "removal", ...base, ...(row.mtime_ns === null ? {} : { endedNs: row.mtime_ns }) };
  return {
    kind: "version",
    ...base,
    state: toState(row as StateRow),
    sha256: (row.sha256 as Buffer).toString("hex"),
    partDigests: row.part_digests ?? undefined,
    spooled: row.spooled ?? undefined,
  };
}

export function toWaiting(row: ParcelRow): Waiting {
  return { parcel: toParcel(row), attempts: Number(row.attempts) };
}

/** The folder (empty for the root) and the last segment of a path. */
export function split(path: Buffer): { readonly folder: Buffer; readonly name: Buffer } {
  return { folder: parent(path), name: lastSegment(path) };
}

/** More than every path: none has more than 4,096 bytes. Less than every path but the root's: no name holds a NUL. */
const [LAST, FIRST] = [Buffer.alloc(4_097, 0xff), Buffer.of(0)];

/** Everything below a folder sorts, as bytes, in (from, to). */
export function below(folder: Buffer): { readonly from: Buffer; readonly to: Buffer } {
  if (folder.length === 0) return { from: FIRST, to: LAST };
  return {
    from: Buffer.concat([folder, Buffer.of(SLASH)]),
    to: Buffer.concat([folder, Buffer.of(SLASH + 1)]),
  };
}
