/** The claim of an S3 lake: one bucket and prefix belong to one site. Written with `If-None-Match: *`, so that of two sites one has it. */
import { randomUUID } from "node:crypto";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  CLAIM,
  type Claim,
  type LakeOwner,
  parseClaim,
  refuseAbsent,
  requireOurs,
  strangeClaim,
} from "./claim.ts";
import { failure, type Store } from "./s3-store.ts";

/** Takes the prefix when it is nobody's, or throws when it is another's. Gives the lake's id. */
export async function claimStore(store: Store, owner: LakeOwner): Promise<string> {
  const where = whereOf(store);
  let found = await read(store, where);
  if (found === undefined) {
    // Lakes of before had no claim: a ledger that has entries but knows no lake may well be one of those.
    refuseAbsent({ ...owner, begun: false }, where, "are lake.bucket, lake.prefix and lake.endpoint right?");
    await write(store, { site: owner.site, lake: randomUUID() }, true);
    found = await read(store, where);
  }
  requireOurs(found ?? {}, owner, where);
  if (found?.site !== undefined && found.lake !== undefined) return found.lake;
  if (found === undefined)
    throw new ProblemError(
      "lake-unavailable",
      `S3 does not give back the ${CLAIM} that was put into ${where}`,
    );
  const lake = found.lake ?? randomUUID();
  await write(store, { site: owner.site, lake }, false);
  return lake;
}

/** Throws `lake-unavailable` unless the prefix still holds this site's lake. Writes nothing. */
export async function requireClaim(
  store: Store,
  ours: { readonly site: string; readonly lake: string },
): Promise<void> {
  const where = whereOf(store);
  const found = await read(store, where);
  if (found?.site === ours.site && found.lake === ours.lake) return;
  throw new ProblemError(
    "lake-unavailable",
    strangeClaim(found, where, "was the bucket emptied, or the prefix moved?"),
  );
}

const whereOf = (store: Store): string => `bucket ${store.bucket}, prefix "${store.prefix}"`;

async function read(store: Store, where: string): Promise<Claim | undefined> {
  return await store.call(`read ${CLAIM}`, async () => {
    try {
      const answer = await store.client.send(new GetObjectCommand(store.at(CLAIM)));
      return parseClaim((await answer.Body?.transformToString()) ?? "", `${CLAIM} in ${where}`);
    } catch (error) {
      const { status, code } = failure(error);
      if (status === 404 && code !== "NoSuchBucket") return undefined;
      throw error;
    }
  });
}

/** `fresh`: only when there is none. A store that does not know the condition is asked without it; we looked just now. */
async function write(store: Store, claim: Claim, fresh: boolean): Promise<void> {
  await store.call(`write ${CLAIM}`, async () => {
    const put = (condition: { IfNoneMatch?: string }) =>
      store.client.send(
        new PutObjectCommand({ ...store.at(CLAIM), Body: `${JSON.stringify(claim)}\n`, ...condition }),
      );
    try {
      await put(fresh ? { IfNoneMatch: "*" } : {});
    } catch (error) {
      const { status } = failure(error);
      // 412: another one has it, or is putting it this moment (409): what is there decides.
      if (fresh && (status === 412 || status === 409)) return;
      if (!fresh || (status !== 501 && status !== 400)) throw error;
      await put({});
    }
  });
}
