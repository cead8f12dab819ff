/** However often somebody looked meanwhile: it is what one says who looks for the first time, and what the entries sum up to. */
import fc from "fast-check";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { HOUR, sourcesOf } from "../ledger/arrivals.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { rebuild } from "../ledger/rebuild.ts";
import { removal, sign, version } from "../ledger/samples.ts";
import { clientWeek } from "./client.ts";
import { createOverview, type Overview } from "./overview.ts";

const DAY = 24 * HOUR;
/** A Monday. */
const BEGIN = Date.UTC(2026, 5, 1);
const CLIENTS = ["acme", "globex"];

interface Step {
  readonly client: string;
  readonly source: string;
  readonly channel: string;
  readonly removal: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  client: fc.constantFrom(...CLIENTS),
  source: fc.constantFrom("pos", "erp"),
  channel: fc.constantFrom("push", "sftp"),
  removal: fc.boolean(),
});
/** Commits, each so long after the one before; and whether somebody looks after it. */
const runs = fc.array(
  fc.tuple(
    fc.array(step, { minLength: 1, maxLength: 3 }),
    fc.constantFrom(1, HOUR, 5 * HOUR, DAY, 9 * DAY, 80 * DAY),
    fc.boolean(),
  ),
  { minLength: 1, maxLength: 12 },
);

/** Commits at `now`, whatever the clock says. */
async function commitAt(database: LedgerDatabase, now: number, steps: readonly Step[]): Promise<void> {
  const { commit } = createLedger({ ...database, clock: sql<number>`${sql.lit(now)}` });
  let n = 0;
  const captures = steps.map(({ removal: gone, ...more }) => {
    n += 1;
    return gone ? removal("f", { ...more, hearsOfNothing: false }) : version("f", `${now} ${n}`, more);
  });
  await commit(captures, sign);
}

async function everything(overview: Overview, now: number): Promise<object> {
  return {
    arrived: await overview.arrived(now),
    byHour: await overview.byHour(now),
    activity: await overview.activity([...CLIENTS, "nobody"], now),
    punctuality: await overview.punctuality({ limit: 10 }, now),
    sources: await overview.punctuality({ client: "acme", limit: 10 }, now),
    feeds: await overview.feeds("acme", now),
    late: await overview.lateFeeds(now),
  };
}

