import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { sql } from "kysely";
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { arrivalsContract } from "./arrivals.contract.ts";
import { backupContract } from "./backup.contract.ts";
import { crashContract } from "./crash.contract.ts";
import { checkLedger, writing } from "./database.ts";
import { digestsContract } from "./digests.contract.ts";
import { discardContract } from "./discard.contract.ts";
import { ledgerContract } from "./ledger.contract.ts";
import { modelContract } from "./model.contract.ts";
import { openingContract } from "./opening.contract.ts";
import { sqlitePlace } from "./place.contract.ts";
import { openPostgres } from "./postgres.ts";
import { quarantineContract } from "./quarantine.contract.ts";
import { type RebuildLine, rebuild } from "./rebuild.ts";
import { version } from "./samples.ts";

describeWithPostgres("postgres", (server) => {
  // A schema is a ledger of its own, and made far faster than a database.
  let database: Promise<string> | undefined;
  const place = async () => {
    database ??= freshDatabase(server);
    const url = await database;
    const schema = `s${randomUUID().replaceAll("-", "")}`;
    const client = new pg.Client(url);
    await client.connect();
    await client.query(`create schema ${schema}`);
    await client.end();
    const address = `${url}?options=-c%20search_path%3D${schema}`;
    const open = async () => {
      const database = await openPostgres(address);
      onTestFinished(() => database.close());
      return database;
    };
    return { address, open };
  };
  const newPlace = async () => (await place()).open;
  const newSqlite = async () => (await sqlitePlace()).open;

  ledgerContract(newPlace);
  quarantineContract(newPlace);
  discardContract(newPlace);
  digestsContract(newPlace);
  openingContract(newPlace, "many receivers");
  backupContract(newPlace);
  describe("from sqlite", () => backupContract(newSqlite, newPlace));
  describe("to sqlite", () => backupContract(newPlace, newSqlite));
  modelContract(newPlace, 6);
  arrivalsContract(newPlace, 6);
  crashContract(place);

  test("commits are synchronous and sessions bounded, whatever the URL says", async () => {
    const url = await freshDatabase(server);
    const database = await openPostgres(`${url}?options=-c%20synchronous_commit%3Doff%20-c%20work_mem%3D8MB`);
    onTestFinished(() => database.close());
    const show = async (name: string) =>
      (await sql<Record<string, string>>`show ${sql.raw(name)}`.execute(database.db)).rows[0]?.[name];
    expect(await show("synchronous_commit")).toBe("on");
    expect(await show("idle_in_transaction_session_timeout")).toBe("1min");
    expect(await show("work_mem")).toBe("8MB");
  });

  test("a rebuild out of a slow lake does not rest so long that the server ends it", async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    // The pool's one connection: the rebuild gets it back.
    await sql`set idle_in_transaction_session_timeout = '500ms'`.execute(database.db);
    async function* slowly(): AsyncGenerator<RebuildLine> {
      for (let seq = 1; seq <= 40; seq += 1) {
        // A day with many segments is listed before its first line comes.
        await sleep(seq === 20 ? 1500 : 5);
        const { modifiedAt, bearer, ...capture } = version(`f${seq}`, "x");
        yield {
          ...{ ...capture, modifiedAt, seq, path: `f${seq}`, agentId: bearer.id, receipt: "r" },
          ...{ receivedAt: new Date(seq).toISOString(), segmentId: randomUUID(), date: "2026-01-31" },
        };
      }
    }
    const told = await rebuild(database, slowly(), { merge: false, restMs: 100 });
    expect(told.added).toBe(40);
  });

  test("a receiver whose lock was lost with its connection takes it again", async () => {
    const { db, siteLock, close } = await openPostgres(await freshDatabase(server));
    onTestFinished(close);
    let told: Error | undefined;
    const serving = await siteLock.share((why) => {
      told = why;
    });
    onTestFinished(() => serving.release());
    const holders = async (): Promise<number[]> => {
      const query = sql<{ pid: number }>`
        select l.pid from pg_locks l join pg_database d on d.oid = l.database
        where d.datname = current_database() and l.locktype = 'advisory' and l.granted`;
      return (await query.execute(db)).rows.map((row) => row.pid);
    };
    const [before] = await holders();
    await sql`select pg_terminate_backend(${before})`.execute(db);
    await expect.poll(async () => (await holders()).filter((pid) => pid !== before).length).toBe(1);
    await expect(siteLock.alone()).rejects.toMatchObject({ code: "ledger-refused" });
    expect(told).toBeUndefined();
  });

  test("a connection that the server ends inside a transaction fails that one, and never the process", async () => {
    const url = await freshDatabase(server);
    const [one, two] = [await openPostgres(url), await openPostgres(url)];
    onTestFinished(() => Promise.all([one.close(), two.close()]).then(() => {}));
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): void => void uncaught.push(error);
    process.on("uncaughtException", onUncaught);
    onTestFinished(() => void process.off("uncaughtException", onUncaught));
    const work = writing(one.db, async (trx) => {
      await sql`select 1`.execute(trx);
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`.execute(two.db);
      await sleep(100);
      await sql`select 1`.execute(trx);
    });
    await expect(work).rejects.toMatchObject({ code: "ledger-unavailable" });
    expect(uncaught).toEqual([]);
    await expect.poll(() => checkLedger(one.db).then(() => "up", String)).toBe("up");
  });

  test("an idle connection that the server ends is replaced", async () => {
    const url = await freshDatabase(server);
    const [one, two] = [await openPostgres(url), await openPostgres(url)];
    onTestFinished(() => Promise.all([one.close(), two.close()]).then(() => {}));
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(two.db);
    await expect.poll(() => checkLedger(one.db).then(() => "up", String)).toBe("up");
  });
});

test.for(["hush", "hu@hush", "hu/hush", "hu?hush"])(
  "a server that is not there is named, without the password %s",
  async (password) => {
    const opening = openPostgres(`postgres://ledger:${password}@127.0.0.1:1/tributary`);
    await expect(opening).rejects.toMatchObject({
      code: "ledger-unavailable",
      message: expect.stringContaining("127.0.0.1:1/tributary"),
    });
    await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining("hush") });
  },
);
