/** One webhook told through days that pass in seconds. */
import { expect, onTestFinished, test } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { version } from "../ledger/samples.ts";
import { replayWebhook } from "./register.ts";
import { openScene, type Scene } from "./scene.contract.ts";
import { listWebhooks } from "./standing.ts";
import { Teller } from "./teller.ts";
import type { Outcome, Webhook } from "./webhook.ts";

const OWNER = "owner";
const FAILED: Outcome = { kind: "failed", why: "it answered 500" };
const MIN = 60_000;
const H = 60 * MIN;

const scene = async (): Promise<Scene> => await openScene(await (await sqlitePlace()).open());

/** Tells until the test ends, or until it is stopped or killed. */
async function tell(on: Scene, id: string, webhook?: Webhook) {
  await on.rows.lease(OWNER, [id]);
  const teller = new Teller(on.parts(), OWNER, webhook ?? (await on.webhook(id)), "whsec_c2VjcmV0");
  const [stop, cut] = [new AbortController(), new AbortController()];
  const ended = teller.run(stop.signal, cut.signal);
  const end = async (how: AbortController): Promise<void> => {
    how.abort();
    stop.abort();
    await ended;
  };
  onTestFinished(() => end(cut));
  return { teller, ended, stop: () => end(stop), cut: () => end(cut) };
}

const standing = async (on: Scene) => (await listWebhooks(on.db))[0];
/** Lets time pass, and waits until it was told so many times in all. */
async function after(on: Scene, ms: number, count: number): Promise<void> {
  on.clock.now += ms;
  await expect.poll(() => on.sent.length, { interval: 5 }).toBe(count);
}
/** Nothing more is sent, though it looks a hundred times a second. */
async function quiet(on: Scene): Promise<void> {
  const before = on.sent.length;
  await new Promise((go) => setTimeout(go, 150));
  expect(on.sent.length).toBe(before);
}

test("500 for days: ten tries, then a dead letter that is listed and can be sent again", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = () => FAILED;
  const [versionId] = await on.put("a");
  const first = await tell(on, id);
  await after(on, 0, 1);
  const gaps = [5000, 5 * MIN, 30 * MIN, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H];
  for (const [i, gap] of gaps.entries()) {
    await expect.poll(async () => (await standing(on))?.waiting).toBe(1);
    await after(on, gap - 1, i + 1);
    await quiet(on);
    await after(on, 1, i + 2);
  }
  await expect.poll(() => standing(on)).toMatchObject({ waiting: 0, dead: 1, lag: 0, state: "failing" });
  on.clock.now += 30 * 24 * H;
  await quiet(on);
  expect(new Set(on.sent.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([versionId]));
  expect(new Set(on.sent.map(({ headers }) => headers["webhook-timestamp"])).size).toBe(10);
  expect(new Set(on.sent.map(({ body }) => body)).size).toBe(1);
  expect(on.facts.filter(({ kind }) => kind === "WebhookDeadLetter")).toHaveLength(1);
  await first.stop();
  on.answer = () => ({ kind: "delivered" });
  await replayWebhook(on.db, id, { dead: [] }, on.clock.now);
  await tell(on, id);
  await after(on, 0, 11);
  await expect.poll(() => standing(on)).toMatchObject({ waiting: 0, dead: 0, state: "active" });
});

test("one event that always fails holds up no other", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = (path) => (path === "poison" ? FAILED : { kind: "delivered" });
  await on.put("a", "poison", "b", "c");
  await tell(on, id);
  await expect.poll(() => standing(on)).toMatchObject({ lag: 0, waiting: 1, state: "active" });
  expect(on.paths().sort()).toEqual(["a", "b", "c", "poison"]);
});

test("an entry that cannot be told at all is one that fails", async () => {
  const on = await scene();
  const id = await on.add();
  const [odd] = (await on.put("odd", "even")) as [string];
  await on.db.updateTable("entries").set({ sealed_at: "no time" }).where("version_id", "=", odd).execute();
  await tell(on, id);
  await expect.poll(() => standing(on)).toMatchObject({ lag: 0, waiting: 1 });
  expect(on.paths()).toEqual(["even"]);
});

