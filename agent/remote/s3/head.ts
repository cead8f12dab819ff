/** What a bucket says of one object. */

import { RemoteError } from "../remote.ts";
import type { Bucket } from "./bucket.ts";
import { shown } from "./failure.ts";
import { HeadObjectCommand, type HeadObjectCommandOutput } from "./library.ts";
import { archived, type Known, known } from "./state.ts";

export interface Head extends Known {
  readonly archived: string | undefined;
  readonly told: HeadObjectCommandOutput;
}

/** Undefined: a 404, which may mean the bucket as well; `gone` tells. */
export async function head(
  bucket: Bucket,
  key: string,
  versioned: boolean,
  versionId?: string,
): Promise<Head | undefined> {
  const version = versionId === undefined ? {} : { VersionId: versionId };
  try {
    const told = await bucket.ask({ doing: "read", key }, (client) =>
      client.send(new HeadObjectCommand({ ...bucket.at(key), ...version })),
    );
    const { ContentLength: size, LastModified: modified, ETag: etag } = told;
    const isRestored = told.Restore?.includes('ongoing-request="false"') === true;
    return {
      ...known({ size, modified, etag, versionId: told.VersionId }, versioned),
      archived: bucket.amazon ? archived(told.ArchiveStatus ?? told.StorageClass, isRestored) : undefined,
      told,
    };
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    if (error.failure === "absent") return undefined;
    // It does not say whether this object is refused, or everything: a listing does.
    if (error.failure === "denied" || error.failure === "failed") await bucket.any(bucket.prefix);
    throw error;
  }
}

/** `absent`, unless it is the bucket that is not there. */
export async function gone(bucket: Bucket, key: string): Promise<RemoteError> {
  await bucket.any(bucket.prefix);
  return new RemoteError("absent", `the object ${shown(key)} is not there`);
}
