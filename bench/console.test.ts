import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, expect, onTestFinished, test } from "vitest";
import { withArrivals } from "../receiver/ledger/arrivals.ts";
import { openPostgres } from "../receiver/ledger/postgres.ts";
import { openSqlite } from "../receiver/ledger/sqlite.ts";
import { measureConsole, tableOf } from "./console.ts";
import { type Fill, fillLedger } from "./console-data.ts";

const NOW = Date.UTC(2026, 5, 1, 12);

// The ten millions are measured: node bench/console-data.ts, node bench/console.ts.
async function fillAndMeasure(kind: Fill["kind"], address: string): Promise<void> {
  const count = await fillLedger({ kind, address, versions: 5000, now: NOW });
  expect(count).toBeGreaterThan(2500);
  const database = await (kind === "sqlite" ? openSqlite(address) : openPostgres(address));
  onTestFinished(() => database.close());
  const { db } = database;
  const counted = await withArrivals(db)
    .selectFrom("arrivals")
    .select((eb) => [eb.fn.sum<number>("files").as("files"), eb.fn.sum<number>("removals").as("removals")])
    .executeTakeFirstOrThrow();
  expect(Number(counted.files) + Number(counted.removals)).toBe(count);
  const measured = await measureConsole(database, 10, NOW, 3);
  const lines = tableOf(measured).trimEnd().split("\n");
  expect(lines).toHaveLength(measured.length + 2);
  expect(measured.find(({ name }) => name === "deliveries: all")?.lines).toBe(100);
}

describe("sqlite", () => {
  test("a small site is filled and measured", { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "tributary-console-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    await fillAndMeasure("sqlite", join(folder, "ledger.sqlite"));
  });
});

describeWithPostgres("postgres", (server) => {
  test("a small site is filled and measured", { timeout: 60_000 }, async () => {
    await fillAndMeasure("postgres", await freshDatabase(server));
  });
});
