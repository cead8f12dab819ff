/** What is done to SFTP accounts. */
import type { Act, Subject } from "../audit/audit.ts";
import { audited } from "../audit/audit.ts";
import {
  addAccount as add,
  limitAccount as limit,
  listAccounts,
  type NewAccount,
  revokeAccount as revoke,
} from "../identity/sftp-accounts.ts";
import { addAccountKeys, removeAccountKey, setAccountPassword } from "../identity/sftp-credentials.ts";
import type { SshPublicKey } from "../identity/ssh-public-key.ts";
import type { Writer } from "../ledger/database.ts";
import type { BearerLimits, Changes } from "../ledger/limits.ts";
import { type Administrator, change } from "./administrator.ts";

/** The account's id. Throws `request-invalid`, `not-found`. */
export async function addAccount({ db, who }: Administrator, wanted: NewAccount): Promise<string> {
  const { client, user } = wanted;
  return await audited(db, who, async (trx, record) => {
    const id = await add(trx, wanted);
    const after = await accountFacts(trx, user);
    record({ act: "sftp.add", subject: { kind: "sftp", id: user }, client, before: null, after });
    return id;
  });
}

/** For good. Throws `not-found`. */
export const revokeAccount = (by: Administrator, user: string): Promise<void> =>
  onAccount(by, "sftp.revoke", user, (trx) => revoke(trx, user));

/** The account's id. Throws `not-found`. */
export const limitAccount = (
  by: Administrator,
  user: string,
  limits: Changes<BearerLimits>,
): Promise<string> => onAccount(by, "sftp.limit", user, (trx) => limit(trx, user, limits));

/** Throws `not-found`. */
export const addKeysToAccount = (
  by: Administrator,
  user: string,
  keys: readonly SshPublicKey[],
): Promise<void> => onAccount(by, "sftp.credentials", user, (trx) => addAccountKeys(trx, user, keys));

/** Throws `not-found`, or `forbidden` when nobody could log in any more. */
export const removeKeyOfAccount = (by: Administrator, user: string, fingerprint: string): Promise<void> =>
  onAccount(by, "sftp.credentials", user, (trx) => removeAccountKey(trx, user, fingerprint));

/** Null takes it away. Throws `not-found`, or `forbidden` when nobody could log in any more. */
export const setPasswordOfAccount = (by: Administrator, user: string, hash: string | null): Promise<void> =>
  onAccount(by, "sftp.credentials", user, (trx) => setAccountPassword(trx, user, hash));

async function onAccount<T>(
  by: Administrator,
  act: Act,
  user: string,
  work: (trx: Writer) => Promise<T>,
): Promise<T> {
  const account = await newestOf(by.db, user);
  const facts = (trx: Writer): Promise<Subject> => accountFacts(trx, user);
  return await change(by, { act, kind: "sftp", id: user, client: account?.client, facts }, work);
}

/** A name may have been another account's before, which is revoked. */
async function newestOf(db: Administrator["db"], user: string) {
  return (await listAccounts(db, { user })).at(-1);
}

async function accountFacts(trx: Writer, user: string): Promise<Subject> {
  const account = await newestOf(trx, user);
  if (account === undefined) return null;
  const { id, source, defaultSource, access, removals, history, receipts, password, limits, revokedAt } =
    account;
  const keys = account.keys.map(({ fingerprint }) => fingerprint);
  return {
    id,
    source,
    defaultSource,
    access,
    removals,
    history,
    receipts,
    password,
    keys,
    limits,
    revokedAt,
  };
}
