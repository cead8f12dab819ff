/** Acts that meet on PostgreSQL, where each transaction sees for itself: SQLite's one write lock lets none of this happen. */
import { parseCode } from "@tributary/shared/code.ts";
import { describeWithPostgres } from "@tributary/test/servers/servers.ts";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { listAudit, type Who } from "../audit/audit.ts";
import { listAgents } from "../identity/agents.ts";
import { listApiKeys, parseApiKey } from "../identity/apikeys.ts";
import { invite as inviteHost, redeem } from "../identity/invitations.ts";
import { RECEIVER, testHost } from "../identity/scene.ts";
import { type Writer, writing } from "../ledger/database.ts";
import { postgresPlaces } from "../ledger/place.contract.ts";
import type { Database } from "../ledger/schema.ts";
import { listPeople } from "../people/people.ts";
import { addClient, setClientQuotas } from "./clients.ts";
import { addKey, setKeyLimits } from "./keys.ts";
import { offboardClient } from "./offboard.ts";
import { invite, join } from "./people.ts";

const ANNA: Who = { kind: "person", id: "p1", name: "anna@example.com" };

describeWithPostgres("acts that meet", (server) => {
  const newPlace = postgresPlaces(server);
  const site = async () => {
    const { db } = await (await newPlace())();
    const by = { db, who: ANNA };
    await addClient(by, "acme");
    return { db, by };
  };

  test("an agent that enrols while its client is offboarded is shut out with the others", async () => {
    const { db, by } = await site();
    const { code } = await inviteHost(db, { clients: ["acme"], expiresMs: 60_000 }, RECEIVER);
    const enrolment = testHost().enrolment(parseCode(code).secret);
    const [, plan] = await meeting(
      db,
      (trx) => redeem(trx, enrolment),
      () => offboardClient(by, "acme"),
    );
    expect((await listAgents(db)).map(({ state }) => state)).toEqual(["revoked"]);
    expect(plan.revoked).toHaveLength(1);
  });

  test("a key and a person that come while their client is offboarded are shut out, too", async () => {
    const { db, by } = await site();
    const clerk = { email: "clerk@example.com", name: "Clerk", role: "uploader", client: "acme" } as const;
    const secret = await invite(by, clerk);
    const [, plan] = await meeting(
      db,
      async (trx) => {
        await addKey({ ...by, db: trx }, { client: "acme" });
        await join(trx, { secret, password: "rivers carry what they are given" }, {});
      },
      () => offboardClient(by, "acme"),
    );
    expect(plan).toMatchObject({ keys: 1, people: 1 });
    expect((await listApiKeys(db)).map(({ revokedAt }) => revokedAt)).toEqual([expect.any(String)]);
    expect((await listPeople(db)).map(({ disabledAt }) => disabledAt)).toEqual([expect.any(Number)]);
  });

  test("a key that is made while its client is offboarded is refused by what the other made of it", async () => {
    const { db, by } = await site();
    const both = meeting(
      db,
      (trx) => offboardClient({ ...by, db: trx }, "acme"),
      () => addKey(by, { client: "acme" }),
    );
    await expect(both).rejects.toMatchObject({ code: "request-invalid" });
    expect(await listApiKeys(db)).toEqual([]);
  });

  test("of two who change one thing at once the second says what the first made of it", async () => {
    const { db, by } = await site();
    await meeting(
      db,
      (trx) => setClientQuotas({ ...by, db: trx }, "acme", { day: 5 }),
      () => setClientQuotas(by, "acme", { day: 7 }),
    );
    const id = parseApiKey(await addKey(by, { client: "acme" }))?.id ?? "";
    await meeting(
      db,
      (trx) => setKeyLimits({ ...by, db: trx }, id, { day: 5 }),
      () => setKeyLimits(by, id, { day: 7 }),
    );
    const told = async (act: string) =>
      (await listAudit(db, { act, limit: 10 })).map(({ before, after }) => ({ before, after }));
    const day = (field: string, at: number | null) => ({ [field]: expect.objectContaining({ day: at }) });
    for (const [act, field] of [
      ["client.quota", "quotas"],
      ["key.limit", "limits"],
    ] as const)
      expect(await told(act)).toEqual([
        {
          before: expect.objectContaining(day(field, 5)),
          after: expect.objectContaining(day(field, 7)),
        },
        {
          before: expect.objectContaining(day(field, null)),
          after: expect.objectContaining(day(field, 5)),
        },
      ]);
  });
});

/** The first is done and not committed when the second begins; it is committed when the second waits for it. */
async function meeting<A, B>(
  db: Database,
  first: (trx: Writer) => Promise<A>,
  second: () => Promise<B>,
): Promise<[A, B]> {
  const done = Promise.withResolvers<void>();
  const commit = Promise.withResolvers<void>();
  const one = writing(db, async (trx) => {
    const result = await first(trx);
    done.resolve();
    await commit.promise;
    return result;
  });
  await Promise.race([done.promise, one]);
  const two = second();
  two.catch(() => {});
  const waiting = async () =>
    (
      await sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
    ).rows[0]?.n;
  await expect.poll(waiting).toBeGreaterThan(0);
  commit.resolve();
  return [await one, await two];
}
