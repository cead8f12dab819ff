/** Leases, places and rows of webhooks: the same on every ledger. */
import { beforeEach, describe, expect, test } from "vitest";
import { suspendClient } from "../ledger/clients.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { createHistory } from "../ledger/history.ts";
import { version } from "../ledger/samples.ts";
import { formatCursor } from "../tail/cursor.ts";
import { HEALTHY } from "./policy.ts";
import { replayWebhook, revokeWebhook } from "./register.ts";
import type { FailedEvent, Progress } from "./rows.ts";
import { openScene, type Scene } from "./scene.contract.ts";
import { listDeadLetters, listWebhooks } from "./standing.ts";

export function webhookRowsContract(newLedger: () => Promise<LedgerDatabase>): void {
  let scene: Scene;
  beforeEach(async () => {
    scene = await openScene(await newLedger());
  });

  const nothing: Progress = {
    ...{ cursor: 0, health: HEALTHY, delivered: [], failed: [], successAt: undefined, failure: undefined },
    ...{ gone: false, hasten: false, at: 1000 },
  };
  const failed = (versionId: string, dueAt: number | undefined, tries = 1): FailedEvent => ({
    ...{ versionId, seq: 1, tries, dueAt, why: "it answered 500" },
  });
  const record = async (id: string, progress: Partial<Progress>, owner = "a"): Promise<boolean> =>
    await scene.rows.record(await scene.webhook(id), owner, { ...nothing, ...progress });
  const leased = async (more = {}): Promise<string> => {
    const id = await scene.add(more);
    await scene.rows.lease("a", [id]);
    return id;
  };
  const view = async (id: string) => (await listWebhooks(scene.db)).find((one) => one.id === id);

  describe("a lease", () => {
    test("is one receiver's until it is given back or runs out", async () => {
      const [one, two] = [await scene.add(), await scene.add()];
      expect(await scene.rows.lease("a", [one, two])).toEqual(new Set([one, two]));
      expect(await scene.rows.lease("b", [one, two])).toEqual(new Set());
      expect((await scene.rows.active()).map(({ lease, free }) => [lease, free])).toEqual([
        ["a", false],
        ["a", false],
      ]);
      expect(await scene.rows.lease("a", [one, two])).toEqual(new Set([one, two]));
      await scene.db.updateTable("webhooks").set({ leased_until: 1 }).where("id", "=", one).execute();
      expect(await scene.rows.lease("b", [one, two])).toEqual(new Set([one]));
      expect(await record(one, { cursor: 0 })).toBe(false);
      await scene.rows.release("a");
      expect(await scene.rows.lease("b", [one, two])).toEqual(new Set([one, two]));
    });

    test("that was taken while the database's clock ran ahead holds up nobody", async () => {
      const id = await leased();
      const year = Date.now() + 365 * 86_400_000;
      await scene.db.updateTable("webhooks").set({ leased_until: year }).execute();
      expect((await scene.rows.active())[0]?.free).toBe(true);
      expect(await scene.rows.lease("b", [id])).toEqual(new Set([id]));
    });

    test("lost, or a course that was changed meanwhile, records nothing", async () => {
      const id = await leased();
      const before = await scene.webhook(id);
      const progress = { ...nothing, failed: [failed("v", 5)] };
      await scene.put("f");
      await replayWebhook(scene.db, id, { from: "beginning" });
      expect(await scene.rows.record(before, "a", progress)).toBe(false);
      expect(await scene.rows.counts(id)).toEqual({ waiting: 0, dead: 0 });
      expect(await scene.rows.record(await scene.webhook(id), "b", progress)).toBe(false);
      expect(await scene.rows.record(await scene.webhook(id), "a", progress)).toBe(true);
      expect(await scene.rows.counts(id)).toEqual({ waiting: 1, dead: 0 });
    });
  });

  describe("rows", () => {
    test("are due in their order, go when delivered, and end as dead letters", async () => {
      const id = await leased();
      const [a, b, c] = (await scene.put("a", "b", "c")) as [string, string, string];
      await record(id, { cursor: 3, failed: [failed(a, 30), failed(b, 20), failed(c, 50)] });
      expect((await scene.rows.due(id, 30, 10)).map((event) => event.versionId)).toEqual([b, a]);
      expect(await scene.rows.due(id, 30, 1)).toHaveLength(1);
      await record(id, { cursor: 3, delivered: [a], failed: [failed(b, undefined, 10)] });
      expect((await scene.rows.due(id, 99, 10)).map((event) => event.versionId)).toEqual([c]);
      expect(await scene.rows.counts(id)).toEqual({ waiting: 1, dead: 1 });
      expect(await listDeadLetters(scene.db)).toEqual([
        {
          ...{
            id: b,
            webhook: id,
            kind: "version",
            client: "acme",
            source: "pos",
            path: "b",
            pathEncoded: "b",
          },
          ...{ tries: 10, lastTriedAt: new Date(1000).toISOString(), lastFailure: "it answered 500" },
        },
      ]);
    });

    test("are due too when their hour is farther away than any: it was written while a clock ran ahead", async () => {
      const id = await leased();
      const [day, H] = [26.5 * 3_600_000, 3_600_000];
      await record(id, { failed: [failed("a", 1000 + day), failed("b", 1000 + 28 * H)] });
      expect((await scene.rows.due(id, 1000, 10)).map((event) => event.versionId)).toEqual(["b"]);
    });

    test("are all due once an outage is over", async () => {
      const id = await leased();
      await record(id, { failed: [failed("a", 9e9), failed("b", undefined), failed("c", 5)], hasten: true });
      expect((await scene.rows.due(id, 1000, 10)).map((event) => event.versionId)).toEqual(["c", "a"]);
    });
  });

  test("who is told: not the revoked, the gone, a suspended client's, or one whose place is another ledger's", async () => {
    const ids = {
      active: await leased(),
      own: await leased({ client: "other" }),
      gone: await leased(),
      lost: await leased(),
      revoked: await leased(),
    };
    await record(ids.gone, { gone: true, failure: { at: 7, why: "it answered 410" } });
    await suspendClient(scene.db, "other");
    await scene.db.updateTable("webhooks").set({ epoch: "x" }).where("id", "=", ids.lost).execute();
    await revokeWebhook(scene.db, ids.revoked);
    expect((await scene.rows.active()).map(({ id }) => id)).toEqual([ids.active]);
    const states = new Map((await listWebhooks(scene.db)).map(({ id, state }) => [id, state]));
    expect(states.get(ids.active)).toBe("active");
    expect(states.get(ids.own)).toBe("suspended");
    for (const state of ["gone", "lost", "revoked"] as const) expect(states.get(ids[state])).toBe(state);
    await expect(replayWebhook(scene.db, ids.lost, {})).rejects.toMatchObject({ code: "request-invalid" });
    await replayWebhook(scene.db, ids.lost, { from: "beginning" });
    await replayWebhook(scene.db, ids.gone, {});
    expect(new Set((await scene.rows.active()).map(({ id }) => id))).toEqual(
      new Set([ids.active, ids.gone, ids.lost]),
    );
    await expect(revokeWebhook(scene.db, "none")).rejects.toMatchObject({ code: "not-found" });
  });

  test("a revoked webhook keeps neither its secret nor its rows", async () => {
    const id = await leased();
    await record(id, { failed: [failed("a", 5)] });
    await revokeWebhook(scene.db, id, 5);
    await revokeWebhook(scene.db, id, 9);
    const row = await scene.db.selectFrom("webhooks").selectAll().executeTakeFirstOrThrow();
    expect([row.secret, row.revoked_at]).toEqual(["", 5]);
    expect(await scene.rows.counts(id)).toEqual({ waiting: 0, dead: 0 });
  });

  describe("a place", () => {
    test("of a new webhook is the ledger's end; lag counts what is its own", async () => {
      await scene.put("before");
      const [all, other] = [await scene.add(), await scene.add({ client: "other", source: "pos" })];
      await scene.put("a", "b");
      await scene.commit(
        version("c", "c", { client: "other" }),
        version("d", "d", { client: "other", source: "x" }),
      );
      expect([(await view(all))?.lag, (await view(other))?.lag]).toEqual([4, 1]);
    });

    test("is a time, a cursor, or the beginning; nothing is left out by going forward", async () => {
      await scene.put("a");
      const [b] = await scene.put("b");
      await scene.put("c");
      const history = createHistory(scene.db);
      const { epoch } = await history.position();
      const at = (await history.version(b as string))?.receivedAt as string;
      const lagFrom = async (from: string) => (await view(await scene.add({ from })))?.lag;
      expect(await lagFrom("beginning")).toBe(3);
      expect(await lagFrom(at)).toBe(2);
      expect(await lagFrom("2026-01-31")).toBe(3);
      expect(await lagFrom("2999-01-01T00:00:00Z")).toBe(0);
      expect(await lagFrom(formatCursor({ epoch, seq: 2 }))).toBe(1);
      for (const [from, code] of [
        ["2999-99-99", "request-invalid"],
        // What Date.parse takes for 3 March, and for another time on each host.
        ["2026-02-31", "request-invalid"],
        ["2026-01-31T05:00:00", "request-invalid"],
        ["2026-1-31", "request-invalid"],
        ["soon", "cursor-invalid"],
        [formatCursor({ epoch: "old", seq: 1 }), "cursor-gone"],
      ] as const)
        await expect(scene.add({ from })).rejects.toMatchObject({
          code,
          message: expect.stringMatching(/expected a cursor, a day .*, a time .*, or beginning|name a time/),
        });
      const id = await scene.add({ from: "beginning" });
      await expect(replayWebhook(scene.db, id, { from: at })).rejects.toMatchObject({
        code: "request-invalid",
      });
      expect((await view(id))?.lag).toBe(3);
    });

    test("is the client's that there is", async () => {
      await expect(scene.add({ client: "nobody" })).rejects.toMatchObject({ code: "not-found" });
      await expect(scene.add({ source: "No Slug" })).rejects.toMatchObject({ code: "request-invalid" });
    });
  });

  test("dead letters are sent again, all or those that are named, with all their tries", async () => {
    const id = await leased();
    const [a, b] = (await scene.put("a", "b")) as [string, string];
    await record(id, { cursor: 2, failed: [failed(a, undefined, 10), failed(b, undefined, 10)] });
    expect(await replayWebhook(scene.db, id, { dead: [a] }, 7)).toEqual({ dead: 1 });
    expect(await scene.rows.due(id, 7, 10)).toMatchObject([{ versionId: a, tries: 0 }]);
    await expect(replayWebhook(scene.db, id, { dead: [a, b] })).rejects.toMatchObject({ code: "not-found" });
    expect(await scene.rows.counts(id)).toEqual({ waiting: 1, dead: 1 });
    expect(await replayWebhook(scene.db, id, { dead: [] })).toEqual({ dead: 1 });
    expect(await scene.rows.counts(id)).toEqual({ waiting: 2, dead: 0 });
  });
}
