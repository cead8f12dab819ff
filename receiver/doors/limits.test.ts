/** Limits as senders meet them: over real HTTPS, the refusal before the body is read, the fields on every answer. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BearerLimits } from "../ledger/limits.ts";
import { type Answer, type Rig, startRig } from "../rig.ts";

const none: BearerLimits = { requests: null, uploads: null, day: null, file: null };
let rig: Rig;
beforeEach(async () => {
  rig = await startRig({ settings: { limits: { requests: "50/m", uploads: 3 } } });
});
afterEach(() => rig.stop());

const auth = (name: string) => ({ authorization: `Bearer ${name}`, "idempotency-key": randomUUID() });
const put = (path: string, body: Parameters<Rig["ask"]>[3] = "x", name = "key"): Promise<Answer> =>
  rig.ask("PUT", `/v1/files/pos/${path}`, auth(name), body);
const limitKey = (limits: Partial<BearerLimits>): void =>
  rig.gate.add("key", { kind: "key", acts: new Set(["write"]), limits: { ...none, ...limits } });

/** A body that is under way until `end` is called. */
function openBody() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = (async function* () {
    yield Buffer.from("begun");
    await promise;
  })();
  return { body, end: resolve };
}

test("every answer to somebody known says how the limit stands, refusals and problems too", async () => {
  const created = await put("a");
  expect(created.status).toBe(201);
  expect(created.headers["ratelimit-policy"]).toBe('"client";q=50;w=60');
  expect(created.headers.ratelimit).toBe('"client";r=49;t=60');
  const problem = await rig.ask("GET", "/v1/versions", auth("key"));
  expect(problem.json["code"]).toBe("forbidden");
  expect(problem.headers.ratelimit).toMatch(/^"client";r=48;t=\d\d$/);
  const streamed = await rig.ask("GET", `/v1/versions/${created.json["versionId"]}/content`, auth("reader"));
  expect(streamed.headers.ratelimit).toMatch(/^"client";r=47;t=\d\d$/);
  for (const path of ["/healthz", "/readyz", "/.well-known/jwks.json"])
    expect((await rig.ask("GET", path)).headers).not.toHaveProperty("ratelimit");
});

test("over the limit: 429, when to come again, and whose limit it is; another client goes on", async () => {
  limitKey({ requests: { count: 2, perMs: 60_000 } });
  rig.gate.add("theirs", { kind: "key", clients: ["other"] });
  await put("a");
  const second = await put("b");
  expect(second.headers["ratelimit-policy"]).toBe('"key";q=2;w=60, "client";q=50;w=60');
  const refused = await put("c");
  expect(refused.status).toBe(429);
  expect(refused.headers["content-type"]).toBe("application/problem+json");
  expect(refused.json).toMatchObject({
    code: "limit-requests",
    detail: expect.stringContaining('the API key "key"'),
  });
  const retryAfter = Number(refused.headers["retry-after"]);
  expect(retryAfter).toBeGreaterThan(0);
  expect(retryAfter).toBeLessThanOrEqual(60);
  expect(refused.headers["ratelimit-policy"]).toBe(second.headers["ratelimit-policy"]);
  expect(refused.headers.ratelimit).toBe(`"key";r=0;t=${retryAfter}`);
  expect((await put("d", "x", "theirs")).status).toBe(201);
  expect(await rig.entries()).toBe(3);
  const metrics = (await rig.ask("GET", "/metrics")).body.toString();
  expect(metrics).toContain('tributary_limited_total{limit="requests",of="key"} 1');
});

test("uploads at once: the one too many is refused unread, and welcome when another has ended", async () => {
  const open = [openBody(), openBody(), openBody()];
  const under = open.map(({ body }, i) => put(`open-${i}`, body));
  await expect
    .poll(async () => (await rig.ask("GET", "/metrics")).body.toString())
    .toMatch(/bodies_in_flight 3/);
  const late = { ...auth("key"), expect: "100-continue", "content-length": "5" };
  const { url } = rig.receiver;
  const sent = request(`${url}/v1/files/pos/late`, { method: "PUT", ca: rig.ca, headers: late });
  let asked = false;
  sent.on("continue", () => {
    asked = true;
  });
  sent.flushHeaders();
  const [refused] = (await once(sent, "response")) as [IncomingMessage];
  expect(refused.statusCode).toBe(429);
  expect(refused.headers["retry-after"]).toBe("1");
  const problem = JSON.parse(Buffer.concat(await refused.toArray()).toString());
  expect(problem).toMatchObject({
    code: "limit-concurrent",
    detail: expect.stringContaining('"acme" may have 3'),
  });
  expect(asked).toBe(false);
  sent.destroy();
  open[0]?.end();
  await under[0];
  expect((await put("late")).status).toBe(201);
  for (const { end } of open) end();
  expect((await Promise.all(under)).map(({ status }) => status)).toEqual([201, 201, 201]);
});

test("a key's own uploads are fewer than its client's", async () => {
  limitKey({ uploads: 1 });
  const open = openBody();
  const under = put("open", open.body);
  await expect
    .poll(async () => (await rig.ask("GET", "/metrics")).body.toString())
    .toMatch(/bodies_in_flight 1/);
  expect((await put("second")).json["detail"]).toContain('the API key "key" may have 1 upload under way');
  expect((await put("theirs", "x", "reader")).status).toBe(201);
  open.end();
  expect((await under).status).toBe(201);
});

test("wrong keys are looked at thirty times a minute; the right ones go on, and new ones wait", async () => {
  await put("a");
  const guess = (i: number) => put("g", "x", `guess-${i}`);
  for (let i = 0; i < 30; i += 1) expect((await guess(i)).status).toBe(401);
  const refused = await guess(30);
  expect(refused.status).toBe(429);
  expect(refused.json["code"]).toBe("limit-requests");
  expect(Number(refused.headers["retry-after"])).toBeLessThanOrEqual(60);
  expect((await put("b")).status).toBe(201);
  expect((await put("c", "x", "reader")).status).toBe(429);
  expect((await rig.ask("GET", "/v1/clients")).status).toBe(401);
});
