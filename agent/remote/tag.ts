/** ETags as ids of files. */
import { createHash } from "node:crypto";

/** What stands for a tag in `FileState.fileId`, which is a number: 63 bits of its digest, so that two tags are never taken for one. */
export function tagId(tag: string): bigint {
  return createHash("sha256").update(tag).digest().readBigUInt64BE(0) & 0x7fff_ffff_ffff_ffffn;
}
