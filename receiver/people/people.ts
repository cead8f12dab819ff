/**
 * Persons: who may use the console, and clients' own people. Each change is one transaction, or joins that of the caller,
 * and tells what was before and after. One who is admin and enabled always stays: a site nobody can administer is lost.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { holdClient } from "../ledger/clients.ts";
import { type Writer, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { signOut } from "./sessions.ts";
import { waysOf } from "./ways.ts";

export type Role = Tables["people"]["role"];

/** From the least to the most; an uploader is a client's own person and has no place among them. */
export const ROLES = ["viewer", "operator", "admin", "uploader"] as const satisfies readonly Role[];

export interface Person {
  readonly id: string;
  /** In lower case; unique. */
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  /** Of an uploader alone. */
  readonly client: string | null;
  /** Times in ms since 1970. */
  readonly createdAt: number;
  readonly disabledAt: number | null;
  readonly lastLoginAt: number | null;
}

/** A person with what he can log in with. */
export interface PersonView extends Person {
  readonly password: boolean;
  readonly totp: boolean;
  readonly passkeys: number;
  /** Ids of the OIDC providers that he came by. */
  readonly providers: readonly string[];
}

/** What a change made of a person. */
export interface Change {
  readonly before: Person;
  readonly after: Person;
  /** The emails that links were for which he made and nobody had followed: they ended, for he is no admin any more. */
  readonly endedLinks: readonly string[];
}

/** What an uploader is bound to: a client, and nobody else is. */
export type Standing =
  | { readonly role: Exclude<Role, "uploader">; readonly client?: null | undefined }
  | { readonly role: "uploader"; readonly client: string };

export async function listPeople(db: Database): Promise<readonly PersonView[]> {
  const [people, accounts, passkeys] = await Promise.all([
    db.selectFrom("people").selectAll().orderBy("email").execute(),
    db.selectFrom("people_accounts").select(["person", "provider"]).orderBy("provider").execute(),
    db.selectFrom("people_passkeys").select("person").execute(),
  ]);
  const accountsOf = Map.groupBy(accounts, ({ person }) => person);
  const passkeysOf = Map.groupBy(passkeys, ({ person }) => person);
  return people.map((row) =>
    viewOf(row, {
      providers: (accountsOf.get(row.id) ?? []).map(({ provider }) => provider),
      passkeys: passkeysOf.get(row.id)?.length ?? 0,
    }),
  );
}

/** Throws `not-found`. */
export async function personById(db: Database, id: string): Promise<PersonView> {
  const row = await db.selectFrom("people").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw noPerson(id);
  const { passwordSince, providers, passkeys } = await waysOf(db, id);
  const all = [...(passwordSince === null ? [] : ["credential"]), ...providers];
  return viewOf(row, { providers: all, passkeys: passkeys.length });
}

/** `providers`: that of passwords among them. */
function viewOf(
  row: Tables["people"],
  { providers, passkeys }: { readonly providers: readonly string[]; readonly passkeys: number },
): PersonView {
  return {
    ...{ ...personOf(row), passkeys },
    password: providers.includes("credential"),
    totp: row.totp_enabled === 1,
    providers: providers.filter((provider) => provider !== "credential"),
  };
}

const noPerson = (id: string): ProblemError =>
  new ProblemError("not-found", `there is no person ${id}; see: tributary-receiver person list`);

/** Throws `not-found`. */
export async function personByEmail(db: Database, email: string): Promise<Person> {
  const row = await db
    .selectFrom("people")
    .selectAll()
    .where("email", "=", email.toLowerCase())
    .executeTakeFirst();
  if (row) return personOf(row);
  throw new ProblemError("not-found", `there is no person ${email}; see: tributary-receiver person list`);
}

/** In force with the person's next request. Throws `not-found`, `last-admin`, `request-invalid`. */
export async function changeRole(db: Database, id: string, to: Standing): Promise<Change> {
  return await change(db, id, async (trx, before) => {
    if (to.role === "uploader") await holdClient(trx, to.client, "request-invalid");
    if (to.role !== "admin") await requireAnotherAdmin(trx, before, "given another role");
    return { role: to.role, client: to.role === "uploader" ? to.client : null };
  });
}

