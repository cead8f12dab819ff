/** Rows of the queue's file to nouns and back. 64-bit values travel as bigint; SQLite's integers are signed. */
import type { FileState } from "../source/source.ts";
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

function toState(row: StateRow): FileState {
  return {
    size: Number(row.size),
    mtimeNs: row.mtime_ns,
    ctimeNs: row.ctime_ns,
    fileId: row.file_id === null ? undefined : BigInt.asUintN(64, row.file_id),
  };
}

export function toSeen(folder: Buffer, row: SeenRow): Seen {
  return {
    path: joined(folder, row.name),
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
  if (row.kind === "removal") return { kind: "removal", ...base };
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

const SLASH = 0x2f;

/** The folder (empty for the root) and the last segment of a path. */
export function split(path: Buffer): { readonly folder: Buffer; readonly name: Buffer } {
  const at = path.lastIndexOf(SLASH);
  return at === -1
    ? { folder: path.subarray(0, 0), name: path }
    : { folder: path.subarray(0, at), name: path.subarray(at + 1) };
}

export function joined(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, Buffer.of(SLASH), name]);
}

/** Everything below a folder sorts, as bytes, in [from, to); `to` undefined: to the end. */
export function below(folder: Buffer): { readonly from: Buffer; readonly to: Buffer } {
  if (folder.length === 0) return { from: Buffer.of(1), to: Buffer.of(0xff, 0xff, 0xff, 0xff) };
  return {
    from: Buffer.concat([folder, Buffer.of(SLASH)]),
    to: Buffer.concat([folder, Buffer.of(SLASH + 1)]),
  };
}
