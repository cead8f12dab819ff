/** What holds on every database: what an agent is asked reaches it, what it tells is kept, a wish to pause stands. */
import { gzipSync } from "node:zlib";
import type { HeartbeatRequest } from "@tributary/shared/protocol.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { getAgent } from "../identity/agents.ts";
import type { Principal } from "../identity/principal.ts";
import { idleHeartbeat } from "../identity/scene.ts";
import { addClient } from "../ledger/clients.ts";
import type { LedgerDatabase } from "../ledger/database.ts";

import { attendAgent } from "./attention.ts";
import { askAgent, getCommand, listCommands } from "./commands.ts";
import { getDiagnostics, listDiagnostics, takeDiagnosticsOf, unpackDiagnostics } from "./diagnostics.ts";
import { heartbeatOf } from "./heartbeat.ts";
import { pauseAgent, resumeAgent } from "./pause.ts";

/** As version 0.1.0 of the agent reads an answer. */
const answerOfBefore = z.object({
  nonce: z.string(),
  heartbeatSeconds: z.number().positive(),
  configurationRevision: z.int(),
  clients: z.array(z.string()),
  trust: z.object({ authorities: z.array(z.string()), system: z.boolean() }),
  jwks: z.object({ keys: z.array(z.unknown()) }),
  commands: z.array(
    z.discriminatedUnion("kind", [z.object({ kind: z.literal("scan"), source: z.string().optional() })]),
  ),
});
const T0 = 1_800_000_000_000;
const HOUR = 3_600_000;
const keys = {
  site: crypto.randomUUID(),
  trust: () => ({ authorities: [], system: true }),
  jwks: () => ({ keys: [] }),
};
const refusal = (code: string) => expect.objectContaining({ name: "ProblemError", code });
const KNOWS = ["scan", "diagnostics", "pause"];

