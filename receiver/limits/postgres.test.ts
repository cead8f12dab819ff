import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LedgerDatabase } from "../ledger/database.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { countsContract } from "./counts.contract.ts";
import { postgresCounts } from "./postgres.ts";
import { RequestLimits } from "./requests.ts";
import { UploadLimits } from "./uploads.ts";

describeWithPostgres("counts in postgres", (server) => {
  let databases: LedgerDatabase[];
  beforeAll(async () => {
    const url = await freshDatabase(server);
    databases = [await openPostgres(url), await openPostgres(url)];
  });
  beforeEach(async () => {
    const { db } = databases[0] as LedgerDatabase;
    await sql`truncate request_takings, upload_slots`.execute(db);
  });
  afterAll(() => Promise.all(databases.map((database) => database.close())));
  const counts = (receiver: "one" | "two") =>
    postgresCounts(databases[receiver === "one" ? 0 : 1] as LedgerDatabase, receiver);

  describe("of one receiver", () => countsContract(async () => counts("one")));

  test.for([10, 500])("two receivers together let exactly %i requests pass in a window", async (count) => {
    const limits = [new RequestLimits(counts("one")), new RequestLimits(counts("two"))] as const;
    const subject = { kind: "client", name: "acme", most: { count, perMs: 60_000 } } as const;
    let passed = 0;
    const ask = async (limit: RequestLimits): Promise<void> => {
      const [one] = await limit.take([subject]);
      if (one?.standing.granted) passed += 1;
    };
    await Promise.all(Array.from({ length: count * 2 }, (_, i) => ask(limits[i % 2] as RequestLimits)));
    expect(passed).toBe(count);
    for (const limit of limits) expect((await limit.take([subject]))[0]?.standing.granted).toBe(false);
  });

  test("the slots of one receiver are not the other's, until they are given back or it is dead", async () => {
    const [one, two] = [counts("one"), counts("two")];
    expect(await one.hold("a", 3, 4)).toBe(3);
    expect(await two.hold("a", 3, 4)).toBe(1);
    expect(await one.hold("a", 4, 4)).toBe(3);
    expect(await one.hold("a", 2, 4)).toBe(2);
    expect(await two.hold("a", 3, 4)).toBe(2);
    await one.hold("a", 0, 4);
    expect(await two.hold("a", 9, 4)).toBe(4);
    expect(await one.hold("a", 1, 4)).toBe(0);
    // As a killed receiver leaves them when nobody says them again.
    await sql`update upload_slots set expires_at = 0 where receiver = 'two'`.execute(
      (databases[0] as LedgerDatabase).db,
    );
    expect(await one.hold("a", 9, 4)).toBe(4);
    const { rows } = await sql`select receiver from upload_slots`.execute(
      (databases[0] as LedgerDatabase).db,
    );
    expect(rows).toEqual([{ receiver: "one" }]);
  });

  test("a clock that is turned back leaves no dead receiver its slots, and refuses for a window at most", async () => {
    const [one, two] = [counts("one"), counts("two")];
    const { db } = databases[0] as LedgerDatabase;
    const hour = sql.lit(3_600_000);
    const minute = { count: 2, perMs: 60_000 };
    await two.hold("a", 4, 4);
    await two.take("a", minute, 2);
    // As if an hour had been taken from the clock.
    await sql`update upload_slots set expires_at = expires_at + ${hour}`.execute(db);
    await sql`update request_takings set takings = replace(takings, '"at":1', '"at":2')`.execute(db);
    expect(await one.hold("a", 4, 4)).toBe(4);
    expect(await one.take("a", minute, 2)).toMatchObject({ granted: 2 });
  });

  test("many uploads at two receivers: never more than the limit at once, and all get through in the end", async () => {
    const limits = [new UploadLimits(counts("one"), 10), new UploadLimits(counts("two"), 10)] as const;
    const subject = { kind: "key", name: "k", most: 4 } as const;
    let underWay = 0;
    let peak = 0;
    const bring = async (limit: UploadLimits): Promise<void> => {
      for (;;) {
        const taken = await limit.take([subject]);
        if ("release" in taken) {
          underWay += 1;
          peak = Math.max(peak, underWay);
          await new Promise((resolve) => setTimeout(resolve, 2));
          underWay -= 1;
          taken.release();
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await Promise.all(Array.from({ length: 100 }, (_, i) => bring(limits[i % 2] as UploadLimits)));
    expect(peak).toBe(4);
    await Promise.all(limits.map((limit) => limit.close()));
    expect((await sql`select 1 from upload_slots`.execute((databases[0] as LedgerDatabase).db)).rows).toEqual(
      [],
    );
  });
});
