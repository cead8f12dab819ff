/** A lake in any S3. Bodies are staged in a local spool, hashed there, and sent with the hash that we found. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { makeFolder } from "@tributary/shared/folder.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { freeBytes, lakeFault, realDisk } from "./disk.ts";
import { startFollower } from "./follower.ts";
import type { OwnLake } from "./lake.ts";
import { claimStore, requireClaim } from "./s3-claim.ts";
import { copyObject } from "./s3-copy.ts";
import { s3Parts } from "./s3-parts.ts";
import { probeStore } from "./s3-probe.ts";
import { publishObject } from "./s3-publish.ts";
import { failure, listedKey, openStore, type S3LakeOptions } from "./s3-store.ts";
import { openStaging } from "./stage.ts";
import { openUnfinished } from "./unfinished.ts";

const KEEP = 2 * 1024 ** 3;
const KEEP_MS = 5 * 60_000;

/** Makes the spool and takes the prefix for this site; refuses one that is another's, or not the ledger's lake. */
export async function openS3Lake(options: S3LakeOptions): Promise<OwnLake> {
  const { spool } = options;
  try {
    makeFolder(spool, { fresh: false });
  } catch (error) {
    throw lakeFault(error, spool);
  }
  const store = openStore(options);
  const id = await claimStore(store, options);
  const staging = openStaging(join(spool, "bodies"), realDisk);
  const { client, call } = store;
  // Until the probe has seen the condition work, every put looks first.
  let conditional = false;
  return {
    id,
    ...s3Parts(store, staging, startFollower(), {
      keep: options.keep ?? KEEP,
      keepMs: options.keepMs ?? KEEP_MS,
    }),

    ...openUnfinished(join(spool, "unfinished"), staging, realDisk),

    stage: (body) => staging.stage(body),

    async publish(staged, key, metadata) {
      const { size, sha256 } = staged;
      const content = staging.consume(staged);
      try {
        const object = { key, size, sha256, content, metadata };
        await call(`write ${key}`, () => publishObject(store, object, conditional));
      } finally {
        if (content.kind === "file") await rm(content.file, { force: true }).catch(() => {});
      }
    },

    read: (key, range) =>
      call(`read ${key}`, async () => {
        const Range = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` };
        try {
          return (await client.send(new GetObjectCommand({ ...store.at(key), ...Range }))).Body as Readable;
        } catch (error) {
          const { status, code } = failure(error);
          if (status === 404 && code !== "NoSuchBucket") return undefined;
          if (status === 416) {
            throw new ProblemError("range-invalid", `${key} has no bytes ${range?.start}-${range?.end}`);
          }
          throw error;
        }
      }),

    copy: (from, to) => call(`copy ${from}`, () => copyObject(store, from, to)),

    async *list(prefix) {
      let token: string | undefined;
      do {
        const page = await call(`list ${prefix}`, () =>
          client.send(
            new ListObjectsV2Command({
              Bucket: store.bucket,
              Prefix: store.prefix + prefix,
              EncodingType: "url",
              ...(token === undefined ? {} : { ContinuationToken: token }),
            }),
          ),
        );
        for (const one of page.Contents ?? []) {
          const key = listedKey(store, one.Key ?? "", page.EncodingType);
          // `.tributary.json` and `.probe/` are no data.
          if (key.startsWith(".")) continue;
          yield { key, size: one.Size ?? 0 };
        }
        token = page.NextContinuationToken;
      } while (token !== undefined);
    },

    remove: (key) =>
      call(`delete ${key}`, async () => void (await client.send(new DeleteObjectCommand(store.at(key))))),

    async probe() {
      const swept = await staging.sweep();
      const findings = await probeStore(store);
      conditional = findings.conditional;
      return swept === 0
        ? findings.lines
        : [...findings.lines, `removed what ${swept} earlier process(es) left in the spool`];
    },

    check: () => requireClaim(store, { site: options.site, lake: id }),

    free: () => freeBytes(spool, realDisk),
  };
}
