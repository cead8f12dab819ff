/** What people change of their own login, and what a provider of logins changes: recorded before they are told that it is done. */
import { audited, type Deed, type Who } from "../audit/audit.ts";
import type { Database } from "../ledger/schema.ts";
import type { PeopleFact } from "../people/facts.ts";
import type { Person } from "../people/people.ts";

/** Logging in and failing to is for the log; what changes who may come in, or how, is an act. */
export async function recordLogin(db: Database, fact: PeopleFact): Promise<void> {
  const done = await deedOf(db, fact);
  if (done === undefined) return;
  await audited(db, done.who, async (_trx, record) => record(done.deed));
}

async function deedOf(db: Database, fact: PeopleFact): Promise<{ who: Who; deed: Deed } | undefined> {
  switch (fact.kind) {
    case "PersonLoggedIn":
    case "LoginRefused":
      return undefined;
    case "PersonJoined": {
      const { address, person, provider } = fact;
      const { name, role, client } = person;
      const after = { name, role, client, provider };
      return {
        who: whoOf(person, address),
        deed: { act: "person.join", subject: subjectOf(person), before: null, after },
      };
    }
    case "RoleFollowedClaim": {
      const { address, change, provider } = fact;
      const { before, after, endedLinks } = change;
      return {
        who: whoOf(after, address),
        deed: {
          ...{ act: "person.role", subject: subjectOf(after), before: { role: before.role } },
          after: { role: after.role, provider, ...(endedLinks.length === 0 ? {} : { endedLinks }) },
        },
      };
    }
    case "OwnLoginChanged": {
      const { address, person: id, changed, before, after } = fact;
      const { email } = await db
        .selectFrom("people")
        .select("email")
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      const subject = subjectOf({ email });
      return {
        who: whoOf({ id, email }, address),
        deed: { act: "person.login", subject, before: { ...before }, after: { changed, ...after } },
      };
    }
  }
}

const whoOf = ({ id, email }: Pick<Person, "id" | "email">, address: string): Who => ({
  ...{ kind: "person", id, name: email, address },
});

const subjectOf = ({ email }: Pick<Person, "email">) => ({ kind: "person", id: email });
