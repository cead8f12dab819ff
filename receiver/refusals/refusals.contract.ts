/** What the memory of refusals must do on every ledger. */
import { sql } from "kysely";
import { expect, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { addRefusals, forgetRefusals, listRefusals, type Refusals, refusalCodes } from "./refusals.ts";
import { withRefusals } from "./schema.ts";
import { RefusalTally, type Refused } from "./tally.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const T = Date.parse("2026-11-20T05:12:00Z");

const refusals = (more: Partial<Refusals> = {}): Refusals => ({
  ...{ client: "acme", bearer: "k1", bearerKind: "key", code: "quota-day", count: 1, firstAt: T, lastAt: T },
  ...{ lastDetail: "acme has sent its bytes", lastPath: "/v1/files/pos/a", lastRequestId: "r-1" },
  ...more,
});

const refused = (more: Partial<Refused> = {}): Refused => ({
  ...{ client: "acme", bearer: "k1", bearerKind: "key", code: "quota-day" },
  ...{ detail: "no", path: "/v1/files/pos/a", requestId: "r" },
  ...more,
});

export function refusalsContract(newPlace: () => Promise<() => Promise<LedgerDatabase>>): void {
  const open = async (): Promise<LedgerDatabase> => await (await newPlace())();

  test("refusals of one bearer with one code add up, the last one is shown", async () => {
    const { db } = await open();
    await addRefusals(db, [refusals({ count: 100 }), refusals({ code: "digest-mismatch" })]);
    const later = { count: 20, firstAt: T + HOUR, lastAt: T + 2 * HOUR, lastRequestId: "r-2" };
    await addRefusals(db, [refusals(later)]);
    // Of a receiver that wrote later what happened before.
    await addRefusals(db, [refusals({ firstAt: T - HOUR, lastAt: T + HOUR, lastRequestId: "r-0" })]);
    const [first, ...more] = await listRefusals(db, { since: T });
    expect(first).toMatchObject({
      ...{ client: "acme", bearer: "k1", code: "quota-day", count: 121, lastRequestId: "r-2" },
      ...{ firstAt: "2026-11-20T04:12:00.000Z", lastAt: "2026-11-20T07:12:00.000Z", name: null },
    });
    expect(more).toHaveLength(1);
  });

  test("a day without any begins the count anew", async () => {
    const { db } = await open();
    await addRefusals(db, [refusals({ count: 100 })]);
    await addRefusals(db, [refusals({ count: 3, firstAt: T + 2 * DAY, lastAt: T + 2 * DAY })]);
    expect(await listRefusals(db, { since: 0 })).toMatchObject([
      { count: 3, firstAt: "2026-11-22T05:12:00.000Z" },
    ]);
  });

  test("asked by client and time, with the name of the key, the latest first, bounded", async () => {
    const { db } = await open();
    await addClient(db, "acme");
    await db
      .insertInto("api_keys")
      .values({
        ...{ id: "k1", client: "acme", name: "nightly", secret_hash: "x", source: null },
        ...{ scopes: "write", created_at: T, revoked_at: null },
      })
      .execute();
    await addRefusals(db, [
      refusals(),
      refusals({ client: "globex", bearer: "k2", lastAt: T + HOUR }),
      refusals({ client: "", bearer: "a1", bearerKind: "agent", code: "client-required", lastAt: T - HOUR }),
    ]);
    const who = async (asked: Parameters<typeof listRefusals>[1]) =>
      (await listRefusals(db, asked)).map((one) => `${one.client}/${one.name}`);
    expect(await who({ since: 0 })).toEqual(["globex/null", "acme/nightly", "/null"]);
    expect(await who({ since: T })).toEqual(["globex/null", "acme/nightly"]);
    expect(await who({ since: 0, client: "acme" })).toEqual(["acme/nightly"]);
    expect(await who({ since: 0, limit: 1 })).toEqual(["globex/null"]);
    // What is asked for is found also below what is shown at most.
    expect(await who({ since: 0, limit: 1, code: "client-required" })).toEqual(["/null"]);
    expect(await who({ since: 0, client: "acme", code: "client-required" })).toEqual([]);
    expect(await refusalCodes(db, { since: 0 })).toEqual(["client-required", "quota-day"]);
    expect(await refusalCodes(db, { since: T })).toEqual(["quota-day"]);
    expect(await refusalCodes(db, { since: 0, client: "acme" })).toEqual(["quota-day"]);
  });

  test("what is older than 30 days is forgotten", async () => {
    const { db } = await open();
    await addRefusals(db, [refusals(), refusals({ code: "quota-stored", lastAt: T + DAY })]);
    await forgetRefusals(db, T + 30 * DAY + 1);
    expect(await listRefusals(db, { since: 0 })).toMatchObject([{ code: "quota-stored" }]);
  });

  test("names that no text of a database may hold keep none from being remembered", async () => {
    const { db } = await open();
    const tally = new RefusalTally({ db, failed: (error) => expect.fail(String(error)) });
    tally.add(refused({ detail: `"a\0b" is no source${"\ud83d\ude00".slice(0, 1)}`, path: "/v1/files/a\0" }));
    await tally.flush();
    expect(await listRefusals(db, { since: 0 })).toMatchObject([
      { lastDetail: '"a\ufffdb" is no source\ufffd' },
    ]);
  });

  test("a thousand refusals are one row and one transaction; two receivers add to it at once", async () => {
    const place = await newPlace();
    const tallies = await Promise.all(
      [1, 2].map(
        async () => new RefusalTally({ db: (await place()).db, failed: (e) => expect.fail(String(e)) }),
      ),
    );
    for (let i = 0; i < 1000; i += 1)
      for (const tally of tallies) tally.add(refused({ bearer: `k${i % 200}`, detail: "x".repeat(5000) }));
    await Promise.all(tallies.map((tally) => tally.flush()));
    const { db } = await place();
    const rows = await listRefusals(db, { since: 0, limit: 1000 });
    expect(rows).toHaveLength(200);
    expect(rows.every(({ count, lastDetail }) => count === 10 && lastDetail.length === 500)).toBe(true);
  });

  test("what the ledger does not take is kept, with what comes meanwhile, and within bounds", async () => {
    const { db } = await open();
    await sql`alter table refusals rename to away`.execute(db);
    let failures = 0;
    const failed = (): void => {
      failures += 1;
    };
    const tally = new RefusalTally({ db, failed, everyMs: 60_000 });
    tally.add(refused());
    await tally.flush();
    tally.add(refused({ requestId: "newer" }));
    for (let i = 0; i < 20_000; i += 1) tally.add(refused({ bearer: `many-${i}` }));
    await tally.flush();
    expect(failures).toBe(2);
    await sql`alter table away rename to refusals`.execute(db);
    await tally.flush();
    const { count } = await withRefusals(db)
      .selectFrom("refusals")
      .select((eb) => eb.fn.countAll<number>().as("count"))
      .executeTakeFirstOrThrow();
    expect(Number(count)).toBe(10_000);
    const row = await withRefusals(db)
      .selectFrom("refusals")
      .selectAll()
      .where("bearer", "=", "k1")
      .executeTakeFirst();
    expect(row).toMatchObject({ count: 2, last_request_id: "newer" });
  });
}