test("an endpoint that is down: the cursor stands nearly still, and once it is back everything is told", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = () => FAILED;
  const paths = Array.from({ length: 300 }, (_, i) => `f${String(i).padStart(3, "0")}`);
  await on.put(...paths);
  await tell(on, id);
  await expect.poll(() => standing(on)).toMatchObject({ state: "failing" });
  // A day of it, in steps of the longest pause.
  for (let at = 0; at < 24 * H; at += 10 * MIN) {
    const before = on.sent.length;
    on.clock.now += 10 * MIN;
    await expect.poll(() => on.sent.length, { interval: 5 }).toBeGreaterThan(before);
  }
  const down = await standing(on);
  expect(down?.waiting).toBeLessThan(150);
  expect(down?.lag).toBeGreaterThan(100);
  on.answer = () => ({ kind: "delivered" });
  on.sent.length = 0;
  on.clock.now += 2 * MIN;
  // Also what would have been due in many hours.
  await expect
    .poll(() => standing(on), { timeout: 10_000 })
    .toMatchObject({ lag: 0, waiting: 0, state: "active" });
  expect(new Set(on.paths()).size + (down?.dead ?? 0)).toBe(300);
  expect(on.facts.map(({ kind }) => kind)).toContain("WebhookRecovered");
}, 60_000);

test("bad events in a row, more than are taken for an outage, do not hold up the good ones for long", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = (path) => (path.startsWith("bad") ? FAILED : { kind: "delivered" });
  await on.put(...Array.from({ length: 20 }, (_, i) => `bad${i}`), "good1", "good2");
  await tell(on, id);
  let passed = 0;
  while (!on.paths().includes("good2")) {
    passed += MIN;
    on.clock.now += MIN;
    await new Promise((go) => setTimeout(go, 30));
    expect(passed).toBeLessThan(2 * H);
  }
  await expect.poll(() => standing(on)).toMatchObject({ lag: 0, waiting: 20 });
});

test("Retry-After is a floor for the webhook as a whole", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = () => ({ kind: "failed", why: "it answered 429", retryAfter: 10 * MIN });
  await on.put("a");
  await tell(on, id);
  await after(on, 0, 1);
  await expect.poll(async () => (await standing(on))?.waiting).toBe(1);
  await on.put("b");
  await after(on, 10 * MIN - 1, 1);
  await quiet(on);
  on.answer = () => ({ kind: "delivered" });
  await after(on, 1, 3);
});

test("at most eight at once, and never two of one path", async () => {
  const on = await scene();
  const id = await on.add();
  const waiting: (() => void)[] = [];
  on.answer = () => new Promise((done) => void waiting.push(() => done({ kind: "delivered" })));
  await on.put(...Array.from({ length: 12 }, (_, i) => `f${i}`));
  await tell(on, id);
  await expect.poll(() => on.sent.length).toBe(8);
  await quiet(on);
  for (const go of waiting.splice(0)) go();
  await expect.poll(() => on.sent.length).toBe(12);
  for (const go of waiting.splice(0)) go();
  await on.commit(version("same", "1"));
  await on.commit(version("same", "2"));
  await on.put("other");
  await expect.poll(() => on.paths().at(-1)).toBe("same");
  await quiet(on);
  for (const go of waiting.splice(0)) go();
  await expect.poll(() => on.paths().slice(12)).toEqual(["same", "same", "other"]);
  for (const go of waiting.splice(0)) go();
});

test("never two of one path when what failed is due together, or beside a new one", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = () => FAILED;
  await on.commit(version("same", "1"));
  await on.commit(version("same", "2"));
  await tell(on, id);
  await expect.poll(() => standing(on)).toMatchObject({ waiting: 2 });
  let [underWay, most] = [0, 0];
  on.answer = async (path) => {
    if (path === "same") most = Math.max(most, ++underWay);
    await new Promise((go) => setTimeout(go, 50));
    if (path === "same") underWay -= 1;
    return { kind: "delivered" };
  };
  on.clock.now += 6000;
  await on.commit(version("same", "3"));
  await on.put("other");
  await expect.poll(() => standing(on)).toMatchObject({ lag: 0, waiting: 0 });
  expect(on.paths().slice(2).sort()).toEqual(["other", "same", "same", "same"]);
  expect(most).toBe(1);
});