export function overviewContract(newLedger: () => Promise<LedgerDatabase>, numRuns: number): void {
  const filled = async (): Promise<LedgerDatabase> => {
    const database = await newLedger();
    for (const client of CLIENTS) await addClient(database.db, client);
    return database;
  };

  describe("overview", () => {
    test("who looks again sees what one sees who looks first, and the sums of entries", {
      timeout: 120_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(runs, async (commits) => {
          const database = await filled();
          const lasting = createOverview(database.db);
          let now = BEGIN;
          for (const [steps, later, looks] of commits) {
            now += later;
            await commitAt(database, now, steps);
            if (looks) await lasting.catchUp(now);
          }
          const at = now + 2 * HOUR;
          const seen = await everything(lasting, at);
          expect(seen).toEqual(await everything(createOverview(database.db), at));
          const entries = await database.db.selectFrom("entries").selectAll().execute();
          const today = at - (at % DAY);
          const versions = entries.filter((entry) => entry.kind === "version");
          const [arrived, hours] = [await lasting.arrived(at), await lasting.byHour(at)];
          expect(arrived.days.map(({ day, files }) => [day, files])).toEqual(
            Array.from({ length: 7 }, (_, i) => {
              const day = today - (6 - i) * DAY;
              return [day, versions.filter(({ received_at: t }) => t >= day && t < day + DAY).length];
            }),
          );
          for (const { hour, channels } of hours)
            for (const channel of ["push", "sftp"])
              expect(channels[channel]?.files ?? 0).toBe(
                versions.filter(
                  (e) => e.channel === channel && e.received_at - (e.received_at % HOUR) === hour,
                ).length,
              );
          for (const client of CLIENTS) {
            const own = versions.filter((entry) => entry.client === client);
            const week = await clientWeek(database.db, client, at);
            expect(week.map(({ hour }) => hour)).toEqual(hours.map(({ hour }) => hour));
            for (const { hour, channels } of week)
              for (const channel of ["push", "sftp"]) {
                const then = own.filter(
                  (e) => e.channel === channel && e.received_at - (e.received_at % HOUR) === hour,
                );
                expect(channels[channel] ?? { files: 0, bytes: 0 }).toEqual({
                  files: then.length,
                  bytes: then.reduce((sum, { size }) => sum + (size ?? 0), 0),
                });
              }
            for (const { source, days } of await lasting.feeds(client, at))
              expect(days).toEqual(
                Array.from({ length: 30 }, (_, i) => {
                  const day = today - (29 - i) * DAY;
                  return own.filter(
                    (e) => e.source === source && e.received_at >= day && e.received_at < day + DAY,
                  ).length;
                }),
              );
          }
          for (const [i, { lastAt }] of (await lasting.activity(CLIENTS, at)).entries())
            expect(lastAt).toBe(versions.findLast(({ client }) => client === CLIENTS[i])?.received_at);
          await database.close();
        }),
        { numRuns },
      );
    });

    const pos = { client: "acme", source: "pos", channel: "push", removal: false };
    const other = { ...pos, client: "globex" };

    test("worst first; who is late; one client's own page", async () => {
      const database = await filled();
      for (let day = 0; day < 40; day += 1) {
        const at = BEGIN + day * DAY + 5 * HOUR;
        await commitAt(database, at, day < 38 ? [pos, other] : [other]);
      }
      // Wednesday the 40th day, at noon: acme's came until Monday's day before.
      const now = BEGIN + 39 * DAY + 12 * HOUR;
      const overview = createOverview(database.db);
      const { days, rows, next } = await overview.punctuality({ limit: 1 }, now);
      expect([days.length, days.at(-1), next]).toEqual([30, BEGIN + 39 * DAY, "acme"]);
      expect(rows).toEqual([
        {
          ...{ client: "acme", source: undefined },
          cells: [...Array(28).fill("as-usual"), "nothing-though-usual", "nothing-though-usual"],
        },
      ]);
      const rest = await overview.punctuality({ limit: 5, after: "acme" }, now);
      expect(rest.rows.map(({ client, cells }) => [client, new Set(cells)])).toEqual([
        ["globex", new Set(["as-usual"])],
      ]);
      expect(rest.next).toBeUndefined();
      expect((await overview.punctuality({ client: "acme", limit: 5 }, now)).rows[0]?.source).toBe("pos");
      expect(await overview.lateFeeds(now)).toEqual([
        {
          ...{ client: "acme", source: "pos", usualBy: BEGIN + 38 * DAY + 6 * HOUR },
          lastAt: BEGIN + 37 * DAY + 5 * HOUR,
        },
      ]);
      expect(await overview.feeds("acme", now)).toEqual([
        {
          ...{ source: "pos", usualBy: BEGIN + 39 * DAY + 6 * HOUR },
          lastAt: BEGIN + 37 * DAY + 5 * HOUR,
          days: [...Array(28).fill(1), 0, 0],
        },
      ]);
      expect((await overview.byHour(now)).find(({ channels }) => channels.push !== undefined)).toEqual({
        hour: BEGIN + 33 * DAY + 5 * HOUR,
        channels: { push: { files: 2, bytes: expect.any(Number) } },
        usual: { low: 2, median: 2, high: 2 },
      });
      expect(await sourcesOf(database.db, "acme")).toEqual(["pos"]);
      const week = await clientWeek(database.db, "acme", now);
      expect([week.length, week.at(-1)?.hour]).toEqual([168, BEGIN + 39 * DAY + 12 * HOUR]);
      expect(week.filter(({ channels }) => channels.push !== undefined).map(({ hour }) => hour)).toEqual(
        [33, 34, 35, 36, 37].map((day) => BEGIN + day * DAY + 5 * HOUR),
      );
      // It comes at last.
      await commitAt(database, now, [pos]);
      expect(await overview.lateFeeds(now + 1)).toEqual([]);
      expect((await overview.punctuality({ limit: 1 }, now + 1)).rows[0]?.cells.slice(-2)).toEqual([
        "nothing-though-usual",
        "later-than-usual",
      ]);
    });

    test("what is usual in a day's last hour is awaited until after midnight, and missed from then on", async () => {
      const database = await filled();
      for (let day = 0; day < 35; day += 1)
        await commitAt(database, BEGIN + day * DAY + 23 * HOUR, day < 34 ? [pos] : [other]);
      const overview = createOverview(database.db);
      const midnight = BEGIN + 35 * DAY;
      // With this nothing of the day before can come any more; but it is not late before one.
      await commitAt(database, midnight + HOUR / 6, [other]);
      const lastOf = async (now: number) =>
        (await overview.punctuality({ client: "acme", limit: 1 }, now)).rows[0]?.cells.at(-2);
      expect(await lastOf(midnight + HOUR / 2)).toBe("awaited");
      expect(await lastOf(midnight + 2 * HOUR)).toBe("nothing-though-usual");
      expect(await overview.count(midnight, new Set())).toBe(2);
      expect(await overview.count(midnight, new Set(["globex", "nobody"]))).toBe(1);
    });

    test("a ledger that was rebuilt is read anew", async () => {
      const database = await filled();
      await commitAt(database, BEGIN, [pos]);
      const overview = createOverview(database.db);
      expect((await overview.arrived(BEGIN)).files).toBe(1);
      await database.db.deleteFrom("entries").execute();
      await rebuild(database, (async function* () {})(), { merge: false });
      expect((await overview.arrived(BEGIN)).files).toBe(0);
    });

    test("a day that goes by without anything is no other day", async () => {
      const database = await filled();
      await commitAt(database, BEGIN, [pos]);
      const overview = createOverview(database.db);
      await overview.catchUp(BEGIN);
      expect((await overview.arrived(BEGIN + 64 * DAY)).files).toBe(0);
      expect((await overview.activity(["acme"], BEGIN + 64 * DAY))[0]).toMatchObject({
        ...{ today: { files: 0, bytes: 0 }, lastAt: BEGIN },
      });
    });
  });
}
