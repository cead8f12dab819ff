import { heartbeatAnswer } from "@tributary/shared/protocol.ts";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { getAgent } from "../identity/agents.ts";
import { redeem } from "../identity/invitations.ts";
import type { Principal } from "../identity/principal.ts";
import { idleHeartbeat, openScene, testHost } from "../identity/scene.ts";
import { fence } from "./fencing.ts";
import { heartbeatOf } from "./heartbeat.ts";
import { fleetStanding } from "./standing.ts";

const refusal = (code: string) => expect.objectContaining({ name: "ProblemError", code });
const trust = { authorities: ["PEM"], system: false };
const keys = { site: crypto.randomUUID(), trust: () => trust, jwks: () => ({ keys: [] }) };

async function openFleet() {
  const scene = await openScene(onTestFinished);
  const host = testHost();
  const enrolled = await redeem(scene.db, host.enrolment(await scene.secret(["mill", "bakery"])));
  const heartbeat = heartbeatOf({ db: scene.db, keys, now: () => scene.clock.now, heartbeatSeconds: 7 });
  const principal = principalWith(enrolled.agentId, host.x);
  const beat = (nonce: string, name = "till-1") => heartbeat(principal, idleHeartbeat(nonce, name));
  const state = async () => (await getAgent(scene.db, enrolled.agentId))?.state;
  return { ...scene, ...enrolled, host, heartbeat, principal, beat, state };
}

function principalWith(id: string, publicKey: string): Principal {
  const acts = new Set(["write", "remove"] as const);
  return { kind: "agent", id, clients: ["bakery", "mill"], source: undefined, acts, publicKey };
}

describe("a heartbeat", () => {
  test("is answered with all that an agent needs, and remembered", async () => {
    const { db, beat, nonce, agentId, clock } = await openFleet();
    const answer = heartbeatAnswer.parse(await beat(nonce, "renamed"));
    expect(answer).toMatchObject({ heartbeatSeconds: 7, clients: ["bakery", "mill"], trust, commands: [] });
    expect(answer.nonce).not.toBe(nonce);
    const view = await getAgent(db, agentId);
    expect(view).toMatchObject({ host: "renamed", version: "1.0.1", state: "active" });
    expect(view?.lastSeenAt).toBe(new Date(clock.now).toISOString());
    expect(view?.status).toMatchObject({ queue: { depth: 3, bytes: 4096 }, skewMs: 12 });
    expect(JSON.stringify(view)).not.toContain(nonce);
    const { agents, waiting, bytes, skewMs } = await fleetStanding(db, clock.now);
    expect({ agents, waiting, bytes, skewMs }).toMatchObject({
      ...{ agents: { seen: 1, silent: 0 }, waiting: 3, bytes: 4096, skewMs: 12 },
    });
  });

  test("of a lost answer is no fork, however often it is lost", async () => {
    const { beat, nonce, state } = await openFleet();
    const first = await beat(nonce);
    for (let lost = 0; lost < 3; lost += 1) await beat(nonce);
    const heard = await beat(nonce);
    expect(heard.nonce).not.toBe(first.nonce);
    await beat((await beat(heard.nonce)).nonce);
    expect(await state()).toBe("active");
  });

  test("after a restore any is taken", async () => {
    const { db, beat, state } = await openFleet();
    await db.updateTable("agents").set({ nonce: null, nonce_previous: null }).execute();
    await beat((await beat("whatever the agent still knows")).nonce);
    expect(await state()).toBe("active");
  });

  test("of an API key, a revoked agent, an unknown one or an old key is refused, nothing recorded", async () => {
    const { db, heartbeat, principal, nonce, agentId } = await openFleet();
    const beat = idleHeartbeat(nonce);
    await expect(heartbeat({ ...principal, kind: "key" }, beat)).rejects.toEqual(refusal("forbidden"));
    await expect(heartbeat({ ...principal, id: "nobody" }, beat)).rejects.toEqual(refusal("unauthenticated"));
    await expect(heartbeat(principalWith(agentId, testHost().x), beat)).rejects.toEqual(
      refusal("unauthenticated"),
    );
    await db.updateTable("agents").set({ state: "revoked" }).execute();
    await expect(heartbeat(principal, beat)).rejects.toEqual(refusal("agent-revoked"));
    expect(await getAgent(db, agentId)).toMatchObject({ lastSeenAt: null, state: "revoked" });
  });
});

describe("a copied identity", () => {
  test("stops both hosts at the latest at the copy's second heartbeat, and names them", async () => {
    const { db, beat, nonce, agentId } = await openFleet();
    const shared = (await beat(nonce)).nonce;
    const original = (await beat(shared, "till-1")).nonce;
    await beat(shared, "copy"); // taken for a lost answer
    await expect(beat(original, "till-1")).rejects.toEqual(refusal("agent-forked"));
    await expect(beat(shared, "copy")).rejects.toEqual(refusal("agent-forked"));
    const view = await getAgent(db, agentId);
    expect(view?.state).toBe("forked");
    expect(new Set(view?.status?.fork?.hosts)).toEqual(new Set(["till-1", "copy"]));
    expect(view?.status?.queue.depth).toBe(3);
  });

  test("an older copy is found at once", async () => {
    const { beat, nonce, state } = await openFleet();
    const second = (await beat(nonce)).nonce;
    await beat(second);
    await expect(beat(nonce, "copy")).rejects.toEqual(refusal("agent-forked"));
    expect(await state()).toBe("forked");
  });

  test("only a new code ends it, for the host that has it", async () => {
    const { db, secret, heartbeat, beat, nonce, agentId, state } = await openFleet();
    await beat((await beat(nonce)).nonce);
    await expect(beat(nonce)).rejects.toEqual(refusal("agent-forked"));
    await expect(beat(nonce)).rejects.toEqual(refusal("agent-forked"));
    const right = testHost("right");
    const moved = await redeem(db, right.enrolment(await secret([], { replaces: agentId })));
    await heartbeat(principalWith(agentId, right.x), idleHeartbeat(moved.nonce));
    await expect(beat(nonce)).rejects.toEqual(refusal("unauthenticated"));
    expect(await state()).toBe("active");
  });
});

test("property: one host with any losses is never a fork; two that both go on always are", () => {
  let made = 0;
  const fresh = () => `n${++made}`;
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (lost) => {
      let table: { current: string | null; previous: string | null } = { current: fresh(), previous: null };
      let held = table.current as string;
      for (const isLost of lost) {
        const next = fence(table, held, fresh());
        expect(next).toBeDefined();
        table = next as typeof table;
        if (!isLost) held = table.current as string;
      }
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 4, maxLength: 40 }), (order) => {
      const start = fresh();
      const held = [start, start];
      let table: { current: string | null; previous: string | null } = { current: start, previous: null };
      let forked = false;
      for (const second of [...order, false, true, false, true]) {
        const next = fence(table, held[second ? 1 : 0] as string, fresh());
        if (!next) {
          forked = true;
          break;
        }
        table = next;
        held[second ? 1 : 0] = next.current as string;
      }
      expect(forked).toBe(true);
    }),
  );
});
