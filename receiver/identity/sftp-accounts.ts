/** SFTP accounts: who may come in at the SFTP door, with which keys or password, and what they may do there. */
import { randomBytes } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { slug } from "@tributary/shared/protocol.ts";
import { holdClient } from "../ledger/clients.ts";
import { named, type Writer, writing } from "../ledger/database.ts";
import {
  type BearerLimits,
  bearerStates,
  type Changes,
  NO_LIMITS,
  writeBearerLimits,
} from "../ledger/limits.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import type { SshPublicKey } from "./ssh-public-key.ts";

const USER = /^[a-z0-9_][a-z0-9._-]{0,62}$/;
/** Whether there can be such an account. */
export const isUserName = (text: string): boolean => USER.test(text);
const DEFAULT_SOURCE = "sftp";

type Row = Tables["sftp_accounts"];

export interface NewAccount {
  readonly client: string;
  readonly user: string;
  readonly keys: readonly SshPublicKey[];
  /** As `hashPassword` makes it. */
  readonly passwordHash?: string | undefined;
  /** The only source it may touch. */
  readonly source?: string | undefined;
  /** Where a file goes that is put beside the sources. Default: its source, else `sftp`. */
  readonly defaultSource?: string | undefined;
  /** Default: write. */
  readonly access?: Row["access"] | undefined;
  /** What a file that the client removes is: an entry, or refused. Default: record. */
  readonly removals?: Row["removals"] | undefined;
  readonly history?: boolean;
  readonly receipts?: boolean;
  readonly limits?: Changes<BearerLimits>;
}

/** One line of `sftp list --json`. Times RFC 3339. */
export interface AccountView {
  /** Stands in entries and receipts. */
  readonly id: string;
  readonly user: string;
  readonly client: string;
  readonly source: string | null;
  readonly defaultSource: string;
  readonly access: Row["access"];
  readonly removals: Row["removals"];
  readonly history: boolean;
  readonly receipts: boolean;
  readonly keys: readonly { readonly fingerprint: string; readonly comment: string }[];
  readonly password: boolean;
  readonly limits: BearerLimits;
  /** Brought on this UTC day. */
  readonly dayBytes: number;
  readonly lastLoginAt: string | null;
  readonly lastLoginFrom: string | null;
  readonly createdAt: string;
  readonly revokedAt: string | null;
}

/** Its id. A user whose account was revoked gets another account. Throws `request-invalid`, `not-found`. */
export async function addAccount(db: Database, wanted: NewAccount, now = Date.now()): Promise<string> {
  const { client, user, keys, passwordHash } = wanted;
  const values = checked(wanted);
  const id = randomBytes(8).toString("hex");
  await writing(db, async (trx) => {
    await holdClient(trx, client);
    const { numInsertedOrUpdatedRows: added } = await trx
      .insertInto("sftp_accounts")
      .values({
        ...{ id, client, user_name: user, ...values },
        ...{ password_hash: passwordHash ?? null, created_at: now },
        ...{ revoked_at: null, last_login_at: null, last_login_from: null },
      })
      .onConflict((oc) => oc.column("user_name").where("revoked_at", "is", null).doNothing())
      .executeTakeFirst();
    if (Number(added) === 0)
      throw refused(`there is an SFTP account "${user}" already; see: tributary-receiver sftp list`);
    await insertKeys(trx, id, keys);
    if (Object.values(wanted.limits ?? {}).some((limit) => limit !== undefined))
      await writeBearerLimits(trx, id, wanted.limits ?? {});
  });
  return id;
}

function checked({ user, keys, passwordHash, ...wanted }: NewAccount) {
  if (!isUserName(user))
    throw refused(
      `"${user.slice(0, 100)}" is not a user name: a-z, 0-9, "_", "." and "-", beginning with a letter, a digit or "_", at most 63`,
    );
  if (keys.length === 0 && passwordHash === undefined)
    throw refused(
      "with neither a key nor a password nobody could log in; give --public-key FILE or --password-stdin",
    );
  const source = wanted.source ?? null;
  const defaultSource = wanted.defaultSource ?? source ?? DEFAULT_SOURCE;
  for (const name of [source ?? defaultSource, defaultSource])
    if (!slug.safeParse(name).success) throw refused(`"${name}" is not a source name (a-z, 0-9 and -)`);
  if (source !== null && defaultSource !== source)
    throw refused(
      `an account that is bound to the source "${source}" has no other default source; leave --default-source out`,
    );
  const { access = "write", removals = "record", history = false, receipts = false } = wanted;
  if (history && access === "write")
    throw refused("who may not read has no history: add --access read-write");
  const bit = (yes: boolean): 0 | 1 => (yes ? 1 : 0);
  return {
    ...{ source, default_source: defaultSource, access, removals },
    ...{ history: bit(history), receipts: bit(receipts) },
  };
}

