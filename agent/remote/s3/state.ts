/** What S3 says of an object, as a file's state; and which ETag or version the id in a state stands for. */
import type { FileState } from "../../source/state.ts";
import { RemoteError } from "../remote.ts";
import { tagId } from "../tag.ts";
import { thaw } from "./failure.ts";

/** By what exactly this content is asked for. `versionId` where versions count. */
export interface Tag {
  readonly etag: string;
  readonly versionId?: string;
}

/** The parts of an answer that listings and single objects have in common. */
export interface Told {
  readonly size: number | undefined;
  readonly modified: Date | undefined;
  readonly etag: string | undefined;
  readonly versionId?: string | undefined;
}

export interface Known {
  readonly state: FileState;
  readonly tag: Tag;
}

/** `versioned`: the id is the version's. Throws when the server leaves out what every S3 says. */
export function known({ size, modified, etag, versionId }: Told, versioned: boolean): Known {
  if (size === undefined || modified === undefined || etag === undefined)
    throw new RemoteError("failed", "the server left out the size, the time or the ETag of an object");
  const tag: Tag = { etag: bare(etag), ...(versioned ? { versionId: versionId ?? "null" } : {}) };
  return { state: { size, ...timesOf(modified), fileId: tagId(textOf(tag)) }, tag };
}

/** The end of a version: no bytes, and an id of its own. */
export function endState(versionId: string, modified: Date | undefined): FileState {
  const at = modified ?? new Date(0);
  const id = versionId === "null" ? `null end ${Math.floor(at.getTime() / 1000)}` : versionId;
  return { size: 0, ...timesOf(at), fileId: tagId(id) };
}

/** Listings tell milliseconds, or seconds; single objects, in a header, whole seconds. */
function timesOf(modified: Date): { readonly mtimeNs: bigint; readonly ctimeNs: bigint } {
  return { mtimeNs: BigInt(Math.floor(modified.getTime() / 1000)) * 1_000_000_000n, ctimeNs: 0n };
}

/** The version without an id, from before versions were kept, is replaced in its place: its content tells which it is. */
function textOf({ etag, versionId }: Tag): string {
  if (versionId === undefined) return etag;
  return versionId === "null" ? `null ${etag}` : versionId;
}

const bare = (etag: string): string => etag.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");

export const quoted = ({ etag }: Tag): string => `"${etag}"`;

/** The tags of what was seen last, by the id in its state: what is opened soon after a listing needs no asking. */
export function openTags(most = 20_000) {
  const tags = new Map<bigint, Tag>();
  return {
    of: (state: FileState): Tag | undefined =>
      state.fileId === undefined ? undefined : tags.get(state.fileId),
    keep({ state, tag }: Known): FileState {
      if (state.fileId === undefined) return state;
      tags.delete(state.fileId);
      tags.set(state.fileId, tag);
      for (const oldest of tags.keys()) {
        if (tags.size <= most) break;
        tags.delete(oldest);
      }
      return state;
    },
  };
}
export type Tags = ReturnType<typeof openTags>;

const ARCHIVES = ["GLACIER", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"];

/** Why it cannot be read now, if it lies in an archive and was not fetched out of it. */
export function archived(storageClass: string | undefined, isRestored: boolean): string | undefined {
  if (isRestored || storageClass === undefined || !ARCHIVES.includes(storageClass)) return undefined;
  return thaw(storageClass);
}
