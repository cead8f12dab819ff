/**
 * How trust moves: the steps behind `tributary-receiver authority next|switch|public` and `receipts rotate`. A running
 * `serve` sees their files within five seconds. Each needs a folder that `openKeys` has made.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { promoteNext, readAuthorities, writeAnnounced, writeNext, writeTrusted } from "./authority.ts";
import { fingerprint, madeAt, makeAuthority } from "./certificate.ts";
import { knownFingerprints, recordFingerprints, refuseMissing, refuseOthers } from "./fingerprints.ts";
import { makeReceiptKey, PUBLISHED_AHEAD_MS, writeReceiptKey } from "./receiptkeys.ts";
import { readSecretsKey, writeSecretsKey } from "./secretskey.ts";
import { authorityName, fingerprintsOf, readSite } from "./site.ts";

/** `serve` may be that late to announce a new authority. */
const ANNOUNCED_WITHIN_MS = 5000;

/** Makes the authority that comes next and announces it; the same one when it is there already. */
export async function nextAuthority(
  db: Database,
  folder: string,
  now = Date.now(),
): Promise<{ readonly fingerprint: string; readonly made: boolean }> {
  const { site } = await ownSite(db, folder, now);
  const already = readAuthorities(folder, now).next;
  if (already) return { fingerprint: fingerprint(already.cert), made: false };
  const authority = await makeAuthority(authorityName(site, now), now);
  await writing(db, (trx) => recordFingerprints(trx, "authority", [fingerprint(authority.cert)]));
  writeNext(folder, authority);
  writeTrusted(folder, readAuthorities(folder, now));
  return { fingerprint: fingerprint(authority.cert), made: true };
}

/** What the operator must know of a switch: who will not find the way any more. */
export interface Switched {
  readonly fingerprint: string;
  /** Active agents without a heartbeat since the next authority was announced: they will not trust the receiver. */
  readonly agentsBehind: readonly { readonly id: string; readonly name: string }[];
  readonly agents: number;
  /** Codes not used yet: they pin the old authority and must be made anew. */
  readonly openCodes: number;
}

/** Active agents that have not had a heartbeat since the next authority was announced: a switch now would lose them. */
export async function agentsUnaware(
  db: Database,
  folder: string,
  now = Date.now(),
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  const announced = madeAt(nextOf(readAuthorities(folder, now)).cert) + ANNOUNCED_WITHIN_MS;
  const agents = await activeAgents(db);
  return agents
    .filter((agent) => (agent.last_seen_at ?? 0) < announced)
    .map(({ id, name }) => ({ id, name }));
}

/** Makes the announced authority the current one. The old one stays in the trust set for 90 days. */
export async function switchAuthority(db: Database, folder: string, now = Date.now()): Promise<Switched> {
  await ownSite(db, folder, now);
  const authorities = readAuthorities(folder, now);
  const next = nextOf(authorities);
  const agents = await activeAgents(db);
  const agentsBehind = await agentsUnaware(db, folder, now);
  const codes = await db
    .selectFrom("invitations")
    .select((eb) => eb.fn.countAll().as("count"))
    .where("used_key", "is", null)
    .where("expires_at", ">", now)
    .executeTakeFirstOrThrow();
  promoteNext(folder, authorities, now);
  writeTrusted(folder, readAuthorities(folder, now));
  return {
    fingerprint: fingerprint(next.cert),
    agents: agents.length,
    agentsBehind,
    openCodes: Number(codes.count),
  };
}

async function activeAgents(db: Database) {
  return await db
    .selectFrom("agents")
    .select(["id", "name", "last_seen_at"])
    .where("state", "=", "active")
    .execute();
}

function nextOf({ next }: ReturnType<typeof readAuthorities>) {
  if (next) return next;
  throw new ProblemError(
    "not-found",
    "there is no next authority; run `tributary-receiver authority next` and give the agents time for a heartbeat",
  );
}

/** Announces a public certificate before `tls:` is configured: agents then trust the system's authorities too. */
export async function announcePublic(db: Database, folder: string, now = Date.now()): Promise<void> {
  await ownSite(db, folder, now);
  writeAnnounced(folder, now);
}

/** Makes a receipt key, published at once; it signs from `signsFrom` on. Older ones stay published for ever. */
export async function rotateReceipts(
  db: Database,
  folder: string,
  now = Date.now(),
): Promise<{ readonly kid: string; readonly signsFrom: number }> {
  await ownSite(db, folder, now);
  const key = makeReceiptKey(now);
  await writing(db, (trx) => recordFingerprints(trx, "receipt", [key.kid]));
  writeReceiptKey(folder, key);
  return { kid: key.kid, signsFrom: key.createdAt + PUBLISHED_AHEAD_MS };
}

/**
 * The key for secrets. A site of before gets it here, when it first needs one, not when it starts: receivers may have
 * copies of the folder, and would refuse to start without a key that another has made. Throws `keys-refused` when the site has one and this folder does not.
 */
export async function requireSecretsKey(db: Database, folder: string, now = Date.now()): Promise<Buffer> {
  return await writing(db, async (trx) => {
    // The site's row is the lock, so that two commands do not make two keys.
    await trx
      .updateTable("site")
      .set((eb) => ({ epoch: eb.ref("epoch") }))
      .where("id", "=", 1)
      .execute();
    const known = await knownFingerprints(trx);
    if (readSecretsKey(folder) === undefined) {
      if (known.secrets.length > 0) refuseMissing(folder, "secrets");
      writeSecretsKey(folder);
    }
    const files = readSite(folder, now);
    const held = fingerprintsOf(files);
    refuseOthers(folder, held, known.secrets.length > 0 ? known : { ...known, secrets: held.secrets });
    await recordFingerprints(trx, "secrets", held.secrets);
    return files.secretsKey as Buffer;
  });
}

/** Nobody rotates the keys of another site's folder. */
async function ownSite(db: Database, folder: string, now: number): Promise<{ readonly site: string }> {
  const files = readSite(folder, now);
  refuseOthers(folder, fingerprintsOf(files), await knownFingerprints(db));
  return files;
}
