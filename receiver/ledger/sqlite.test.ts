import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import SqliteFile from "better-sqlite3";
import { sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { arrivalsContract } from "./arrivals.contract.ts";
import { backupContract } from "./backup.contract.ts";
import { crashContract } from "./crash.contract.ts";
import { digestsContract } from "./digests.contract.ts";
import { discardContract } from "./discard.contract.ts";
import { ledgerContract } from "./ledger.contract.ts";
import { modelContract } from "./model.contract.ts";
import { openingContract } from "./opening.contract.ts";
import { sqlitePlace } from "./place.contract.ts";
import { quarantineContract } from "./quarantine.contract.ts";
import { quarantinedFile } from "./quarantine.ts";
import { openSqlite } from "./sqlite.ts";

const newPlace = async () => (await sqlitePlace()).open;

describe("sqlite", () => {
  ledgerContract(newPlace);
  quarantineContract(newPlace);
  discardContract(newPlace);
  digestsContract(newPlace);
  openingContract(newPlace, "one receiver");
  backupContract(newPlace);
  modelContract(newPlace, 60);
  arrivalsContract(newPlace, 25);
  crashContract(async () => {
    const { file, open } = await sqlitePlace();
    return { address: file, open };
  });

  test("the disk that it grows on is known", async () => {
    const { open } = await sqlitePlace();
    expect(await (await open()).free()).toBeGreaterThan(0);
  });

  test("a commit that returned is on the disk: WAL with synchronous=FULL, on every connection", async () => {
    const { open } = await sqlitePlace();
    for (const { db } of [await open(), await open()]) {
      expect((await sql`pragma journal_mode`.execute(db)).rows).toEqual([{ journal_mode: "wal" }]);
      expect((await sql`pragma synchronous`.execute(db)).rows).toEqual([{ synchronous: 2 }]);
      expect((await sql`pragma foreign_keys`.execute(db)).rows).toEqual([{ foreign_keys: 1 }]);
    }
  });

  test("what was held and released before files could be discarded is so still", async () => {
    const { file, open } = await sqlitePlace();
    const old = new SqliteFile(file);
    const folder = new URL("./migrations/sqlite/", import.meta.url);
    old.exec("create table migrations (number integer primary key, name text, applied_at integer)");
    for (const name of readdirSync(folder).sort().slice(0, 5)) {
      old.exec(readFileSync(new URL(name, folder), "utf8"));
      old.prepare("insert into migrations values (?, ?, 0)").run(Number(name.slice(0, 4)), name);
    }
    const insert = old.prepare(`insert into quarantined values
      (?, 'acme', 'pos', 'f', 'h', ?, 3, 's', null, null, 'push', 'a', 'quarantine/k', 'Eicar', 7, 9, ?, ?, ?, ?)`);
    insert.run("1", "c1", "held", null, null, null);
    insert.run("2", "c2", "released", 8, "Zoë", "a false alarm");
    old.close();
    const { db } = await open();
    expect(await quarantinedFile(db, "1")).toMatchObject({ state: "held", size: 3, discardedAt: null });
    expect(await quarantinedFile(db, "2")).toMatchObject({ state: "released", releasedBy: "Zoë" });
    const { later_state, arrived_seq } = await db
      .selectFrom("quarantined")
      .selectAll()
      .where("id", "=", "1")
      .executeTakeFirstOrThrow();
    expect([later_state, arrived_seq]).toEqual([null, 9]);
  });

  test("a file that cannot be opened is named", async () => {
    const { file } = await sqlitePlace();
    mkdirSync(file);
    await expect(openSqlite(file)).rejects.toMatchObject({
      code: "ledger-unavailable",
      message: expect.stringContaining(file),
    });
  });

  test("the site lock goes with a process that is killed", async () => {
    const { file, open } = await sqlitePlace();
    const { siteLock } = await open();
    const program = `
      const { openSqlite } = await import("${new URL("./sqlite.ts", import.meta.url).href}");
      await (await openSqlite(process.argv[1])).siteLock.share(() => {});
      process.stdout.write("held");
      setInterval(() => {}, 1000);`;
    const receiver = spawn(process.execPath, ["--input-type=module", "--eval", program, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void receiver.kill("SIGKILL"));
    await once(receiver.stdout, "data");
    await expect(siteLock.alone()).rejects.toMatchObject({ code: "ledger-refused" });
    receiver.kill("SIGKILL");
    await once(receiver, "exit");
    await (await siteLock.alone()).release();
  });
});
