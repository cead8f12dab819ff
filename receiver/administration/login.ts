/** What people change of their own login, and what a provider of logins changes: recorded when it has happened. */
import { audited, type Deed, type Who } from "../audit/audit.ts";
import type { Database } from "../ledger/schema.ts";
import type { PeopleFact } from "../people/facts.ts";

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
      const { email, provider, role } = fact;
      const subject = { kind: "person", id: email };
      const who = { kind: "person", id: email, name: email } as const;
      return { who, deed: { act: "person.join", subject, before: null, after: { role, provider } } };
    }
    case "RoleFollowedClaim": {
      const { before, after } = fact.change;
      const subject = { kind: "person", id: after.email };
      const who = { kind: "person", id: after.id, name: after.email } as const;
      return {
        who,
        deed: {
          ...{ act: "person.role", subject, before: { role: before.role } },
          after: { role: after.role, provider: fact.provider },
        },
      };
    }
    case "OwnLoginChanged": {
      const row = await db
        .selectFrom("people")
        .select("email")
        .where("id", "=", fact.person)
        .executeTakeFirst();
      const email = row?.email ?? fact.person;
      const who = { kind: "person", id: fact.person, name: email, address: fact.address } as const;
      const subject = { kind: "person", id: email };
      return { who, deed: { act: "person.login", subject, before: null, after: { changed: fact.route } } };
    }
  }
}
