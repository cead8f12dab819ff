/** `person`: who may use the console. A link stands on stdout alone; it is good once, and cannot be shown again. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { list, result, say } from "@tributary/shared/terminal.ts";
import { type Command, Option } from "commander";
import {
  disablePerson,
  enablePerson,
  invite,
  resetPerson,
  setRole,
  signOutPerson,
} from "../administration/people.ts";
import { consoleUrl, type ReceiverSettings, type SiteOptions } from "../config.ts";
import { LINK_MS, openLinks, type Welcome } from "../people/invitations.ts";
import {
  listPeople,
  type PersonView,
  personByEmail,
  ROLES,
  type Role,
  type Standing,
} from "../people/people.ts";
import { listSessions, type SessionView } from "../people/sessions.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";
import { onCommand } from "./who.ts";

interface StandingOptions extends SiteOptions {
  readonly client?: string;
}
interface InviteOptions extends StandingOptions {
  readonly email: string;
  readonly role: Role;
  readonly name?: string;
}
interface ListOptions extends SiteOptions {
  readonly json?: boolean;
}
interface ResetOptions extends SiteOptions {
  readonly secondFactor?: boolean;
}

const COLUMNS = ["email", "name", "role", "client", "state", "auth", "lastLogin", "createdAt"] as const;
const SESSION_COLUMNS = ["createdAt", "usedAt", "how", "address", "device"] as const;

export function addPersonCommands(program: Command, sites: Sites): void {
  const person = program.command("person").description("who may use the console");
  siteCommand(person, "invite", "prints a link by which a person comes to be; good once, for 72 hours")
    .requiredOption("--email <email>", "whom it is for, and logs in with it")
    .addOption(new Option("--role <role>", "what the person may do").choices(ROLES).makeOptionMandatory())
    .option("--client <name>", "of an uploader: whose files it brings")
    .option("--name <name>", "what the person is called; may be changed by whoever follows the link")
    .action((options: InviteOptions) =>
      withLedger(sites, options, async ({ database: { db }, settings }) => {
        const { email, name } = options;
        const at = requireConsole(settings);
        const standing = standingOf(options.role, options.client);
        result(linkOf(at, await invite(onCommand(db), { email, name, ...standing })));
        sayLink(`give it to ${email}`);
      }),
    );
  siteCommand(person, "list", "lists the people, disabled ones and those invited too")
    .option("--json", "one JSON object a line")
    .action((options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const people = await listPeople(db);
        const invited = (await openLinks(db)).filter(({ kind }) => kind === "invite");
        if (options.json) list([...people.map(viewOf), ...invited.map(viewOfInvited)], true, []);
        else list([...people.map(lineOf), ...invited.map(lineOfInvited)], false, COLUMNS);
      }),
    );
  siteCommand(person, "role <email> <role>", `gives a person another role: ${ROLES.join(", ")}`)
    .option("--client <name>", "of an uploader: whose files it brings")
    .action((email: string, role: string, options: StandingOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const before = await personByEmail(db, email);
        const after = await setRole(onCommand(db), before.id, standingOf(role, options.client));
        say(`${after.email} was ${before.role} and is ${after.role} now`);
      }),
    );
  siteCommand(person, "disable <email>", "lets a person in no more, and logs it out").action(
    (email: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const after = await disablePerson(onCommand(db), (await personByEmail(db, email)).id);
        say(`${after.email} is disabled, and logged out everywhere`);
      }),
  );
  siteCommand(person, "enable <email>", "lets a person in again").action(
    (email: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const after = await enablePerson(onCommand(db), (await personByEmail(db, email)).id);
        say(`${after.email} may log in again`);
      }),
  );
  siteCommand(person, "reset <email>", "prints a link to a new password; good once, for 72 hours")
    .option("--second-factor", "following it takes code generator and passkeys away, too")
    .action((email: string, options: ResetOptions) =>
      withLedger(sites, options, async ({ database: { db }, settings }) => {
        const at = requireConsole(settings);
        const person = await personByEmail(db, email);
        const alsoSecondFactor = options.secondFactor === true;
        result(linkOf(at, await resetPerson(onCommand(db), person, alsoSecondFactor)));
        sayLink(`give it to ${email}; the old password is good until it is followed`);
      }),
    );
  siteCommand(person, "sessions <email>", "lists where a person is logged in")
    .option("--json", "one JSON object a line")
    .action((email: string, options: ListOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const sessions = await listSessions(db, (await personByEmail(db, email)).id);
        list(sessions.map(viewOfSession), options.json === true, SESSION_COLUMNS);
      }),
    );
  siteCommand(person, "sign-out <email>", "logs a person out everywhere").action(
    (email: string, options: SiteOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const ended = await signOutPerson(onCommand(db), await personByEmail(db, email));
        say(`${ended === 1 ? "1 session" : `${ended} sessions`} of ${email} ended`);
      }),
  );
}

function standingOf(role: string, client: string | undefined): Standing {
  const known = ROLES.find((one) => one === role);
  if (known === undefined)
    throw new ProblemError("usage", `"${role}" is no role; expected one of ${ROLES.join(", ")}`);
  if (known !== "uploader") {
    if (client !== undefined) throw new ProblemError("usage", `--client goes with the role uploader alone`);
    return { role: known };
  }
  if (client === undefined)
    throw new ProblemError("usage", "an uploader belongs to a client: name it with --client NAME");
  return { role: known, client };
}

function requireConsole(settings: ReceiverSettings): string {
  const at = consoleUrl(settings);
  if (at !== undefined) return at;
  throw new ProblemError(
    "config-invalid",
    "there is no console that a link could lead to: set listen.console in receiver.yaml, such as 127.0.0.1:8444",
  );
}

/** What stands behind # is not sent by browsers, so it comes into no log. */
const linkOf = (at: string, secret: string): string => `${at}/welcome#${secret}`;