test("a ledger that reads and does not write: nothing more is told than what can be recorded", async () => {
  const on = await scene();
  const id = await on.add();
  await on.put(...Array.from({ length: 300 }, (_, i) => `f${i}`));
  on.answer = async () => {
    await new Promise((go) => setTimeout(go, 20));
    return { kind: "delivered" };
  };
  await on.rows.lease(OWNER, [id]);
  let full = true;
  const rows = {
    due: on.rows.due.bind(on.rows),
    counts: on.rows.counts.bind(on.rows),
    record: async (...args: Parameters<typeof on.rows.record>) => {
      if (full) throw new Error("the disk is full");
      return await on.rows.record(...args);
    },
  };
  const stop = new AbortController();
  const teller = new Teller({ ...on.parts(), rows }, OWNER, await on.webhook(id), "whsec_c2VjcmV0");
  const ended = teller.run(stop.signal, stop.signal);
  onTestFinished(() => stop.abort());
  await expect.poll(() => on.facts.map(({ kind }) => kind)).toContain("WebhookHeldUp");
  await new Promise((go) => setTimeout(go, 100));
  const told = on.sent.length;
  await new Promise((go) => setTimeout(go, 2500));
  expect(on.sent.length).toBe(told);
  full = false;
  await expect.poll(() => standing(on), { timeout: 5000 }).toMatchObject({ lag: 0 });
  expect(new Set(on.sent.map(({ headers }) => headers["webhook-id"])).size).toBe(on.sent.length);
  stop.abort();
  await ended;
}, 15_000);

test("killed between the answer and its record: told again, under the same id", async () => {
  const on = await scene();
  const id = await on.add();
  const before = await on.webhook(id);
  const [versionId] = await on.put("a");
  const first = await tell(on, id);
  await expect.poll(() => on.sent.length).toBe(1);
  await first.stop();
  // What a SIGKILL before the record leaves behind: the place of before.
  await on.db.updateTable("webhooks").set({ cursor_seq: before.cursor }).execute();
  await tell(on, id);
  await expect
    .poll(() => on.sent.map(({ headers }) => headers["webhook-id"]))
    .toEqual([versionId, versionId]);
  expect(on.sent[0]?.body).toBe(on.sent[1]?.body);
});

test("what is cut at a stop counts for nothing and is told by whoever comes next", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = () => new Promise(() => {});
  await on.put("a");
  const first = await tell(on, id);
  await expect.poll(() => on.sent.length).toBe(1);
  await first.cut();
  expect(await standing(on)).toMatchObject({ lag: 1, waiting: 0, lastFailure: null });
  on.answer = () => ({ kind: "delivered" });
  await tell(on, id);
  await expect.poll(() => standing(on)).toMatchObject({ lag: 0 });
});

test("whose lease another has taken ends, and records nothing", async () => {
  const on = await scene();
  const id = await on.add();
  on.answer = (path) => (path === "a" ? { kind: "delivered" } : new Promise(() => {}));
  await on.put("slow");
  const told = await tell(on, id);
  await expect.poll(() => on.paths()).toEqual(["slow"]);
  await on.db.updateTable("webhooks").set({ lease: "another" }).execute();
  await on.put("a");
  await told.ended;
  expect(on.paths()).toEqual(["slow", "a"]);
  // Whoever has the lease tells it too: two shall not be under way for the fifteen seconds that it may take.
  expect(on.cut()).toBe(1);
  expect(await standing(on)).toMatchObject({ lag: 2, lastSuccessAt: null });
});

test("a lake that is away holds everything up, said once; nothing is told before it is back", async () => {
  const on = await scene();
  const id = await on.add();
  await on.put("a");
  await on.rows.lease(OWNER, [id]);
  let away = true;
  const durable = async (): Promise<void> => {
    if (away) throw new Error("the lake is away");
  };
  const stop = new AbortController();
  const teller = new Teller({ ...on.parts(), durable }, OWNER, await on.webhook(id), "whsec_c2VjcmV0");
  const ended = teller.run(stop.signal, stop.signal);
  await quiet(on);
  expect(on.facts.map(({ kind }) => kind)).toEqual(["WebhookHeldUp"]);
  away = false;
  await expect.poll(() => on.paths()).toEqual(["a"]);
  stop.abort();
  await ended;
});

test("a webhook of a quiet client passes over a thousand entries of others, and remembers that", async () => {
  const on = await scene();
  const id = await on.add({ client: "other" });
  await tell(on, id);
  for (let i = 0; i < 3; i += 1) await on.put(...Array.from({ length: 400 }, (_, n) => `${i}-${n}`));
  await expect.poll(async () => (await on.webhook(id)).cursor).toBe(1200);
  expect(on.sent).toEqual([]);
});
