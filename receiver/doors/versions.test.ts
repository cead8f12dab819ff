import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { pathForUrl } from "@tributary/shared/path.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type Rig, startRig } from "../rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  rig.gate.add("others", { kind: "key", clients: ["other"], acts: new Set(["write", "read"]) });
  rig.gate.add("bound", { kind: "key", source: "pos", acts: new Set(["read"]) });
  await put("a.csv", "one");
  await put("a.csv", "two");
  await put("caf%E9", "ill");
  await put("b.csv", "bee");
  await put("b.csv", "in erp", "erp");
  await put("secret", "theirs", "pos", "others");
});
afterAll(() => rig.stop());

const as = (name: string, more = {}) => ({ authorization: `Bearer ${name}`, ...more });
async function put(path: string, text: string, source = "pos", name = "key"): Promise<Answer> {
  return await rig.ask(
    "PUT",
    `/v1/files/${source}/${path}`,
    as(name, { "idempotency-key": randomUUID() }),
    text,
  );
}
const get = async (path: string, name = "reader", more = {}) => await rig.ask("GET", path, as(name, more));
const paths = (answer: Answer): string[] =>
  (answer.json.entries as { pathEncoded: string }[]).map((entry) => entry.pathEncoded);

test("pages of history, by source, path, time and newest", async () => {
  expect(paths(await get("/v1/versions"))).toEqual(["a.csv", "a.csv", "caf%E9", "b.csv", "b.csv"]);
  expect(paths(await get("/v1/versions?source=erp"))).toEqual(["b.csv"]);
  expect(paths(await get("/v1/versions?path=a.csv"))).toEqual(["a.csv", "a.csv"]);
  expect(paths(await get(`/v1/versions?path=${pathForUrl(Buffer.from([0x63, 0x61, 0x66, 0xe9]))}`))).toEqual([
    "caf%E9",
  ]);
  expect(paths(await get("/v1/versions?latest=true&source=pos"))).toEqual(["a.csv", "caf%E9", "b.csv"]);
  expect(paths(await get("/v1/versions?asOf=2020-01-01T00:00:00Z"))).toEqual([]);
  const first = await get("/v1/versions?limit=3");
  const second = await get(`/v1/versions?limit=3&cursor=${String(first.json.cursor)}`);
  expect([paths(first).length, paths(second).length, second.json.cursor]).toEqual([3, 2, null]);
  expect((await get("/v1/clients")).json).toEqual({ clients: [{ name: "acme", suspended: false }] });
});

test("pages neither repeat nor pass over an entry when more arrive meanwhile", async () => {
  for (const name of ["p1", "p2", "p3"]) await put(name, name, "paged");
  const seen: string[] = [];
  let cursor: unknown = "";
  do {
    const page = await get(`/v1/versions?source=paged&limit=1&cursor=${String(cursor)}`);
    seen.push(...paths(page));
    cursor = page.json.cursor;
    if (seen.length < 3) await put(`late${seen.length}`, "late", "paged");
  } while (cursor !== null);
  expect(seen).toEqual(["p1", "p2", "p3", "late1", "late2"]);
});

