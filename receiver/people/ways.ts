/** By what a person can come in: what the record of a change to it says, without anything of it that is secret. */
import type { Database } from "../ledger/schema.ts";

export interface Ways {
  /** RFC 3339: since when there is this password; null: there is none. */
  readonly passwordSince: string | null;
  /** An authenticator app is in force. */
  readonly totp: boolean;
  /** By the names that their owner gave them. */
  readonly passkeys: readonly string[];
  /** Ids of OIDC providers. */
  readonly providers: readonly string[];
}

export async function waysOf(db: Database, person: string): Promise<Ways> {
  const [row, accounts, passkeys] = [
    await db.selectFrom("people").select("totp_enabled").where("id", "=", person).executeTakeFirst(),
    await db
      .selectFrom("people_accounts")
      .select(["provider", "updated_at"])
      .where("person", "=", person)
      .orderBy("provider")
      .execute(),
    await db
      .selectFrom("people_passkeys")
      .select("name")
      .where("person", "=", person)
      .orderBy("id")
      .execute(),
  ];
  const password = accounts.find(({ provider }) => provider === "credential");
  return {
    passwordSince: password === undefined ? null : new Date(password.updated_at).toISOString(),
    totp: row?.totp_enabled === 1,
    passkeys: passkeys.map(({ name }) => name ?? "without a name"),
    providers: accounts.map(({ provider }) => provider).filter((provider) => provider !== "credential"),
  };
}
