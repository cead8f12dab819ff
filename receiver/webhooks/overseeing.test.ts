/** Who is told by which teller, when the ledger is slow to say how webhooks are. */
import { expect, onTestFinished, test } from "vitest";
import { createHistory } from "../ledger/history.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { version } from "../ledger/samples.ts";
import { Tail } from "../tail/tail.ts";
import { replayWebhook } from "./register.ts";
import { openScene, type Scene } from "./scene.contract.ts";
import type { Outcome } from "./webhook.ts";
import { Webhooks, type WebhooksParts } from "./webhooks.ts";

const scene = async (): Promise<Scene> => await openScene(await (await sqlitePlace()).open());

function oversee(on: Scene, active = on.rows.active.bind(on.rows), more: Partial<WebhooksParts> = {}) {
  const { rows } = on;
  const webhooks = new Webhooks({
    ...on.parts(),
    rows: {
      active,
      ...{ lease: rows.lease.bind(rows), release: rows.release.bind(rows) },
      ...{ due: rows.due.bind(rows), counts: rows.counts.bind(rows), record: rows.record.bind(rows) },
    },
    tail: { next: async () => [] },
    openSecret: () => "whsec_c2VjcmV0",
    owner: "owner",
    ...more,
  });
  webhooks.start();
  onTestFinished(() => webhooks.stop());
}

test("who answered 410 while the ledger was slow to say how webhooks are hears nothing more", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = () => ({ kind: "gone", why: "it answered 410" });
  let looks = 0;
  oversee(on, async () => {
    const read = await on.rows.active();
    looks += 1;
    // The third was read before the answer is recorded, and comes after.
    if (looks === 3) {
      await on.put("a");
      await expect.poll(async () => (await on.rows.active()).length, { timeout: 5000 }).toBe(0);
    }
    return read;
  });
  await expect.poll(() => looks, { timeout: 10_000 }).toBeGreaterThan(4);
  expect(on.sent.map(({ headers }) => headers["webhook-id"])).toHaveLength(1);
  expect((await on.db.selectFrom("webhooks").selectAll().executeTakeFirstOrThrow()).id).toBe(id);
});

test("a replay does not wait for a slow answer, and its teller does not run beside the one before", async () => {
  const on = await scene();
  const id = await on.add();
  const waiting: ((outcome: Outcome) => void)[] = [];
  on.answer = () => new Promise((done) => void waiting.push(done));
  await on.put("a", "b");
  oversee(on);
  await expect.poll(() => on.sent.length, { timeout: 5000 }).toBe(2);
  await replayWebhook(on.db, id, { from: "beginning" });
  await expect.poll(() => on.sent.length, { timeout: 4000 }).toBe(4);
  expect(on.cut()).toBe(2);
});

test("one that rests for a moment is taken up where its teller ends, not beside it", async () => {
  const on = await scene();
  await on.add({ client: "acme" });
  const waiting: ((outcome: Outcome) => void)[] = [];
  on.answer = () => new Promise((done) => void waiting.push(done));
  await on.put("a");
  oversee(on);
  await expect.poll(() => on.sent.length, { timeout: 5000 }).toBe(1);
  const suspend = (at: number | null) =>
    on.db.updateTable("clients").set({ suspended_at: at }).where("name", "=", "acme").execute();
  await suspend(1);
  await new Promise((go) => setTimeout(go, 1500));
  await suspend(null);
  await new Promise((go) => setTimeout(go, 2500));
  expect(on.paths()).toEqual(["a"]);
  on.answer = () => ({ kind: "delivered" });
  for (const done of waiting) done({ kind: "delivered" });
  await on.put("b");
  await expect.poll(() => on.paths(), { timeout: 5000 }).toEqual(["a", "b"]);
}, 15_000);

test("what arrives for one has nobody else look at the ledger", async () => {
  const on = await scene();
  await on.add();
  await on.add({ client: "acme", source: "pos" });
  await on.add({ client: "acme", source: "scales" });
  await on.add({ client: "other" });
  const history = createHistory(on.db);
  const tail = new Tail(history);
  const looks = new Map<string, number>();
  const counted: typeof history.since = async (after, limit, scope) => {
    const who = `${scope?.clients ?? ""} ${scope?.source ?? ""}`.trim();
    looks.set(who, (looks.get(who) ?? 0) + 1);
    return await history.since(after, limit, scope);
  };
  oversee(on, undefined, { history: { ...history, since: counted }, tail, lookMs: 60_000 });
  await expect.poll(() => looks.size, { timeout: 5000 }).toBe(4);
  looks.clear();
  const paths = Array.from({ length: 30 }, (_, i) => `f${i}`);
  for (const path of paths) {
    await on.put(path);
    tail.poke();
    await new Promise((go) => setTimeout(go, 10));
  }
  await expect.poll(() => on.sent.length, { timeout: 5000 }).toBe(60);
  expect([...looks.keys()].sort()).toEqual(["acme pos", "all"]);
  await on.commit(version("late", "x", { client: "other" }));
  tail.poke();
  await expect.poll(() => on.sent.length, { timeout: 5000 }).toBe(62);
});