describe("content", () => {
  let url: string;
  beforeAll(async () => {
    const [entry] = (await get("/v1/versions?path=a.csv")).json.entries as { versionId: string }[];
    url = `/v1/versions/${entry?.versionId}`;
  });
  const etag = `"${createHash("sha256").update("one").digest("hex")}"`;

  test("whole, in ranges, not again when it is known", async () => {
    const whole = await get(`${url}/content`);
    expect([whole.status, whole.body.toString(), whole.headers.etag]).toEqual([200, "one", etag]);
    expect([whole.headers["content-length"], whole.headers["x-content-type-options"]]).toEqual([
      "3",
      "nosniff",
    ]);
    const range = async (value: string, more = {}) => {
      const answer = await get(`${url}/content`, "reader", { range: value, ...more });
      return [answer.status, answer.status === 416 ? answer.json.code : answer.body.toString()];
    };
    expect(await range("bytes=0-1")).toEqual([206, "on"]);
    expect(await range("bytes=1-")).toEqual([206, "ne"]);
    expect(await range("bytes=-1")).toEqual([206, "e"]);
    expect(await range("bytes=1-99")).toEqual([206, "ne"]);
    expect(await range("bytes=3-")).toEqual([416, "range-invalid"]);
    expect(await range("bytes=0-0,2-2")).toEqual([200, "one"]);
    expect(await range("bytes=0-1", { "if-range": '"else"' })).toEqual([200, "one"]);
    expect(await range("bytes=0-1", { "if-range": etag })).toEqual([206, "on"]);
    expect((await get(`${url}/content`, "reader", { "if-none-match": etag })).status).toBe(304);
    const head = await rig.ask("HEAD", `${url}/content`, as("reader"));
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "3", 0]);
    expect((await get(url)).json).toMatchObject({ pathEncoded: "a.csv", size: 3, kind: "version" });
  });

  test("its receipt, as it was given", async () => {
    const given = String((await put("receipted.csv", "1")).json.receipt);
    const [entry] = (await get("/v1/versions?path=receipted.csv")).json.entries as { versionId: string }[];
    const receipt = await get(`/v1/versions/${entry?.versionId}/receipt`);
    expect([receipt.status, receipt.headers["content-type"], receipt.body.toString()]).toEqual([
      200,
      "application/jose",
      given,
    ]);
    expect((await get(`/v1/versions/${entry?.versionId}`)).json).not.toHaveProperty("receipt");
    expect((await get(`/v1/versions/${entry?.versionId}/receipt`, "others")).status).toBe(404);
  });

  test("a range outside says how long the content is; none counts with HEAD", async () => {
    const ask = async (method: string, range: string) =>
      await rig.ask(method, `${url}/content`, as("reader", { range }));
    const outside = await ask("GET", "bytes=3-");
    expect([outside.status, outside.headers["content-range"]]).toEqual([416, "bytes */3"]);
    expect((await ask("GET", "bytes=-0")).status).toBe(416);
    expect((await ask("GET", "Bytes=0-0")).headers["content-range"]).toBe("bytes 0-0/3");
    for (const range of ["bytes=0-1", "bytes=3-"]) {
      const head = await ask("HEAD", range);
      expect([head.status, head.headers["content-length"]]).toEqual([200, "3"]);
    }
  });

  test("of an empty file the last bytes are nothing, and from its first on there is nothing", async () => {
    const { versionId } = (await put("empty", "")).json as { versionId: string };
    const ask = async (range: string) => await get(`/v1/versions/${versionId}/content`, "reader", { range });
    expect([(await ask("bytes=-5")).status, (await ask("bytes=-5")).body.length]).toEqual([200, 0]);
    const outside = await ask("bytes=0-");
    expect([outside.status, outside.headers["content-range"]]).toEqual([416, "bytes */0"]);
  });

  test("refused without `read`; another client's version is not found", async () => {
    for (const path of [url, `${url}/content`, "/v1/versions", "/v1/events"])
      expect((await get(path, "key")).json.code).toBe("forbidden");
    expect((await get(url, "others")).json.code).toBe("not-found");
    expect((await get(`${url}/content`, "others")).json.code).toBe("not-found");
    expect((await get(`/v1/versions/${randomUUID()}`)).json.code).toBe("not-found");
    expect((await get("/v1/versions?client=other")).json.code).toBe("client-not-allowed");
    expect((await get("/v1/versions?source=erp", "bound")).json.code).toBe("source-not-allowed");
    expect(paths(await get("/v1/versions", "bound"))).not.toContain("erp");
    expect(paths(await get("/v1/versions", "others"))).toEqual(["secret"]);
  });

  test.for(["limit=0", "limit=x", "asOf=today", "latest=maybe", "path=%zz"])("refuses ?%s", async (query) => {
    expect((await get(`/v1/versions?${query}`)).json.code).toBe("request-invalid");
  });
});

test("a download is cut when its reader is revoked", async () => {
  rig.gate.add("fallen", { kind: "key", acts: new Set(["read"]) });
  const { versionId } = (await put("large", "x".repeat(64 * 2 ** 20))).json as { versionId: string };
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const url = `${rig.receiver.url}/v1/versions/${versionId}/content`;
    const sent = request(url, { ca: rig.ca, agent: false, headers: as("fallen") }, resolve);
    sent.on("error", reject).end();
  });
  const ended = new Promise((resolve) => incoming.on("error", () => {}).on("close", resolve));
  rig.gate.revoke("fallen");
  incoming.resume();
  await ended;
  expect(incoming.complete).toBe(false);
});
