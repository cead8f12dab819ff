/** How an entry looks in the ledger's tables and to everybody else: the one place that maps between them. */
import { createHash } from "node:crypto";
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import type { Entry, ManifestLine } from "@tributary/shared/protocol.ts";
import { type ReceiptClaims, receiptClaims } from "@tributary/shared/receipt.ts";
import type { Selectable } from "kysely";
import type { Tables } from "./schema.ts";

export type EntryRow = Selectable<Tables["entries"]>;

/** A path's identity where an index needs it: paths are longer than index rows may be. */
export function pathHash(pathEncoded: string): string {
  return createHash("sha256").update(pathEncoded).digest("hex");
}

export function instantOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** `path` may be given by who has decoded it already. */
export function entryOf(row: EntryRow, path = displayPath(decodePath(row.path_encoded))): Entry {
  return {
    versionId: row.version_id,
    kind: row.kind,
    client: row.client,
    source: row.source,
    path,
    pathEncoded: row.path_encoded,
    size: row.size,
    sha256: row.sha256,
    captureId: row.capture_id,
    modifiedAt: row.modified_at,
    sealedAt: row.sealed_at,
    receivedAt: instantOf(row.received_at),
    channel: row.channel,
    agentId: row.bearer === "" ? null : row.bearer,
    key: row.lake_key,
  };
}

export function manifestLineOf(row: EntryRow, path?: string): ManifestLine {
  return { ...entryOf(row, path), seq: row.seq, receipt: row.receipt };
}

/** A manifest line back into a row; the line has been checked. */
export function rowOf(line: ManifestLine, segmentId: string): EntryRow {
  return {
    seq: line.seq,
    version_id: line.versionId,
    kind: line.kind,
    client: line.client,
    source: line.source,
    path_encoded: line.pathEncoded,
    path_hash: pathHash(line.pathEncoded),
    size: line.size,
    sha256: line.sha256,
    capture_id: line.captureId,
    modified_at: line.modifiedAt,
    sealed_at: line.sealedAt,
    received_at: Date.parse(line.receivedAt),
    channel: line.channel,
    bearer: line.agentId ?? "",
    lake_key: line.key,
    receipt: line.receipt,
    segment_id: segmentId,
  };
}

/** What a receipt of our own ledger says; it was verified by being ours. */
export function claimsOf(receipt: string): ReceiptClaims {
  const payload = Buffer.from(receipt.split(".")[1] ?? "", "base64url").toString("utf8");
  return receiptClaims.parse(JSON.parse(payload));
}
