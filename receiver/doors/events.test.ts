import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Rig, startRig } from "../rig.ts";
import { formatCursor } from "../tail/cursor.ts";

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
  (json["events"] as { path: string }[]).map((event) => event.path);

/** An open stream of server-sent events. */
async function stream(headers: Record<string, string> = {}) {
  let text = "";
  let ended = false;
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      `${rig.receiver.url}/v1/events`,
      { ca: rig.ca, agent: false, headers: as("reader", { accept: "text/event-stream", ...headers }) },
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
  const second = await get(`?cursor=${String(first.json["cursor"])}`);
  expect(named(second.json)).toEqual(["two"]);
  const third = await get(`?cursor=${String(second.json["cursor"])}`);
  expect(named(third.json)).toEqual([]);
  await put("three");
  expect(named((await get(`?cursor=${String(third.json["cursor"])}`)).json)).toEqual(["three"]);
  expect(Object.keys((first.json["events"] as object[])[0] as object)).not.toContain("receipt");
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
  const code = async (cursor: string) => (await get(`?cursor=${cursor}`)).json["code"];
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
