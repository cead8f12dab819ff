/** Persons: how one comes in, who there is, and one's own account. */
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  disablePerson,
  enablePerson,
  endSession,
  invite,
  join,
  renamePerson,
  resetPerson,
  setRole,
  signOutPerson,
  withdrawInvitation,
} from "../../administration/people.ts";
import { anybody, openLinks, welcome } from "../../people/invitations.ts";
import { listPeople, type Person, type PersonView, personById, type Standing } from "../../people/people.ts";
import { listSessions, type SessionView } from "../../people/sessions.ts";
import type { PersonRow, SessionRow } from "../answers.ts";
import type { Handlers } from "../console.ts";
import { type HandlerParts, onPage, sessionOf } from "./parts.ts";

type PeopleHandlers = Pick<
  Handlers,
  Extract<keyof Handlers, "sign-in" | `welcome.${string}` | `people.${string}` | `account.${string}`>
>;

export function peopleHandlers(parts: HandlerParts): PeopleHandlers {
  const { db } = parts.database;
  const { site } = parts.site;
  const linkOf = (secret: string): string => `${parts.origin}/welcome#${secret}`;
  return {
    "sign-in": async () => ({
      site,
      providers: parts.people.providers,
      passkeys: parts.people.passkeys.kind === "on",
      anybody: await anybody(db),
    }),
    "welcome.look": async ({ secret }) => {
      const { kind, email, name, role, client, expiresAt } = await welcome(db, secret);
      return {
        kind,
        role,
        client,
        site,
        email: email ?? null,
        name: name ?? null,
        expiresAt: time(expiresAt),
      };
    },
    "welcome.accept": async (given, { address, requestId }) => {
      const { email } = await join(db, given, { address, requestId });
      return { email };
    },

    "people.list": async () => {
      const [people, links] = await Promise.all([listPeople(db), openLinks(db)]);
      return {
        items: people.map(rowOf),
        links: links.map(({ kind, email, role, client, expiresAt }) => ({
          ...{ kind, role, client, email: email ?? null },
          expiresAt: time(expiresAt),
        })),
      };
    },
    "people.invite": async ({ email, name, role, client }, asked) => {
      const invited = { email, name, ...standingOf(role, client) };
      return { link: linkOf(await invite(onPage(parts, asked), invited)) };
    },
    "people.withdraw": async ({ email }, asked) => {
      await withdrawInvitation(onPage(parts, asked), email);
      return {};
    },
    "people.role": async ({ id, role, client }, asked) => {
      await setRole(onPage(parts, asked), id, standingOf(role, client));
      return {};
    },
    "people.disable": async ({ id }, asked) => {
      await disablePerson(onPage(parts, asked), id);
      return {};
    },
    "people.enable": async ({ id }, asked) => {
      await enablePerson(onPage(parts, asked), id);
      return {};
    },
    "people.reset": async ({ id, alsoSecondFactor }, asked) => ({
      link: linkOf(await resetPerson(onPage(parts, asked), await personById(db, id), alsoSecondFactor)),
    }),
    "people.sessions": async ({ id }) => ({
      items: (await listSessions(db, id)).map((one) => sessionRowOf(one, undefined)),
    }),
    "people.signout": async ({ id }, asked) => {
      await signOutPerson(onPage(parts, asked), await personById(db, id));
      return {};
    },

    "account.get": async (_input, asked) => {
      const { person, sessionId, how, mustSetUp } = sessionOf(asked);
      const [view, sessions] = await Promise.all([personById(db, person.id), listSessions(db, person.id)]);
      const { passkeys } = parts.people;
      return {
        ...rowOf(view),
        ...{ how, mustSetUp },
        passkeysOff: passkeys.kind === "on" ? null : passkeys.why,
        sessions: sessions.map((one) => sessionRowOf(one, sessionId)),
      };
    },
    "account.rename": async ({ name }, asked) => {
      await renamePerson(onPage(parts, asked), sessionOf(asked).person.id, name);
      return {};
    },
    "account.revoke": async ({ id }, asked) => {
      await endSession(onPage(parts, asked), sessionOf(asked).person, id);
      return {};
    },
  };
}

function standingOf(role: Person["role"], client: string | undefined): Standing {
  if (role !== "uploader") return { role };
  if (client === undefined)
    throw new ProblemError("request-invalid", "client: an uploader is of one client; name it");
  return { role, client };
}

const time = (ms: number): string => new Date(ms).toISOString();
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : time(ms));

function rowOf(person: PersonView): PersonRow {
  const { id, email, name, role, client, password, totp, passkeys, providers } = person;
  return {
    ...{ id, email, name, role, client, password, totp, passkeys, providers },
    createdAt: time(person.createdAt),
    disabledAt: timeOrNull(person.disabledAt),
    lastLoginAt: timeOrNull(person.lastLoginAt),
  };
}

function sessionRowOf(session: SessionView, current: string | undefined): SessionRow {
  const { id, how, address, device, createdAt, usedAt } = session;
  return {
    ...{ id, how, address, device, current: id === current },
    createdAt: time(createdAt),
    usedAt: time(usedAt),
  };
}
