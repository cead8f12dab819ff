import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { Hono } from "hono";
import { sql } from "kysely";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHistory } from "../ledger/history.ts";
import { type Rig, startRig } from "../rig.ts";
import { listen } from "../serve.ts";
import { formatCursor } from "../tail/cursor.ts";
import { Tail } from "../tail/tail.ts";
import type { DoorEnv } from "./door.ts";
import { eventsDoor } from "./events.ts";
import { Streams } from "./streams.ts";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  rig.gate.add("others", { kind: "key", clients: ["other"], acts: new Set(["write", "read"]) });
});
afterEach(() => rig.stop());

const as = (name: string, more = {}) => ({ authorization: `Bearer ${name}`, ...more });
const put = async (path: string, name = "key") =>
  await rig.ask("PUT", `/v1/files/pos/${path}`, as(name, { "idempotency-key": randomUUID() }), path);
const get = async (query = "") => await rig.ask("GET", `/v1/events${query}`, as("reader"));
const named = (json: Record<string, unknown>): string[] =>
  (json.events as { path: string }[]).map((event) => event.path);

/** An open stream of server-sent events. */
async function stream(
  headers: Record<string, string> = {},
  { url, ca } = { url: rig.receiver.url, ca: rig.ca },
) {
  let text = "";
  let ended = false;
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      `${url}/v1/events`,
      { ca, agent: false, headers: as("reader", { accept: "text/event-stream", ...headers }) },
      resolve,
    );
    sent.on("error", reject).end();
  });
  incoming.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  incoming.on("close", () => {
    ended = true;
  });
  return {
    incoming,
    ended: () => ended,
    paths: () =>
      [...text.matchAll(/^data: (.*)$/gm)].map(
        ([, json]) => (JSON.parse(String(json)) as { path: string }).path,
      ),
    ids: () => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => String(id)),
  };
}

test("pages go on from their cursor, see only what the reader may, and never end", async () => {
  await put("one");
  await put("theirs", "others");
  await put("two");
  const first = await get("?limit=1");
  expect(named(first.json)).toEqual(["one"]);
  const second = await get(`?cursor=${String(first.json.cursor)}`);
  expect(named(second.json)).toEqual(["two"]);
  const third = await get(`?cursor=${String(second.json.cursor)}`);
  expect(named(third.json)).toEqual([]);
  await put("three");
  expect(named((await get(`?cursor=${String(third.json.cursor)}`)).json)).toEqual(["three"]);
  expect(Object.keys((first.json.events as object[])[0] as object)).not.toContain("receipt");
});

test("a stream brings what is there and what comes, and goes on from Last-Event-ID", async () => {
  await put("one");
  const open = await stream();
  await expect.poll(open.paths).toEqual(["one"]);
  await put("theirs", "others");
  await put("two");
  await expect.poll(open.paths).toEqual(["one", "two"]);
  open.incoming.destroy();
  const next = await stream({ "last-event-id": String(open.ids()[0]) });
  await expect.poll(next.paths).toEqual(["two"]);
  next.incoming.destroy();
});

test("the client in the header counts as the one in the query", async () => {
  rig.gate.add("both", { kind: "key", clients: ["acme", "other"], acts: new Set(["read"]) });
  await put("one");
  await put("theirs", "others");
  const seen = async (more: Record<string, string>) => await rig.ask("GET", "/v1/events", as("both", more));
  expect(named((await seen({})).json)).toEqual(["one", "theirs"]);
  expect(named((await seen({ "tributary-client": "other" })).json)).toEqual(["theirs"]);
  expect((await seen({ "tributary-client": "third" })).json.code).toBe("client-not-allowed");
});

test("a revoked reader's stream is cut, and so is every stream when the receiver stops", async () => {
  const [cut, other] = [await stream(), await stream({ authorization: "Bearer others" })];
  rig.gate.revoke("reader");
  await expect.poll(cut.ended).toBe(true);
  expect(other.ended()).toBe(false);
  const stopped = rig.receiver.stop();
  await expect.poll(other.ended).toBe(true);
  await stopped;
});

test("a cursor of an older ledger is gone, one from the future too, anything else is no cursor", async () => {
  await put("one");
  const { epoch } = await rig.database.db.selectFrom("site").select("epoch").executeTakeFirstOrThrow();
  const code = async (cursor: string) => (await get(`?cursor=${cursor}`)).json.code;
  expect(await code(formatCursor({ epoch: randomUUID(), seq: 1 }))).toBe("cursor-gone");
  expect(await code(formatCursor({ epoch, seq: 2 }))).toBe("cursor-gone");
  expect((await get(`?cursor=${formatCursor({ epoch: randomUUID(), seq: 0 })}`)).status).toBe(410);
  for (const garbage of [
    "x",
    "e30",
    "bnVsbA",
    `${formatCursor({ epoch, seq: 1 })}x`,
    formatCursor({ epoch, seq: -1 }),
  ])
    expect(await code(garbage)).toBe("cursor-invalid");
});

test("a reader that has gone before its stream begins leaves nothing behind", async () => {
  const { identify } = rig.gate;
  let looked = false;
  let goOn = (): void => {};
  const gone = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  rig.gate.identify = async (asked) => {
    looked = true;
    await gone;
    return await identify(asked);
  };
  const sent = request(`${rig.receiver.url}/v1/events`, {
    ca: rig.ca,
    agent: false,
    headers: as("reader", { accept: "text/event-stream" }),
  });
  const closed = new Promise((resolve) => sent.on("error", () => {}).on("close", resolve));
  sent.end();
  await expect.poll(() => looked).toBe(true);
  sent.destroy();
  await closed;
  // Until the server has seen it: a request after it is answered.
  await rig.ask("GET", "/healthz");
  await new Promise((resolve) => setTimeout(resolve, 100));
  goOn();
  rig.gate.identify = identify;
  await put("one");
  await expect.poll(() => rig.gate.watched("reader")).toBe(0);
});

