/** Who comes in: asked by better-auth before a session is there, however it was come by. */
import { createHash } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";
import type { Refusal } from "./better-auth.ts";
import type { Told } from "./facts.ts";
import { consumeInvitation, isEmail } from "./invitations.ts";
import { currentMoment, type Moment } from "./moment.ts";
import { type OidcSettings, roleOf } from "./oidc.ts";
import { changeRole, type Person, personOf, type Role } from "./people.ts";
import { waysOf } from "./ways.ts";

export type How = Tables["people_sessions"]["how"];

export interface AdmissionSettings {
  readonly db: Database;
  readonly oidc: readonly OidcSettings[];
  readonly secondFactor: "optional" | "required";
  readonly told: Told;
  /** ms since 1970. */
  readonly now: () => number;
}

type Refused = { readonly refusal: Refusal };

/** A code is right in its step and the two beside it, 30 s each; for good measure. */
const CODE_LASTS_MS = 120_000;

/** Throws what the ledger throws. */
export async function admit(
  settings: AdmissionSettings,
  id: string,
  renewed: boolean,
): Promise<{ readonly how: How } | Refused> {
  const { db, now, secondFactor, told } = settings;
  const moment = currentMoment();
  const row = await db.selectFrom("people").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined || row.disabled_at !== null)
    return refuse("PERSON_DISABLED", "this person is disabled; ask an admin");
  // A right code is spent also where it was asked for to set it up.
  if (moment.route === "/two-factor/verify-totp" && !(await spend(db, id, moment.code ?? "", now())))
    return { refusal: { status: "UNAUTHORIZED", code: "INVALID_CODE", message: "Invalid code" } };
  const how = howOf(moment);
  if (renewed) return { how };
  if (moment.route === "/sign-in/email") {
    // better-auth takes this session back at once, and asks for the code.
    if (row.totp_enabled === 1) return { how };
    if (secondFactor === "required" && (await hasPasskey(db, id)))
      return refuse("PASSKEY_REQUIRED", "a password alone is not enough here; log in with your passkey");
  }
  if (how === "oidc") {
    const refused = await followClaim(settings, moment, row.id, row.role);
    if (refused) return refused;
  }
  // Whoever changed his password goes on.
  if (moment.route === "/change-password") return { how };
  await writing(db, (trx) =>
    trx.updateTable("people").set({ last_login_at: now() }).where("id", "=", id).execute(),
  );
  await told({ kind: "PersonLoggedIn", person: id, how, address: moment.address }, db);
  return { how };
}

/** What a person becomes whom a provider vouches for: what its claim says, or what an admin invited. */
export async function join(
  { db, now, oidc }: AdmissionSettings,
  email: string,
): Promise<Pick<Person, "role" | "client"> | Refused> {
  const { claims = {}, provider } = currentMoment();
  const roles = oidc.find(({ id }) => id === provider)?.roles;
  if (provider === undefined) return refuse("signup_disabled", "people come to be by links alone");
  if (!isEmail(email))
    return refuse("email_invalid", "the provider tells no email that is one; ask who keeps it");
  const claimed = roles && roleOf(roles, claims);
  const made = roles
    ? claimed && { role: claimed, client: null }
    : await consumeInvitation(db, email.toLowerCase(), now());
  if (made) return made;
  return roles
    ? noRole(roles.claim)
    : refuse("person_unknown", `nobody added ${email} here; ask an admin for an invitation`);
}

/** A person is there whom a provider vouched for. */
export async function joined({ db, told }: AdmissionSettings, id: string): Promise<void> {
  const moment = currentMoment();
  const { provider = "", address } = moment;
  moment.joined = true;
  const row = await db.selectFrom("people").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  await told({ kind: "PersonJoined", person: personOf(row), provider, address }, db);
}

/** From now on a person may come by this provider. */
export async function linked(
  { db, told }: AdmissionSettings,
  person: string,
  provider: string,
): Promise<void> {
  const moment = currentMoment();
  // That is what made the person, and told.
  if (moment.joined === true) return;
  const after = await waysOf(db, person);
  const before = { ...after, providers: after.providers.filter((one) => one !== provider) };
  const { address } = moment;
  await told({ kind: "OwnLoginChanged", person, changed: "provider", before, after, address }, db);
}

/** Whether a person has one; then a password alone does not do where a second factor is required. */
export async function hasPasskey(db: Database, person: string): Promise<boolean> {
  const row = await db
    .selectFrom("people_passkeys")
    .select("id")
    .where("person", "=", person)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function followClaim(
  { db, oidc, told }: AdmissionSettings,
  { address, claims = {}, provider = "" }: Moment,
  id: string,
  before: Role,
): Promise<Refused | undefined> {
  const roles = oidc.find((one) => one.id === provider)?.roles;
  if (roles === undefined) return undefined;
  const role = roleOf(roles, claims);
  if (role === undefined) return noRole(roles.claim);
  if (role === before) return undefined;
  try {
    // The role and its record stand or fall together.
    await writing(db, async (trx) => {
      const change = await changeRole(trx, id, { role });
      await told({ kind: "RoleFollowedClaim", provider, change, address }, trx);
    });
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError && error.code === "last-admin")
      return refuse("last_admin", error.message);
    throw error;
  }
}

/** False when it was spent already (RFC 6238, 5.2). In one statement, so that of two at once one gets it. */
async function spend(db: Database, person: string, code: string, now: number): Promise<boolean> {
  const code_hash = createHash("sha256").update(`${person} ${code}`).digest("hex");
  const until = now + CODE_LASTS_MS;
  const spent = await writing(db, (trx) =>
    trx
      .insertInto("people_codes_used")
      .values({ person, code_hash, until })
      .onConflict((oc) =>
        oc
          .columns(["person", "code_hash"])
          .doUpdateSet({ until })
          .where("people_codes_used.until", "<=", now),
      )
      .returning("until")
      .execute(),
  );
  return spent.length > 0;
}

function howOf({ route }: Moment): How {
  if (route.startsWith("/passkey/")) return "passkey";
  return route.startsWith("/callback/") ? "oidc" : "password";
}

const noRole = (claim: string): Refused =>
  refuse(
    "role_missing",
    `the provider's claim "${claim}" names no role of this site for you; ask who keeps it`,
  );

const refuse = (code: string, message: string): Refused => ({
  refusal: { status: "FORBIDDEN", code, message },
});
