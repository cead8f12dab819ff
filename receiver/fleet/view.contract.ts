/** What the console sees of all agents, on either database: as it is, and at a small price however often it looks. */
import type { KyselyPlugin } from "kysely";
import { describe, expect, test } from "vitest";
import { idleHeartbeat } from "../identity/scene.ts";
import { addClient } from "../ledger/clients.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { FleetView } from "./view.ts";

const T0 = Date.parse("2026-11-20T05:00:00Z");
const BEAT = 30_000;
const SILENT = 120_000;

type Status = Omit<ReturnType<typeof idleHeartbeat>, "nonce">;

function counting(db: Database): { readonly db: Database; readonly statements: () => number } {
  let count = 0;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      count += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return { db: db.withPlugin(plugin), statements: () => count };
}

export function fleetViewContract(name: string, open: () => Promise<LedgerDatabase>): void {
  const said = (more: Partial<Status> = {}): string => {
    const { nonce: _, ...status } = idleHeartbeat("n");
    return JSON.stringify({ ...status, ...more });
  };
  const rowOf = (id: string, seen: number | null, status: string | null) => ({
    ...{ id, name: id, public_key: id, state: "active" as const, created_at: T0, host: "h" },
    ...{ platform: "linux", version: "1", nonce: null, nonce_previous: null },
    ...{ last_seen_at: seen, status },
  });
  const scene = async () => {
    const { db: real } = await open();
    await addClient(real, "acme");
    const { db, statements } = counting(real);
    const clock = { now: T0 };
    const view = new FleetView(db, BEAT, () => clock.now);
    /** A second later, so that it is a new look: the agents, and how many statements it took. */
    const look = async () => {
      clock.now += 1000;
      const before = statements();
      const agents = await view.agents();
      return { agents, cost: statements() - before };
    };
    const hear = (id: string, at: number, status: string) =>
      real.updateTable("agents").set({ last_seen_at: at, status }).where("id", "=", id).execute();
    return { real, view, clock, look, hear };
  };

  describe(`the fleet at a glance on ${name}`, () => {
    test("tells of each agent whose it is, how it is, and what it said last", async () => {
      const { real, view, look, clock } = await scene();
      const source = (name: string, reachable: boolean) => ({
        ...{ name, client: "acme", kind: "folder", reachable, files: 1, settling: 2, problems: 0 },
        ...(reachable ? {} : { reason: "no such folder" }),
      });
      const sources = [source("pos", true), ...[1, 2, 3, 4, 5, 6].map((i) => source(`s${i}`, false))];
      await real
        .insertInto("agents")
        .values([
          rowOf("a", T0, said({ skewMs: 7, queue: { depth: 2, bytes: 9, aside: 1 }, sources })),
          rowOf("b", null, null),
          { ...rowOf("c", T0, said()), state: "revoked" },
          { ...rowOf("d", T0, said()), state: "forked" },
          { ...rowOf("e", T0, said()), paused_at: T0, paused_by: "ada@example.com" },
        ])
        .execute();
      await real.insertInto("agent_clients").values({ agent_id: "a", client: "acme" }).execute();
      const { agents } = await look();
      expect(agents.map(({ id, state }) => `${id} ${state}`)).toEqual([
        ...["a active", "b waiting", "c revoked", "d forked", "e active"],
      ]);
      expect(agents[0]).toMatchObject({
        ...{ clients: ["acme"], skewMs: 7, sources: 7, settling: 14, pause: null },
        queue: { files: 2, bytes: 9, aside: 1, oldestSealedAt: null },
        unreachableSources: 6,
      });
      expect(agents[0]?.unreachable).toHaveLength(5);
      expect(agents[4]?.pause).toEqual({ since: new Date(T0).toISOString(), by: "ada@example.com" });
      expect(view.statusOf("a")?.sources).toHaveLength(7);
      expect(view.statusOf("b")).toBeNull();
      clock.now = T0 + SILENT;
      expect((await look()).agents.map(({ state }) => state)).toEqual([
        ...["silent", "silent", "revoked", "forked", "silent"],
      ]);
    });

    test("is the same look for all who look within a second, and a new one after an act", async () => {
      const { real, view, look } = await scene();
      await real
        .insertInto("agents")
        .values(rowOf("a", T0, said()))
        .execute();
      const { agents } = await look();
      const [again, too] = await Promise.all([view.agents(), view.agents()]);
      expect([again === agents, too === agents]).toEqual([true, true]);
      view.forget();
      expect(await view.agents()).not.toBe(agents);
    });

    test("reads anew what one said only when it has said something", async () => {
      const { real, view, look, hear } = await scene();
      const ids = Array.from({ length: 450 }, (_, i) => `a${String(i).padStart(3, "0")}`);
      for (let at = 0; at < ids.length; at += 50)
        await real
          .insertInto("agents")
          .values(ids.slice(at, at + 50).map((id) => rowOf(id, T0, said())))
          .execute();
      // Two for who there is, and three hundreds.
      expect((await look()).cost).toBe(5);
      expect((await look()).cost).toBe(2);
      await hear("a007", T0 + 5, said({ skewMs: 99 }));
      const heard = await look();
      expect(heard.cost).toBe(3);
      expect(heard.agents.find(({ id }) => id === "a007")?.skewMs).toBe(99);
      expect((await look()).cost).toBe(2);
      await real.deleteFrom("agents").where("id", "=", "a007").execute();
      expect((await look()).agents).toHaveLength(449);
      expect(view.statusOf("a007")).toBeNull();
      // A new one under the same id, that was heard at the same time, is another.
      await real
        .insertInto("agents")
        .values(rowOf("a007", T0 + 5, said({ skewMs: 1 })))
        .execute();
      expect((await look()).agents.find(({ id }) => id === "a007")?.skewMs).toBe(1);
    });

    test("looks again after a ledger that was away", async () => {
      const { db } = await open();
      let away = true;
      const plugin: KyselyPlugin = {
        transformQuery: ({ node }) => {
          if (away) throw new Error("away");
          return node;
        },
        transformResult: async ({ result }) => result,
      };
      const view = new FleetView(db.withPlugin(plugin), BEAT, () => T0);
      await expect(view.agents()).rejects.toThrow();
      away = false;
      expect(await view.agents()).toEqual([]);
    });

    test("of 2,000 agents takes less than 50 ms after the first look", async () => {
      const { real, look, hear } = await scene();
      const problems = Array.from({ length: 20 }, (_, i) => ({
        ...{ code: "file-unreadable", detail: `it cannot be read: ${"x".repeat(200)}`, path: `p${i}` },
        since: new Date(T0).toISOString(),
      }));
      const status = said({ problems: problems as never });
      for (let at = 0; at < 2000; at += 50)
        await real
          .insertInto("agents")
          .values(Array.from({ length: 50 }, (_, i) => rowOf(`a${at + i}`, T0, status)))
          .execute();
      await real
        .insertInto("agent_clients")
        .values(Array.from({ length: 2000 }, (_, i) => ({ agent_id: `a${i}`, client: "acme" })))
        .execute();
      await look();
      const took: number[] = [];
      for (let i = 0; i < 9; i += 1) {
        // As many as report in a second.
        for (let k = 0; k < 60; k += 1) await hear(`a${i * 60 + k}`, T0 + 1 + i, status);
        const begun = performance.now();
        const { agents } = await look();
        took.push(performance.now() - begun);
        expect(agents).toHaveLength(2000);
      }
      // The fastest: others may have the processor at any moment.
      expect(Math.min(...took)).toBeLessThan(50);
    });
  });
}