/** For whoever has the account in the same transaction; one that it has already is only given its new comment. */
export async function insertKeys(trx: Writer, id: string, keys: readonly SshPublicKey[]): Promise<void> {
  for (const { fingerprint, publicKey, comment } of keys)
    await trx
      .insertInto("sftp_keys")
      .values({ account_id: id, fingerprint, public_key: publicKey, comment })
      .onConflict((oc) => oc.columns(["account_id", "fingerprint"]).doUpdateSet({ comment }))
      .execute();
}

/** Oldest first, revoked ones too; all, or those of a client, or those that ever had a user name. */
export async function listAccounts(
  db: Database,
  { client, user }: { readonly client?: string; readonly user?: string } = {},
): Promise<readonly AccountView[]> {
  let accounts = db.selectFrom("sftp_accounts").selectAll().orderBy("created_at").orderBy("id");
  if (client !== undefined) accounts = accounts.where("client", "=", client);
  if (user !== undefined) accounts = accounts.where("user_name", "=", user);
  const rows = await named(() => accounts.execute());
  const ids = rows.map((row) => row.id);
  const some = client !== undefined || user !== undefined;
  if (some && ids.length === 0) return [];
  let proofs = db.selectFrom("sftp_keys").selectAll().orderBy("account_id").orderBy("fingerprint");
  if (some) proofs = proofs.where("account_id", "in", ids);
  const keys = Map.groupBy(await named(() => proofs.execute()), (key) => key.account_id);
  const bearers = await bearerStates(db, some ? ids : "all");
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return rows.map((row) => ({
    ...{ id: row.id, user: row.user_name, client: row.client, source: row.source },
    ...{ defaultSource: row.default_source, access: row.access, removals: row.removals },
    ...{ history: row.history === 1, receipts: row.receipts === 1 },
    keys: (keys.get(row.id) ?? []).map(({ fingerprint, comment }) => ({ fingerprint, comment })),
    password: row.password_hash !== null,
    ...(bearers.get(row.id) ?? { limits: NO_LIMITS, dayBytes: 0 }),
    lastLoginAt: time(row.last_login_at),
    lastLoginFrom: row.last_login_from,
    createdAt: new Date(row.created_at).toISOString(),
    revokedAt: time(row.revoked_at),
  }));
}

/** In force everywhere within 5 s; revoking twice keeps the first time. Throws `not-found`. */
export async function revokeAccount(db: Database, user: string, now = Date.now()): Promise<void> {
  await writing(db, async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable("sftp_accounts")
      .set({ revoked_at: now })
      .where("user_name", "=", user)
      .where("revoked_at", "is", null)
      .executeTakeFirst();
    if (Number(numUpdatedRows) > 0) return;
    const revoked = trx.selectFrom("sftp_accounts").select("id").where("user_name", "=", user);
    if ((await revoked.executeTakeFirst()) === undefined) throw unknownUser(user);
  });
}

/** Its id. In force everywhere within 2 s. Throws `not-found`. */
export async function limitAccount(
  db: Database,
  user: string,
  limits: Changes<BearerLimits>,
): Promise<string> {
  return await changing(db, user, async (trx, { id }) => {
    await writeBearerLimits(trx, id, limits);
    return id;
  });
}

/** Works with the account that counts under this user name. Throws `not-found`. */
export async function changing<T>(
  db: Database,
  user: string,
  work: (trx: Writer, account: Pick<Row, "id" | "password_hash">) => Promise<T>,
): Promise<T> {
  return await writing(db, async (trx) => {
    // An update first: it is the lock on the account, so of two changes one sees the other.
    const account = await trx
      .updateTable("sftp_accounts")
      .set((eb) => ({ user_name: eb.ref("user_name") }))
      .where("user_name", "=", user)
      .where("revoked_at", "is", null)
      .returning(["id", "password_hash"])
      .executeTakeFirst();
    if (account === undefined) throw unknownUser(user);
    return await work(trx, account);
  });
}

function unknownUser(user: string): ProblemError {
  return new ProblemError(
    "not-found",
    `there is no SFTP account "${user.slice(0, 100)}"; see: tributary-receiver sftp list`,
  );
}

function refused(why: string): ProblemError {
  return new ProblemError("request-invalid", why);
}
