import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createLedger } from "../receiver/ledger/commit.ts";
import { removal, sign, version } from "../receiver/ledger/samples.ts";
import { openSqlite } from "../receiver/ledger/sqlite.ts";
import { catchUpSearch } from "../receiver/search/follow.ts";
import { findFiles } from "../receiver/search/search.ts";
import { openTrees } from "../receiver/tree/open.ts";
import { askAll } from "./search.ts";
import { BEGIN, BIG, FOLDER, generate, PASS } from "./search-data.ts";

// The ten million are measured: npm run bench search.
test("a generated ledger is as one that was filled by commits, and every question has an answer", {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tributary-search-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const size = { clients: 5, paths: 4000, passes: 4, deep: 50 };
  const entries = await generate(join(folder, "ledger.sqlite"), size, () => {});
  expect(entries).toBe(2000 * 4 + 2000 * 2 + 50);
  const database = await openSqlite(join(folder, "ledger.sqlite"));
  onTestFinished(() => database.close());
  await catchUpSearch(database.db);
  const took = await askAll(database, size, 2);
  expect(took.every(({ p50 }) => p50 > 0)).toBe(true);
  const trees = openTrees(database.db);
  const view = { client: BIG, bearer: { id: "all", seesAll: true } };
  const listed = async (at: number) =>
    (await trees.asAt(at).list(view, "pos", FOLDER, { limit: 1000 })).nodes;
  expect(await listed(BEGIN + PASS)).toHaveLength(100);
  expect(await listed(BEGIN + 3 * PASS)).toHaveLength(200);
  expect(await listed(BEGIN + 9 * PASS)).toHaveLength(180);
  expect((await trees.now.list(view, "pos", FOLDER, { limit: 1000 })).nodes).toHaveLength(180);
  expect((await findFiles(database.db, { text: "item csv", limit: 1000 })).files).toHaveLength(200);
  // The tree that was written past the follower is one that it can go on from.
  const more = { client: BIG, bearer: { id: "agent", seesAll: true } };
  await createLedger(database).commit(
    [version(`${FOLDER}/new.csv`, "x", more), removal(`${FOLDER}/no`, more)],
    sign,
  );
  expect((await trees.now.list(view, "pos", FOLDER, { limit: 1000 })).nodes).toHaveLength(181);
});
