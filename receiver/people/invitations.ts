/**
 * One-time links: the only way by which a person comes to be, and by which a forgotten password is replaced. The secret
 * stands behind the # of the link, which no server and no log sees; kept is its SHA-256. Good once, for 72 hours.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { z } from "zod";
import { hashPassword, LONGEST_PASSWORD } from "../identity/passwords.ts";
import { hashSecret, newSecret } from "../identity/secret.ts";
import { holdClient, lockClient } from "../ledger/clients.ts";
import { type Writer, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import { type Person, personOf, type Role, requireName, type Standing } from "./people.ts";
import { signOut } from "./sessions.ts";
import { type Ways, waysOf } from "./ways.ts";

/** How long a link is good. */
export const LINK_MS = 72 * 3_600_000;
export const SHORTEST_PASSWORD = 12;
const PREFIX = "trbp_";

/** What a link is for; `email` is undefined where whoever follows it chooses. */
export interface Welcome {
  readonly kind: Tables["people_invitations"]["kind"];
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly role: Role;
  readonly client: string | null;
  /** ms since 1970. */
  readonly expiresAt: number;
  /** A reset that takes TOTP and passkeys away too. */
  readonly secondFactor: boolean;
}

export type Invited = Standing & { readonly email: string; readonly name?: string | undefined };

/** Who makes a link: a person's id, whose links end when he may make none any more; undefined: somebody on the host. */
export interface Maker {
  readonly by?: string | undefined;
}

/** Gives the link's secret. Earlier links to the same person end. Throws `request-invalid`, `forbidden`. */
export async function invitePerson(
  db: Database,
  invited: Invited & Maker,
  now = Date.now(),
): Promise<string> {
  const email = requireEmail(invited.email);
  return await writing(db, async (trx) => {
    await requireMaker(trx, invited);
    if (invited.role === "uploader") await holdClient(trx, invited.client, "request-invalid");
    const there = await trx.selectFrom("people").select("id").where("email", "=", email).executeTakeFirst();
    if (there)
      throw new ProblemError(
        "request-invalid",
        `there is a person ${email} already; a new password: tributary-receiver person reset ${email}`,
      );
    await trx
      .deleteFrom("people_invitations")
      .where("email", "=", email)
      .where("used_at", "is", null)
      .execute();
    return await insertLink(trx, now, {
      ...{ kind: "invite", email, role: invited.role, second_factor: 0, person: null },
      made_by: invited.by ?? null,
      client: invited.role === "uploader" ? invited.client : null,
      name: invited.name === undefined ? null : requireName(invited.name),
    });
  });
}

/** A link to a new password for one who is there; earlier ones end. Throws `not-found`, `forbidden`. */
export async function resetLink(
  db: Database,
  id: string,
  { alsoSecondFactor = false, by }: Maker & { readonly alsoSecondFactor?: boolean } = {},
  now = Date.now(),
): Promise<string> {
  return await writing(db, async (trx) => {
    await requireMaker(trx, { by });
    const row = await trx.selectFrom("people").selectAll().where("id", "=", id).executeTakeFirst();
    if (!row)
      throw new ProblemError("not-found", `there is no person ${id}; see: tributary-receiver person list`);
    await trx
      .deleteFrom("people_invitations")
      .where("person", "=", id)
      .where("used_at", "is", null)
      .execute();
    const { email, name, role, client } = row;
    const second_factor = alsoSecondFactor ? 1 : 0;
    return await insertLink(trx, now, {
      ...{ kind: "reset", email, name, role, client, person: id, second_factor, made_by: by ?? null },
    });
  });
}

/** Receivers of one site that start within so long of each other start together. */
const TOGETHER_MS = 60_000;

/**
 * The link of who begins a site; earlier ones end, but for those of receivers that start at the same time: each prints its
 * own, in whatever order, and whichever is read has to be good. The first that is followed ends the others. Undefined
 * where there ever was a person.
 */
export async function firstAdminLink(db: Database, now = Date.now()): Promise<string | undefined> {
  return await writing(db, async (trx) => {
    if (await anybody(trx)) return undefined;
    await trx
      .deleteFrom("people_invitations")
      .where("kind", "=", "first")
      .where("used_at", "is", null)
      .where("created_at", "<=", now - TOGETHER_MS)
      .execute();
    return await insertLink(trx, now, {
      ...{ kind: "first", email: null, name: null, role: "admin", client: null, person: null },
      ...{ second_factor: 0, made_by: null },
    });
  });
}

/** Links that are still good, the newest first, without their secrets. */
export async function openLinks(db: Database, now = Date.now()): Promise<readonly Welcome[]> {
  const begun = await anybody(db);
  const rows = await db
    .selectFrom("people_invitations")
    .selectAll()
    .where("used_at", "is", null)
    .where("expires_at", ">", now)
    .orderBy("created_at", "desc")
    .execute();
  return rows.filter(({ kind }) => kind !== "first" || !begun).map(welcomeOf);
}