export async function rename(db: Database, id: string, name: string): Promise<Change> {
  return await change(db, id, async () => ({ name: requireName(name) }));
}

/** His sessions and the links that he made end at once. Disabling twice keeps the first time. Throws `not-found`, `last-admin`. */
export async function disable(db: Database, id: string, now = Date.now()): Promise<Change> {
  return await change(db, id, async (trx, before) => {
    await requireAnotherAdmin(trx, before, "disabled");
    await signOut(trx, id);
    return { disabled_at: before.disabledAt ?? now };
  });
}

/**
 * He logs in anew: what a login left behind that was under way when he was disabled does not come to life. Throws
 * `not-found`, `request-invalid` where his client was offboarded.
 */
export async function enable(db: Database, id: string): Promise<Change> {
  return await change(db, id, async (trx, before) => {
    if (before.client !== null) await holdClient(trx, before.client, "request-invalid");
    if (before.disabledAt !== null) await signOut(trx, id);
    return { disabled_at: null };
  });
}

/** For what stands in links and settings too. Throws `request-invalid`. */
export function requireName(name: string): string {
  const trimmed = name.trim();
  if (isName(trimmed)) return trimmed;
  throw new ProblemError("request-invalid", "a name has 1 to 200 characters, and no control characters");
}

/** Of one whom a provider vouches for: as the provider calls him, or, where that is no name, as his email begins. */
export function nameFor(said: string, email: string): string {
  const trimmed = said.trim();
  return isName(trimmed) ? trimmed : (email.split("@")[0] as string);
}

const isName = (text: string): boolean => text !== "" && text.length <= 200 && !/\p{Cc}/u.test(text);

export function personOf(row: Tables["people"]): Person {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    client: row.client,
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
    lastLoginAt: row.last_login_at,
  };
}

type Columns = Partial<Pick<Tables["people"], "role" | "client" | "name" | "disabled_at">>;

async function change(
  db: Database,
  id: string,
  decide: (trx: Writer, before: Person) => Promise<Columns>,
): Promise<Change> {
  return await writing(db, async (trx) => {
    // Every change waits here for the others: of two admins that disable each other at once one finds that he is the last.
    await trx
      .updateTable("people")
      .set((eb) => ({ role: eb.ref("role") }))
      .where("role", "=", "admin")
      .execute();
    const found = await trx.selectFrom("people").selectAll().where("id", "=", id).executeTakeFirst();
    if (!found) throw noPerson(id);
    const before = personOf(found);
    const set = await decide(trx, before);
    const row = await trx
      .updateTable("people")
      .set({ ...set, updated_at: Date.now() })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    const after = personOf(row);
    return { before, after, endedLinks: mayInvite(after) ? [] : await endLinksOf(trx, id) };
  });
}

const mayInvite = ({ role, disabledAt }: Person): boolean => role === "admin" && disabledAt === null;

/** Of links that nobody followed yet. */
async function endLinksOf(trx: Writer, maker: string): Promise<readonly string[]> {
  const ended = await trx
    .deleteFrom("people_invitations")
    .where("made_by", "=", maker)
    .where("used_at", "is", null)
    .returning("email")
    .execute();
  return ended.map(({ email }) => email ?? "").toSorted();
}

async function requireAnotherAdmin(trx: Writer, person: Person, what: string): Promise<void> {
  if (person.role !== "admin" || person.disabledAt !== null) return;
  const other = await trx
    .selectFrom("people")
    .select("id")
    .where("role", "=", "admin")
    .where("disabled_at", "is", null)
    .where("id", "<>", person.id)
    .limit(1)
    .executeTakeFirst();
  if (other) return;
  throw new ProblemError(
    "last-admin",
    `${person.email} is the last admin who is enabled, and cannot be ${what}; make another person admin first`,
  );
}