function sayLink(what: string): void {
  say(`${what}; it is good once, until ${time(Date.now() + LINK_MS)}, and cannot be shown again`);
}

const time = (ms: number): string => new Date(ms).toISOString();
const timeOr = (ms: number | null): string | null => (ms === null ? null : time(ms));

function viewOf({ createdAt, disabledAt, lastLoginAt, ...person }: PersonView) {
  return {
    ...person,
    state: disabledAt === null ? "enabled" : "disabled",
    createdAt: time(createdAt),
    disabledAt: timeOr(disabledAt),
    lastLoginAt: timeOr(lastLoginAt),
  };
}

function viewOfInvited({ email, name, role, client, expiresAt }: Welcome) {
  return { email, name: name ?? null, role, client, state: "invited", expiresAt: time(expiresAt) };
}

function lineOf({ email, name, role, client, password, totp, passkeys, providers, ...person }: PersonView) {
  const auth = [
    ...(password ? ["password"] : []),
    ...(totp ? ["code"] : []),
    ...(passkeys === 0 ? [] : [passkeys === 1 ? "1 passkey" : `${passkeys} passkeys`]),
    ...providers,
  ];
  return {
    ...{ email, name, role, client, auth: auth.join(", ") },
    state: person.disabledAt === null ? "enabled" : "disabled",
    lastLogin: timeOr(person.lastLoginAt),
    createdAt: timeOr(person.createdAt),
  };
}

function lineOfInvited({ email = "", name = "", role, client, expiresAt }: Welcome) {
  const state = `invited until ${time(expiresAt)}`;
  return { email, name, role, client, auth: "", state, lastLogin: null, createdAt: null };
}

function viewOfSession({ id, how, address, device, ...times }: SessionView) {
  return {
    ...{ id, how, address, device },
    ...{ createdAt: time(times.createdAt), usedAt: time(times.usedAt), expiresAt: time(times.expiresAt) },
  };
}
