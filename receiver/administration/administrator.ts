/** Administrative acts: one function for each, used by the commands and the console alike, so that both leave the same record. */
import type { Act, Subject, Who } from "../audit/audit.ts";
import { audited } from "../audit/audit.ts";
import { lockClient } from "../ledger/clients.ts";
import type { Writer } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";

/** Who does it, and where. */
export interface Administrator {
  readonly db: Database;
  readonly who: Who;
}

/** An update first: of two who change one thing at once, the second sees what the first made of it before it says what was. */
const LOCK = {
  client: lockClient,
  agent: (trx: Writer, id: string) => trx.updateTable("agents").set({ id }).where("id", "=", id).execute(),
  key: (trx: Writer, id: string) => trx.updateTable("api_keys").set({ id }).where("id", "=", id).execute(),
  webhook: (trx: Writer, id: string) =>
    trx.updateTable("webhooks").set({ id }).where("id", "=", id).execute(),
  /** By the user name: of revoked accounts nothing changes. */
  sftp: (trx: Writer, user_name: string) =>
    trx
      .updateTable("sftp_accounts")
      .set({ user_name })
      .where("user_name", "=", user_name)
      .where("revoked_at", "is", null)
      .execute(),
} as const;

/** What is changed by an act, and how what it is now is read. */
export interface Changing {
  readonly act: Act;
  readonly kind: keyof typeof LOCK;
  readonly id: string;
  readonly client?: string | undefined;
  readonly facts: (trx: Writer) => Promise<Subject>;
}

/** One change of one thing that may or may not be there, with what it was before and is after. */
export async function change<T>(
  { db, who }: Administrator,
  { act, kind, id, client, facts }: Changing,
  work: (trx: Writer) => Promise<T>,
): Promise<T> {
  return await audited(db, who, async (trx, record) => {
    await LOCK[kind](trx, id);
    const before = await facts(trx);
    const result = await work(trx);
    record({ act, subject: { kind, id }, client, before, after: await facts(trx) });
    return result;
  });
}