/** Takes back what was invited and not accepted; false where there was nothing. */
export async function withdraw(db: Database, email: string): Promise<boolean> {
  const { numDeletedRows } = await writing(db, (trx) =>
    trx
      .deleteFrom("people_invitations")
      .where("email", "=", email.toLowerCase())
      .where("used_at", "is", null)
      .executeTakeFirst(),
  );
  return numDeletedRows > 0n;
}

/** What a link is for. Throws `link-spent`. */
export async function welcome(db: Database, secret: string, now = Date.now()): Promise<Welcome> {
  const link = await db
    .selectFrom("people_invitations")
    .selectAll()
    .where("secret_hash", "=", hashSecret(secret))
    .executeTakeFirst();
  if (!link || link.used_at !== null || link.expires_at <= now) throw spent(link);
  // Who has a link to begin with and finds somebody there has come too late.
  if (link.kind === "first" && (await anybody(db))) throw spent(link);
  return welcomeOf(link);
}

export interface Acceptance {
  readonly secret: string;
  /** Taken only where the link leaves it open. */
  readonly email?: string | undefined;
  /** Undefined: as the link has it. */
  readonly name?: string | undefined;
  readonly password: string;
}

/**
 * Follows a link: a person with a password, or a new password. Of two at once one wins. What was logged in with the old
 * password ends. Throws `link-spent`, `request-invalid` (the link is still good then).
 */
export async function accept(db: Database, given: Acceptance, now = Date.now()): Promise<Person> {
  const follow = await prepareAcceptance(db, given, now);
  return (await follow(db)).person;
}

/** What a link was good for. */
export type Followed =
  | { readonly kind: "joined"; readonly person: Person }
  /** `ended`: how many sessions. */
  | {
      readonly kind: "reset";
      readonly person: Person;
      readonly before: Ways;
      readonly after: Ways;
      readonly ended: number;
    };

/** The first half of `accept`, for a caller with a transaction of his own: a password takes too long to hash inside of one. */
export async function prepareAcceptance(
  db: Database,
  given: Acceptance,
  now = Date.now(),
): Promise<(db: Database) => Promise<Followed>> {
  const { client } = await welcome(db, given.secret, now);
  requirePassword(given.password);
  const password_hash = await hashPassword(given.password);
  return async (inside) =>
    await writing(inside, async (trx) => {
      // An offboarding of the client that goes on has ended then, and taken this link away; or waits, and ends this person.
      if (client !== null) await lockClient(trx, client);
      const link = await consume(trx, hashSecret(given.secret), now);
      if (link.kind === "reset") return await reset(trx, link, password_hash, now);
      if (link.kind === "first" && (await anybody(trx))) throw spent(link);
      const email = requireEmail(link.email ?? given.email ?? "");
      const name = requireName(given.name ?? link.name ?? "");
      const person = await addPerson(trx, { email, name, role: link.role, client: link.client, now });
      await trx
        .insertInto("people_accounts")
        .values(credential(person.id, password_hash, now))
        .execute();
      return { kind: "joined", person };
    });
}

/** For one whom a provider vouches for: the invitation to this email, consumed; undefined where there is none. */
export async function consumeInvitation(
  db: Database,
  email: string,
  now = Date.now(),
): Promise<Pick<Person, "role" | "client"> | undefined> {
  return await writing(db, async (trx) => {
    const [link] = await trx
      .updateTable("people_invitations")
      .set({ used_at: now })
      .where("kind", "=", "invite")
      .where("email", "=", email.toLowerCase())
      .where("used_at", "is", null)
      .where("expires_at", ">", now)
      .returning(["role", "client"])
      .execute();
    return link;
  });
}

/** Throws `request-invalid`. */
function requirePassword(password: string): void {
  const refuse = (why: string): never => {
    throw new ProblemError("request-invalid", why);
  };
  if (Array.from(password).length < SHORTEST_PASSWORD)
    refuse(`a password has at least ${SHORTEST_PASSWORD} characters; a sentence is good`);
  if (Buffer.byteLength(password) > LONGEST_PASSWORD)
    refuse(`a password has at most ${LONGEST_PASSWORD} bytes`);
}

export const LONGEST_EMAIL = 254;
const emailShape = z.email().max(LONGEST_EMAIL);

/** Whether it has the form of one. */
export const isEmail = (text: string): boolean => emailShape.safeParse(text).success;

function requireEmail(text: string): string {
  const email = text.trim().toLowerCase();
  if (isEmail(email)) return email;
  throw new ProblemError("request-invalid", `"${text}" is no email address, such as ada@example.com`);
}

