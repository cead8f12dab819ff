/** A file id made of a text by which a place names content or a version: an ETag, a VersionId. */
import { createHash } from "node:crypto";

/** 63 bits: it fits a signed integer of a database. */
export function tagId(text: string): bigint {
  return createHash("sha256").update(text).digest().readBigUInt64BE(0) & 0x7fff_ffff_ffff_ffffn;
}