export function commandsContract(newPlace: () => Promise<() => Promise<LedgerDatabase>>): void {
  let database: LedgerDatabase;
  let now: number;
  let nonce: string;

  beforeEach(async () => {
    database = await (await newPlace())();
    now = T0;
    nonce = "n0";
    await addClient(database.db, "acme");
    for (const id of ["a", "b"])
      await database.db
        .insertInto("agents")
        .values({
          ...{ id, name: `till ${id}`, public_key: id, state: "active", created_at: 1, host: id },
          ...{ platform: "linux", version: "1", nonce: "n0", nonce_previous: null, last_seen_at: null },
          status: null,
        })
        .execute();
  });

  const principal = (id: string): Principal => ({
    ...{ kind: "agent", id, clients: ["acme"], source: undefined, acts: new Set(["write"] as const) },
  });
  const beat = async (more: Partial<HeartbeatRequest> = { knows: KNOWS }, id = "a") => {
    const heartbeat = heartbeatOf({ db: database.db, keys, now: () => now, heartbeatSeconds: 30 });
    const answer = await heartbeat(principal(id), { ...idleHeartbeat(nonce), ...more });
    nonce = answer.nonce;
    return answer;
  };
  const ask = async (kind: "scan" | "diagnostics", source?: string) =>
    await askAgent(database.db, { agentId: "a", kind, source, by: "anna" }, now);
  const outcomes = async () =>
    (await listCommands(database.db, "a", now)).map(({ kind, outcome }) => [kind, outcome?.ok ?? null]);

  describe("a command", () => {
    test("is told with every answer until the agent tells what became of it", async () => {
      const { id } = await ask("scan", "pos");
      now += 1000;
      const told = { id, kind: "scan", source: "pos", by: "anna" };
      expect((await beat()).commands).toEqual([told]);
      now += 1000;
      expect((await beat()).commands).toEqual([told]);
      expect(await getCommand(database.db, id, now)).toMatchObject({
        sentAt: new Date(T0 + 1000).toISOString(),
        doneAt: null,
        outcome: null,
      });
      now += 1000;
      const done = [{ id, ok: true, detail: "looked through pos" }];
      expect((await beat({ knows: KNOWS, done })).commands).toEqual([]);
      expect(await getCommand(database.db, id, now)).toMatchObject({
        doneAt: new Date(T0 + 3000).toISOString(),
        outcome: { ok: true, detail: "looked through pos" },
      });
      // Told once more, since the answer was lost: it stays as it was.
      now += 1000;
      await beat({ knows: KNOWS, done: [{ id, ok: false, detail: "again" }] });
      expect((await getCommand(database.db, id, now))?.outcome?.ok).toBe(true);
    });

    test("that waits is not doubled; another source, another kind and one after it are", async () => {
      const first = await ask("scan", "pos");
      expect((await ask("scan", "pos")).id).toBe(first.id);
      expect((await ask("scan")).id).not.toBe(first.id);
      expect((await ask("diagnostics")).id).not.toBe(first.id);
      await beat({ knows: KNOWS, done: [{ id: first.id, ok: true, detail: "" }] });
      expect((await ask("scan", "pos")).id).not.toBe(first.id);
    });

    test("is another agent's business for nobody", async () => {
      const { id } = await ask("scan");
      nonce = "n0";
      expect((await beat({ knows: KNOWS, done: [{ id, ok: true, detail: "" }] }, "b")).commands).toEqual([]);
      expect(await outcomes()).toEqual([["scan", null]]);
    });

    test("breaks no agent of before: its schema reads the whole answer", async () => {
      await ask("scan", "pos");
      await ask("diagnostics");
      await pauseAgent(database.db, "a", "anna", now);
      const answer = answerOfBefore.parse(JSON.parse(JSON.stringify(await beat({}))));
      expect(answer.commands).toEqual([{ kind: "scan", source: "pos" }]);
    });

    test("reaches an agent of before as far as it can: a scan once, without an id, and nothing else", async () => {
      await ask("scan", "pos");
      await ask("diagnostics");
      const { commands } = await beat({});
      expect(commands).toEqual([{ kind: "scan", source: "pos" }]);
      expect((await beat({})).commands).toEqual([]);
      expect(await outcomes()).toEqual([
        ["diagnostics", false],
        ["scan", true],
      ]);
    });

    test("that this version of an agent does not know is told to whoever asked", async () => {
      const { id } = await ask("diagnostics");
      expect((await beat({ knows: ["scan"] })).commands).toEqual([]);
      expect((await getCommand(database.db, id, now))?.outcome).toEqual({
        ok: false,
        detail: expect.stringContaining("1.0.1 of the agent does not know"),
      });
    });

    test("is given up after a day", async () => {
      const { id } = await ask("scan");
      now += 24 * HOUR;
      expect((await getCommand(database.db, id, now))?.outcome).toMatchObject({ ok: false });
      expect((await beat()).commands).toEqual([]);
      expect((await ask("scan")).id).not.toBe(id);
    });

    test("of a revoked or unknown agent, of a source that is none, and the 21st is refused", async () => {
      await expect(askAgent(database.db, { agentId: "x", kind: "scan", by: "anna" }, now)).rejects.toEqual(
        refusal("not-found"),
      );
      await expect(ask("scan", "No Source")).rejects.toEqual(refusal("request-invalid"));
      await expect(ask("diagnostics", "pos")).rejects.toEqual(refusal("request-invalid"));
      for (let i = 0; i < 20; i += 1) await ask("scan", `s${i}`);
      await expect(ask("scan", "s20")).rejects.toEqual(refusal("request-invalid"));
      await database.db.updateTable("agents").set({ state: "revoked" }).where("id", "=", "a").execute();
      await expect(ask("scan")).rejects.toEqual(refusal("agent-revoked"));
    });

    test("that is done is listed for a while, and forgotten behind a hundred others", async () => {
      for (let i = 0; i < 130; i += 1) {
        now += 1000;
        const { id } = await ask("scan");
        await beat({ knows: KNOWS, done: [{ id, ok: true, detail: `${i}` }] });
      }
      const all = await listCommands(database.db, "a", now);
      expect(all.length).toBeLessThanOrEqual(101);
      expect(all[0]?.outcome?.detail).toBe("129");
    });
  });

  test("while somebody waits, an agent is asked to report every few seconds, and then as before", async () => {
    expect((await beat()).heartbeatSeconds).toBe(30);
    await ask("scan");
    expect((await beat()).heartbeatSeconds).toBe(3);
    now += 121_000;
    expect((await beat()).heartbeatSeconds).toBe(30);
    await attendAgent(database.db, "a", now);
    await attendAgent(database.db, "a", now + 1000);
    expect((await beat()).heartbeatSeconds).toBe(3);
    await expect(attendAgent(database.db, "x", now)).rejects.toEqual(refusal("not-found"));
  });

  test("the wish to pause stands in every answer until it is taken back, and says since when and whose it is", async () => {
    expect((await beat()).paused).toBeUndefined();
    const wish = { since: new Date(T0).toISOString(), by: "anna" };
    expect(await pauseAgent(database.db, "a", "anna", now)).toEqual({ before: null, after: wish });
    now += 5000;
    expect(await pauseAgent(database.db, "a", "ben", now)).toEqual({ before: wish, after: wish });
    expect(await beat({ knows: KNOWS, paused: false })).toMatchObject({ paused: true, pausedBy: "anna" });
    expect(await beat({ knows: KNOWS, paused: true })).toMatchObject({ paused: true });
    expect(await getAgent(database.db, "a")).toMatchObject({ pause: wish, status: { paused: true } });
    expect(await resumeAgent(database.db, "a", now)).toEqual({ before: wish, after: null });
    expect((await beat()).paused).toBeUndefined();
    await expect(pauseAgent(database.db, "x", "anna")).rejects.toEqual(refusal("not-found"));
    await database.db.updateTable("agents").set({ state: "revoked" }).where("id", "=", "a").execute();
    await expect(pauseAgent(database.db, "a", "anna")).rejects.toEqual(refusal("agent-revoked"));
  });

  describe("diagnostics", () => {
    const bundle = (text: string) => gzipSync(JSON.stringify({ text }));
    const take = async (id: string, body: Buffer, as = principal("a")) =>
      await takeDiagnosticsOf(database.db, () => now)(as, id, body);

    test("are kept as they came, the newest three", async () => {
      const ids: string[] = [];
      for (let i = 0; i < 5; i += 1) {
        now += 1000;
        const { id } = await ask("diagnostics");
        await take(id, bundle(`first ${i}`));
        ids.push((await take(id, bundle(`${i}`))).id);
        await beat({ knows: KNOWS, done: [{ id, ok: true, detail: "" }] });
      }
      const kept = await listDiagnostics(database.db, "a");
      expect(kept.map(({ id }) => id)).toEqual(ids.slice(2).reverse());
      const newest = await getDiagnostics(database.db, ids[4] as string);
      expect(JSON.parse(await unpackDiagnostics(newest?.body as Buffer))).toEqual({ text: "4" });
      expect(newest?.size).toBe(newest?.body.length);
      expect(await getDiagnostics(database.db, ids[0] as string)).toBeUndefined();
    });

    test("that nobody asked for, of another agent or a key, that are no gzip or a bomb are refused", async () => {
      const { id: scan } = await ask("scan");
      const { id } = await ask("diagnostics");
      await expect(take(scan, bundle("x"))).rejects.toEqual(refusal("not-found"));
      await expect(take(crypto.randomUUID(), bundle("x"))).rejects.toEqual(refusal("not-found"));
      await expect(take(id, bundle("x"), principal("b"))).rejects.toEqual(refusal("not-found"));
      await expect(take(id, bundle("x"), { ...principal("a"), kind: "key" })).rejects.toEqual(
        refusal("forbidden"),
      );
      await expect(take(id, Buffer.from("no gzip"))).rejects.toEqual(refusal("request-invalid"));
      await expect(take(id, gzipSync(Buffer.alloc(17 * 2 ** 20)))).rejects.toEqual(
        refusal("request-invalid"),
      );
      expect(await listDiagnostics(database.db, "a")).toEqual([]);
    });
  });
}
