/** The keys and password of an SFTP account change while it lives: what counts no more ends the sessions that came in by it. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Writer } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { changing, insertKeys } from "./sftp-accounts.ts";
import type { SshPublicKey } from "./ssh-public-key.ts";

/** Throws `not-found`. */
export async function addAccountKeys(
  db: Database,
  user: string,
  keys: readonly SshPublicKey[],
): Promise<void> {
  await changing(db, user, (trx, { id }) => insertKeys(trx, id, keys));
}

/** Throws `not-found`, or `forbidden` when nobody could log in any more. */
export async function removeAccountKey(db: Database, user: string, fingerprint: string): Promise<void> {
  await changing(db, user, async (trx, { id, password_hash }) => {
    const { numDeletedRows } = await trx
      .deleteFrom("sftp_keys")
      .where("account_id", "=", id)
      .where("fingerprint", "=", fingerprint)
      .executeTakeFirst();
    if (Number(numDeletedRows) === 0)
      throw new ProblemError(
        "not-found",
        `the account "${user}" has no key ${fingerprint}; see: tributary-receiver sftp list --json`,
      );
    if (password_hash === null) await requireKeys(trx, id, user);
  });
}

/** Null takes it away. Throws `not-found`, or `forbidden` when nobody could log in any more. */
export async function setAccountPassword(
  db: Database,
  user: string,
  passwordHash: string | null,
): Promise<void> {
  await changing(db, user, async (trx, { id }) => {
    if (passwordHash === null) await requireKeys(trx, id, user);
    await trx
      .updateTable("sftp_accounts")
      .set({ password_hash: passwordHash })
      .where("id", "=", id)
      .execute();
  });
}

async function requireKeys(trx: Writer, id: string, user: string): Promise<void> {
  const any = await trx
    .selectFrom("sftp_keys")
    .select("fingerprint")
    .where("account_id", "=", id)
    .executeTakeFirst();
  if (any === undefined)
    throw new ProblemError(
      "forbidden",
      `then nobody could log in as "${user}" any more; give it another key or a password first, or: tributary-receiver sftp revoke ${user}`,
    );
}
