/** What is done to persons: who may use the console. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Act, Subject, Who } from "../audit/audit.ts";
import { audited } from "../audit/audit.ts";
import type { Writer } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import {
  type Acceptance,
  type Invited,
  invitePerson,
  prepareAcceptance,
  resetLink,
  withdraw,
} from "../people/invitations.ts";
import {
  type Change,
  changeRole,
  disable,
  enable,
  type Person,
  rename,
  type Standing,
} from "../people/people.ts";
import { revokeSession, signOut } from "../people/sessions.ts";
import type { Administrator } from "./administrator.ts";

type Named = Pick<Person, "id" | "email">;

/** The link's secret. Throws `request-invalid`. */
export async function invite({ db, who }: Administrator, invited: Invited): Promise<string> {
  return await audited(db, who, async (trx, record) => {
    const secret = await invitePerson(trx, { ...invited, by: makerOf(who) });
    const { email, role, client = null } = invited;
    const subject = subjectOf({ email: email.trim().toLowerCase() });
    record({ act: "person.invite", subject, ...of(client), before: null, after: { role, client } });
    return secret;
  });
}

/** A link that nobody followed is good no longer. Throws `not-found`. */
export async function withdrawInvitation({ db, who }: Administrator, email: string): Promise<void> {
  await audited(db, who, async (trx, record) => {
    if (!(await withdraw(trx, email)))
      throw new ProblemError("not-found", `${email} has no open link: it was followed, or taken back`);
    const subject = subjectOf({ email: email.toLowerCase() });
    record({ act: "person.withdraw", subject, before: null, after: null });
  });
}

/** Who follows a link is the one who acts, to come to be or to have a new password. Throws `link-spent`, `request-invalid`. */
export async function join(
  db: Database,
  given: Acceptance,
  request: Pick<Who, "address" | "requestId">,
): Promise<Person> {
  // Who it is, is known only when it is done.
  const who = { kind: "person" as const, id: "", name: "", ...request };
  const follow = await prepareAcceptance(db, given);
  return await audited(db, who, async (trx, record) => {
    const followed = await follow(trx);
    const { person } = followed;
    Object.assign(who, { id: person.id, name: person.email });
    const common = { subject: subjectOf(person), ...of(person.client) };
    if (followed.kind === "reset") {
      const { before, after, ended } = followed;
      const made = { changed: "reset", ...after, ended };
      record({ act: "person.login", ...common, before: { ...before }, after: made });
    } else record({ act: "person.join", ...common, before: null, after: factsOf(person) });
    return person;
  });
}

/** Throws `not-found`, `last-admin`, `request-invalid`. */
export const setRole = (by: Administrator, id: string, to: Standing): Promise<Person> =>
  onPerson(by, "person.role", (trx) => changeRole(trx, id, to));

/** Sessions end at once. Throws `not-found`, `last-admin`. */
export const disablePerson = (by: Administrator, id: string): Promise<Person> =>
  onPerson(by, "person.disable", (trx) => disable(trx, id));

/** Throws `not-found`. */
export const enablePerson = (by: Administrator, id: string): Promise<Person> =>
  onPerson(by, "person.enable", (trx) => enable(trx, id));

/** Throws `not-found`, `request-invalid`. */
export const renamePerson = (by: Administrator, id: string, name: string): Promise<Person> =>
  onPerson(by, "person.rename", (trx) => rename(trx, id, name));

/** The secret of a link to a new password. `alsoSecondFactor`: authenticator app and passkeys go too. Throws `not-found`. */
export async function resetPerson(
  { db, who }: Administrator,
  person: Named,
  alsoSecondFactor: boolean,
): Promise<string> {
  return await audited(db, who, async (trx, record) => {
    const secret = await resetLink(trx, person.id, { alsoSecondFactor, by: makerOf(who) });
    const subject = subjectOf(person);
    record({ act: "person.reset", subject, before: null, after: { alsoSecondFactor } });
    return secret;
  });
}

/** Ends all sessions of a person; tells how many. */
export async function signOutPerson({ db, who }: Administrator, person: Named): Promise<number> {
  return await audited(db, who, async (trx, record) => {
    const { length: ended } = await signOut(trx, person.id);
    record({ act: "person.sign-out", subject: subjectOf(person), before: null, after: { ended } });
    return ended;
  });
}

/** Ends one session. Throws `not-found`. */
export async function endSession({ db, who }: Administrator, person: Named, session: string): Promise<void> {
  await audited(db, who, async (trx, record) => {
    const { address, device } = await revokeSession(trx, person.id, session);
    record({ act: "person.sign-out", subject: subjectOf(person), before: { address, device }, after: null });
  });
}

async function onPerson(
  { db, who }: Administrator,
  act: Act,
  work: (trx: Writer) => Promise<Change>,
): Promise<Person> {
  return await audited(db, who, async (trx, record) => {
    const { before, after, endedLinks } = await work(trx);
    const ended = endedLinks.length === 0 ? {} : { endedLinks };
    const common = { act, subject: subjectOf(after), ...of(after.client) };
    record({ ...common, before: factsOf(before), after: { ...factsOf(after), ...ended } });
    return after;
  });
}

/** Whose a link is, and ends with. */
const makerOf = ({ kind, id }: Who): string | undefined => (kind === "person" ? id : undefined);

/** By what people call each other; it never changes. */
const subjectOf = ({ email }: Pick<Person, "email">) => ({ kind: "person", id: email });

const of = (client: string | null): { readonly client?: string } => (client === null ? {} : { client });

function factsOf({ name, role, client, disabledAt }: Person): Subject {
  return { name, role, client, disabledAt: disabledAt === null ? null : new Date(disabledAt).toISOString() };
}