test("a ledger that fails under an open stream ends it, and nothing is written behind its end", async () => {
  const said: unknown[] = [];
  const { error } = console;
  console.error = (...args) => void said.push(args);
  try {
    const open = await stream();
    await expect.poll(() => rig.gate.watched("reader")).toBe(1);
    await sql`alter table entries rename to away`.execute(rig.database.db);
    await sql`update site set last_seq = 1`.execute(rig.database.db);
    await expect.poll(open.ended).toBe(true);
    expect(said).toEqual([]);
  } finally {
    console.error = error;
    await sql`alter table away rename to entries`.execute(rig.database.db);
  }
});

test("a revoked reader that does not read loses its connection", { timeout: 30_000 }, async () => {
  // More than the sockets' buffers hold: 17 KB an event.
  await Promise.all(Array.from({ length: 600 }, (_, i) => put(`${i}${"%20".repeat(4000)}`)));
  const open = await stream();
  open.incoming.pause();
  await expect.poll(() => rig.gate.watched("reader")).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  rig.gate.revoke("reader");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  open.incoming.on("error", () => {}).resume();
  await expect.poll(open.ended).toBe(true);
  expect(open.incoming.complete).toBe(false);
});

test("an empty Last-Event-ID is none, and HEAD answers without a stream", async () => {
  await put("one");
  const open = await stream({ "last-event-id": "" });
  await expect.poll(open.paths).toEqual(["one"]);
  open.incoming.destroy();
  const answer = await rig.ask("HEAD", "/v1/events", as("reader", { accept: "text/event-stream" }));
  expect([answer.status, answer.headers["content-type"]]).toEqual([200, "text/event-stream"]);
});

test("a reader that takes nothing loses its connection, and one that takes slowly does not", {
  timeout: 60_000,
}, async () => {
  const stopping = new AbortController();
  const history = createHistory(rig.database.db);
  const door = eventsDoor({
    ...{ gate: rig.gate, history, tail: new Tail(history), streams: new Streams(9) },
    // Ten sips fit into its patience: a busy machine misses some of them.
    ...{ stopping: stopping.signal, heartbeat: 15_000, patience: 3000 },
  });
  const app = new Hono<DoorEnv>({ getPath: () => "/v1/events" })
    .use(async (c, next) => {
      c.set("requestId", "asked");
      c.set("admission", { count: async () => {}, look: async (_c, _credentials, look) => await look() });
      await next();
    })
    .route("/", door);
  const listening = await listen({
    ...{ app, host: "127.0.0.1", port: 0, stopping: stopping.signal, report: () => {} },
    tls: await rig.keys.certificate(),
  });
  // More than the sockets' buffers hold: 17 KB an event.
  await Promise.all(Array.from({ length: 600 }, (_, i) => put(`${i}${"%20".repeat(4000)}`)));
  const at = { url: listening.url, ca: rig.ca };
  const [deaf, slow] = [await stream({}, at), await stream({}, at)];
  deaf.incoming.on("error", () => {}).pause();
  slow.incoming.pause();
  const sips = setInterval(() => {
    slow.incoming.resume();
    setTimeout(() => slow.incoming.pause(), 30);
  }, 300);
  await new Promise((resolve) => setTimeout(resolve, 6000));
  clearInterval(sips);
  await new Promise((resolve) => setTimeout(resolve, 50));
  deaf.incoming.resume();
  slow.incoming.resume();
  await expect.poll(deaf.ended, { timeout: 10_000 }).toBe(true);
  expect(deaf.incoming.complete).toBe(false);
  await expect.poll(() => slow.paths().length, { timeout: 10_000 }).toBe(600);
  stopping.abort();
  await listening.stop(1000);
});

test("one bearer has at most 16 streams, all together what is configured; who ends one may open another", async () => {
  const open = await Promise.all(Array.from({ length: 16 }, () => stream()));
  expect((await get()).status).toBe(200);
  const asked = async (name: string) => {
    const headers = as(name, { accept: "text/event-stream" });
    const { status, json } = await rig.ask("GET", "/v1/events", headers);
    return [status, json.code];
  };
  expect(await asked("reader")).toEqual([429, "limit-requests"]);
  const other = await stream({ authorization: "Bearer others" });
  open[0]?.incoming.destroy();
  await expect.poll(() => rig.gate.watched("reader")).toBe(15);
  const again = await stream();
  for (const one of [...open, other, again]) one.incoming.destroy();

  const small = await startRig({ settings: { limits: { streams: 1 } } });
  try {
    const { incoming } = await stream({}, { url: small.receiver.url, ca: small.ca });
    small.gate.add("others", { kind: "key", clients: ["other"], acts: new Set(["read"]) });
    const headers = as("others", { accept: "text/event-stream" });
    const answer = await small.ask("GET", "/v1/events", headers);
    expect([answer.status, answer.json.code, answer.headers["retry-after"]]).toEqual([503, "busy", "15"]);
    incoming.destroy();
  } finally {
    await small.stop();
  }
});