interface NewPerson extends Pick<Person, "email" | "name" | "role" | "client"> {
  readonly now: number;
}

async function addPerson(trx: Writer, { now, ...person }: NewPerson): Promise<Person> {
  const row = await trx
    .insertInto("people")
    .values({
      ...{ id: uuidv7(), ...person, email_verified: 1, totp_enabled: 0 },
      ...{ created_at: now, updated_at: now, disabled_at: null, last_login_at: null },
    })
    .onConflict((oc) => oc.column("email").doNothing())
    .returningAll()
    .executeTakeFirst();
  if (row) return personOf(row);
  throw new ProblemError("request-invalid", `there is a person ${person.email} already`);
}

function credential(person: string, password_hash: string, now: number): Tables["people_accounts"] {
  const times = { created_at: now, updated_at: now };
  return {
    id: uuidv7(),
    person,
    provider: "credential",
    subject: person,
    password_hash,
    scope: null,
    ...times,
  };
}

async function reset(
  trx: Writer,
  { person, second_factor }: Tables["people_invitations"],
  password_hash: string,
  now: number,
): Promise<Followed> {
  const id = person as string;
  const before = await waysOf(trx, id);
  await trx
    .insertInto("people_accounts")
    .values(credential(id, password_hash, now))
    .onConflict((oc) => oc.columns(["provider", "subject"]).doUpdateSet({ password_hash, updated_at: now }))
    .execute();
  const { length: ended } = await signOut(trx, id);
  if (second_factor === 1) {
    await trx.deleteFrom("people_totp").where("person", "=", id).execute();
    await trx.deleteFrom("people_passkeys").where("person", "=", id).execute();
    await trx.updateTable("people").set({ totp_enabled: 0, updated_at: now }).where("id", "=", id).execute();
  }
  const row = await trx.selectFrom("people").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  return { kind: "reset", person: personOf(row), before, after: await waysOf(trx, id), ended };
}

/** Locks the maker's row: who loses the role meanwhile waits, and then ends this link, too. Throws `forbidden`. */
async function requireMaker(trx: Writer, { by }: Maker): Promise<void> {
  if (by === undefined) return;
  const [maker] = await trx
    .updateTable("people")
    .set((eb) => ({ role: eb.ref("role") }))
    .where("id", "=", by)
    .returning(["role", "disabled_at"])
    .execute();
  if (maker === undefined || (maker.role === "admin" && maker.disabled_at === null)) return;
  throw new ProblemError("forbidden", "this takes the role admin, and you have it no longer");
}

type Link = Omit<Tables["people_invitations"], "secret_hash" | "created_at" | "expires_at" | "used_at">;

async function insertLink(trx: Writer, now: number, link: Link): Promise<string> {
  const secret = `${PREFIX}${newSecret()}`;
  const times = { created_at: now, expires_at: now + LINK_MS, used_at: null };
  await trx
    .insertInto("people_invitations")
    .values({ secret_hash: hashSecret(secret), ...link, ...times })
    .execute();
  return secret;
}

/** In one statement, so that of two at once one gets it. Throws `link-spent`. */
async function consume(trx: Writer, hash: string, now: number): Promise<Tables["people_invitations"]> {
  // Whoever begins a site waits here for who does so at once by the link of another receiver.
  await trx
    .updateTable("people_invitations")
    .set((eb) => ({ created_at: eb.ref("created_at") }))
    .where("kind", "=", "first")
    .where("used_at", "is", null)
    .execute();
  const link = await trx
    .updateTable("people_invitations")
    .set({ used_at: now })
    .where("secret_hash", "=", hash)
    .where("used_at", "is", null)
    .where("expires_at", ">", now)
    .returningAll()
    .executeTakeFirst();
  if (link) return link;
  throw spent(
    await trx.selectFrom("people_invitations").selectAll().where("secret_hash", "=", hash).executeTakeFirst(),
  );
}

export async function anybody(trx: Database): Promise<boolean> {
  return (await trx.selectFrom("people").select("id").limit(1).executeTakeFirst()) !== undefined;
}

function welcomeOf(link: Tables["people_invitations"]): Welcome {
  return {
    kind: link.kind,
    email: link.email ?? undefined,
    name: link.name ?? undefined,
    role: link.role,
    client: link.client,
    expiresAt: link.expires_at,
    secondFactor: link.second_factor === 1,
  };
}

function spent(link: Tables["people_invitations"] | undefined): ProblemError {
  const why =
    link === undefined
      ? "this receiver did not make this link, or made another one since"
      : link.used_at !== null
        ? "this link was used already"
        : `this link was good until ${new Date(link.expires_at).toISOString()}`;
  return new ProblemError("link-spent", `${why}; ask an admin for a new one`);
}
