import { expect, onTestFinished, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import { createHistory } from "../ledger/history.ts";
import type { Scope } from "../ledger/ledger.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { sign, version } from "../ledger/samples.ts";
import { Tail } from "./tail.ts";

async function setUp() {
  const database = await (await sqlitePlace()).open();
  for (const client of ["acme", "other"]) await addClient(database.db, client);
  const history = createHistory(database.db);
  const asked: Scope[] = [];
  const tail = new Tail({
    ...history,
    since: async (after, limit, scope) => {
      if (scope !== undefined) asked.push(scope);
      return await history.since(after, limit, scope);
    },
  });
  const stop = new AbortController();
  const followers: Promise<void>[] = [];
  onTestFinished(async () => {
    stop.abort();
    await Promise.all(followers);
  });
  /** What it was told, page after page. */
  const follow = (scope: Scope): string[] => {
    const told: string[] = [];
    const read = async (): Promise<void> => {
      let seq = 0;
      while (!stop.signal.aborted)
        for (const line of await tail.next(seq, 100, scope, stop.signal)) {
          told.push(line.path);
          seq = line.seq;
        }
    };
    followers.push(read());
    return told;
  };
  const put = async (client: string, source: string, ...paths: string[]): Promise<void> => {
    const captures = paths.map((path) => version(path, path, { client, source }));
    await createLedger(database).commit(captures, sign);
    tail.poke();
  };
  return { asked, follow, put };
}

const settled = () => new Promise((go) => setTimeout(go, 700));

test("where many wait, only those ask the ledger whom an entry concerns, and none misses one", async () => {
  const { asked, follow, put } = await setUp();
  const acme = follow({ clients: ["acme"] });
  const bound = follow({ clients: ["acme"], source: "scales" });
  const others = Array.from({ length: 20 }, () => follow({ clients: ["other"] }));
  const all = follow({ clients: "all" });
  await put("acme", "pos", "first");
  await expect.poll(() => [acme, all]).toEqual([["first"], ["first"]]);
  await settled();
  asked.length = 0;
  await put("acme", "pos", "second");
  await expect.poll(() => [acme.at(-1), all.at(-1)]).toEqual(["second", "second"]);
  await settled();
  expect(asked.filter(({ clients }) => clients.includes("other"))).toEqual([]);
  expect(asked.filter(({ source }) => source === "scales")).toEqual([]);
  await put("acme", "scales", "third");
  await put("other", "pos", "fourth");
  await expect.poll(() => [acme, bound]).toEqual([["first", "second", "third"], ["third"]]);
  await expect.poll(() => others.every((told) => told.join() === "fourth")).toBe(true);
  expect(all).toEqual(["first", "second", "third", "fourth"]);
});

test("a burst that is too long to be read for that is missed by nobody", async () => {
  const { follow, put } = await setUp();
  const told = Array.from({ length: 6 }, (_, i) => follow({ clients: [i < 5 ? "acme" : "other"] }));
  await put("acme", "pos", "first");
  await expect.poll(() => told[0]).toEqual(["first"]);
  const paths = Array.from({ length: 450 }, (_, i) => `f${i}`);
  await put("acme", "pos", ...paths);
  await put("other", "pos", "last");
  await expect
    .poll(() => told.map((one) => one.length), { timeout: 5000 })
    .toEqual([451, 451, 451, 451, 451, 1]);
});
