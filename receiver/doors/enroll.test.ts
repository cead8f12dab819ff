/** Enrolment and heartbeat as an agent does them: real TLS under the site's own authority, real tokens, the real gate. */

import { createPublicKey } from "node:crypto";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { enrollAnswer, heartbeatAnswer, ROUTE } from "@tributary/shared/protocol.ts";
import { signToken } from "@tributary/shared/token.ts";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { receiverSettings } from "../config.ts";
import { enrolOf } from "../fleet/enrol.ts";
import { heartbeatOf } from "../fleet/heartbeat.ts";
import { listAgents, revokeAgent } from "../identity/agents.ts";
import { addApiKey } from "../identity/apikeys.ts";
import { openGate } from "../identity/gate.ts";
import { openKeys } from "../identity/keys.ts";
import { idleHeartbeat, openScene, type TestHost, testHost } from "../identity/scene.ts";
import { memoryLake } from "../lake/memory.ts";
import { memoryCounts } from "../limits/memory.ts";
import { runReceiver } from "../run.ts";
import { enrollDoor } from "./enroll.ts";
import { heartbeatDoor } from "./heartbeat.ts";

interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

async function openReceiver() {
  const scene = await openScene(onTestFinished);
  const { db, database } = scene;
  const keys = await openKeys({ db, folder: join(scene.folder, "keys"), hosts: ["localhost", "127.0.0.1"] });
  const gate = openGate({ db, site: keys.site, cacheMs: 0 });
  const fleet = { db, keys, heartbeatSeconds: 5 };
  const doors = [enrollDoor(enrolOf(fleet)), heartbeatDoor(gate, heartbeatOf(fleet))];
  const settings = receiverSettings.parse({ listen: { ingest: "127.0.0.1:0" } });
  const log = pino({ level: "silent" });
  const webhooks = { send: async () => ({ kind: "cut" }) as const, openSecret: () => undefined };
  const parts = { settings, database, lake: memoryLake(), counts: memoryCounts(), keys, gate, doors, log };
  const receiver = await runReceiver({ ...parts, webhooks });
  const agent = new Agent({ ca: keys.trust().authorities, keepAlive: false });
  onTestFinished(async () => {
    await receiver.stop();
    gate.close();
    keys.close();
  });
  const post = (path: string, body: unknown, authorization?: string) =>
    new Promise<Answer>((resolve, reject) => {
      const headers = authorization === undefined ? {} : { authorization };
      const sent = request(`${receiver.url}${path}`, { agent, method: "POST", headers }, (incoming) => {
        const read = async () => {
          const text = Buffer.concat(await incoming.toArray()).toString("utf8");
          resolve({ status: incoming.statusCode ?? 0, json: JSON.parse(text) });
        };
        read().catch(reject);
      });
      sent.on("error", reject);
      sent.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  const tokenOf = async (host: TestHost, agentId: string, more = {}) => {
    const input = { agentId, site: keys.site, method: "POST", path: ROUTE.heartbeat, now: Date.now() };
    return `Bearer ${signToken({ ...input, ...more }, host.privateKey)}`;
  };
  return { ...scene, keys, post, tokenOf };
}

test("a code becomes an agent, whose heartbeats are answered; a second host gets nothing", async () => {
  const { db, keys, secret, post, tokenOf } = await openReceiver();
  const till = testHost();
  const code = await secret(["bakery"]);
  const enrolled = await post(ROUTE.enroll, till.enrolment(code));
  expect(enrolled.status).toBe(200);
  const answer = enrollAnswer.parse(enrolled.json);
  expect(answer).toMatchObject({ site: keys.site, clients: ["bakery"], trust: keys.trust() });
  expect((await post(ROUTE.enroll, till.enrolment(code))).json).toEqual(enrolled.json);
  expect(await post(ROUTE.enroll, testHost().enrolment(code))).toMatchObject({
    ...{ status: 403, json: { code: "code-used" } },
  });

  const { agentId, nonce } = answer;
  const beat = idleHeartbeat(nonce);
  const taken = await post(ROUTE.heartbeat, beat, await tokenOf(till, agentId));
  expect(heartbeatAnswer.parse(taken.json)).toMatchObject({ heartbeatSeconds: 5, jwks: keys.jwks() });
  const refused = async (authorization: string | undefined, status: number, code: string) =>
    expect(await post(ROUTE.heartbeat, beat, authorization)).toMatchObject({ status, json: { code } });
  await refused(undefined, 401, "unauthenticated");
  await refused(await tokenOf(testHost(), agentId), 401, "unauthenticated");
  await refused(await tokenOf(till, agentId, { path: "/v1/removals" }), 401, "unauthenticated");
  await refused(await tokenOf(till, agentId, { now: Date.now() - 400_000 }), 401, "token-expired");
  await refused(`Bearer ${await addApiKey(db, { client: "bakery" })}`, 403, "forbidden");
  expect((await listAgents(db)).map((agent) => agent.state)).toEqual(["active"]);
  await revokeAgent(db, agentId);
  await refused(await tokenOf(till, agentId), 403, "agent-revoked");
});

test("what is no enrolment or heartbeat is refused, and nobody is enrolled", async () => {
  const { db, secret, post, tokenOf } = await openReceiver();
  const till = testHost();
  const whole = till.enrolment(await secret(["bakery"]));
  const { x } = createPublicKey(till.privateKey).export({ format: "jwk" });
  for (const [body, code] of [
    ["{", "json-invalid"],
    [{}, "request-invalid"],
    [{ ...whole, publicKey: { kty: "RSA", n: "AQAB" } }, "request-invalid"],
    [{ ...whole, publicKey: { kty: "OKP", crv: "Ed25519", x: `${x}AAAA` } }, "request-invalid"],
    [{ ...whole, secret: "short" }, "request-invalid"],
    [{ ...whole, secret: "x".repeat(43) }, "code-unknown"],
    [{ ...whole, host: "h".repeat(300) }, "request-invalid"],
  ] as const)
    expect((await post(ROUTE.enroll, body)).json, JSON.stringify(body)).toMatchObject({ code });
  expect(await listAgents(db)).toEqual([]);
  const { agentId, nonce } = enrollAnswer.parse((await post(ROUTE.enroll, whole)).json);
  for (const body of [{ nonce }, { ...idleHeartbeat(nonce), queue: { depth: -1, bytes: 0, aside: 0 } }])
    expect((await post(ROUTE.heartbeat, body, await tokenOf(till, agentId))).json).toMatchObject({
      code: "request-invalid",
    });
  expect((await listAgents(db))[0]).toMatchObject({ state: "active", lastSeenAt: null });
});
