import { createHash, randomUUID } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { decodePath, encodePath, pathForUrl } from "@tributary/shared/path.ts";
import { verifyReceipt } from "@tributary/shared/receipt.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Rig, startRig } from "../rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const sha256 = (text: string | Uint8Array): string => createHash("sha256").update(text).digest("hex");
const raw = (): string[] => [...rig.lake.objects.keys()].filter((key) => key.startsWith("raw/"));
const asKey = { authorization: "Bearer key" };
const asAgent = (text: string | Uint8Array, captureId: string = randomUUID()): Record<string, string> => ({
  authorization: "Bearer agent",
  "idempotency-key": captureId,
  "repr-digest": formatDigest(sha256(text)),
});

test("a file is in the lake, the ledger and the manifest before its receipt", async () => {
  const answer = await rig.ask("PUT", "/v1/files/pos/day/1.csv", asAgent("hello"), "hello");
  expect(answer.status).toBe(201);
  expect(answer.json).toMatchObject({
    status: "created",
    client: "acme",
    source: "pos",
    path: "day/1.csv",
    size: 5,
    sha256: sha256("hello"),
  });
  const claims = verifyReceipt(String(answer.json.receipt), rig.keys.jwks());
  expect(claims).toMatchObject({
    status: "created",
    channel: "push",
    agentId: "agent",
    sha256: sha256("hello"),
  });
  const key = raw().find((name) => name.includes(claims.versionId));
  expect(key).toMatch(/^raw\/client=acme\/source=pos\/date=.*\/day\/1\.csv$/);
  expect(rig.lake.objects.get(String(key))?.toString()).toBe("hello");
  const manifest = [...rig.lake.objects].filter(([name]) => name.startsWith("manifest/"));
  expect(manifest.some(([, bytes]) => bytes.includes(claims.versionId))).toBe(true);
  expect(rig.lake.staged()).toBe(0);
});

test("the same bytes again are unchanged, other bytes are a new version, and again the first ones a third", async () => {
  const put = async (text: string) => await rig.ask("PUT", "/v1/files/pos/aba", asAgent(text), text);
  const [a, same, b, again] = [await put("A"), await put("A"), await put("B"), await put("A")];
  expect([a, same, b, again].map((answer) => [answer.status, answer.json.status])).toEqual([
    [201, "created"],
    [200, "unchanged"],
    [201, "created"],
    [201, "created"],
  ]);
  expect(same.json.versionId).toBe(a.json.versionId);
});

test("a captureId gives its receipt again, also to two at once, and refuses other content", async () => {
  const captureId = randomUUID();
  const before = await rig.entries();
  const put = async (text: string) =>
    await rig.ask("PUT", "/v1/files/pos/once", asAgent(text, captureId), text);
  const [one, two] = await Promise.all([put("same"), put("same")]);
  expect(one.json.receipt).toBe(two.json.receipt);
  expect((await put("same")).json.receipt).toBe(one.json.receipt);
  const conflict = await put("else");
  expect([conflict.status, conflict.json.code]).toEqual([409, "capture-conflict"]);
  expect(await rig.entries()).toBe(before + 1);
  expect(raw().filter((key) => key.endsWith("/once"))).toHaveLength(1);
});

test("an Idempotency-Key between quotes is the same one as without", async () => {
  const put = async (key: string) =>
    await rig.ask("PUT", "/v1/files/pos/quoted", { ...asKey, "idempotency-key": key }, "x");
  const plain = await put("till-7-43");
  const quoted = await put('"till-7-43"');
  expect([quoted.status, quoted.json.receipt]).toEqual([201, plain.json.receipt]);
  expect((await put('"till-7-43')).json.code).toBe("request-invalid");
});

describe("refused, nothing recorded, nothing in the lake", () => {
  let entries = 0;
  let objects = 0;
  beforeEach(async () => {
    entries = await rig.entries();
    objects = rig.lake.objects.size;
  });
  const expectRefused = async (
    answer: Promise<{ status: number; json: Record<string, unknown>; headers: Record<string, unknown> }>,
    status: number,
    code: string,
  ) => {
    const { json, headers, ...rest } = await answer;
    expect([rest.status, json.code]).toEqual([status, code]);
    expect(headers["content-type"]).toBe("application/problem+json");
    expect(json.requestId).toBe(headers["x-request-id"]);
    expect(await rig.entries()).toBe(entries);
    expect(rig.lake.objects.size).toBe(objects);
    expect(rig.lake.staged()).toBe(0);
  };

  test.for([
    "",
    "/",
    "//etc/passwd",
    "/a//b",
    "/a/",
    "/.",
    "/..",
    "/a/..",
    "/a/../b",
    "/../../uploads",
    "/%2e%2e/a",
    "/%2E%2e/a",
    "/.%2e/a",
    "/a/%2e/b",
    "/a%2F..%2Fb",
    "/a%2f%2fb",
    "/%2Fetc",
    "/..%5Ca",
    "/a%5c..%5cb",
    "/a\\..\\b",
    "/..\\a",
    "/C:",
    "/C:/a",
    "/c%3a/a",
    "/C:%5CWindows",
    "/a/C:%5Cb",
    "/a%00b",
    "/%00",
    "/a%zzb",
    "/a%2",
    `/${"a".repeat(4097)}`,
    `/${"%C3%A9".repeat(2049)}`,
  ])("the path %j", async (path) => {
    await expectRefused(rig.ask("PUT", `/v1/files/pos${path}`, asKey, "x"), 422, "path-invalid");
  });

  test.for(["POS", "%2e%2e", "..", "a_b", "-a", "a".repeat(64), "p%00s", ""])(
    "the source %j",
    async (source) => {
      await expectRefused(rig.ask("PUT", `/v1/files/${source}/x`, asKey, "x"), 422, "source-invalid");
    },
  );

  test("nobody, somebody else's client, somebody else's source, somebody who may not write", async () => {
    rig.gate.add("bound", { kind: "key", source: "pos" });
    rig.gate.add("reads", { kind: "key", acts: new Set(["read"]) });
    rig.gate.add("house", { clients: ["acme", "other"] });
    const as = (name: string, more = {}) => ({ authorization: `Bearer ${name}`, ...more });
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", {}, "x"), 401, "unauthenticated");
    await expectRefused(rig.ask("PUT", "/v1/files/other/x", as("bound"), "x"), 403, "source-not-allowed");
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", as("reads"), "x"), 403, "forbidden");
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", as("house"), "x"), 400, "client-required");
    const other = as("key", { "tributary-client": "other" });
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", other, "x"), 403, "client-not-allowed");
  });

  test("a wrong, unreadable or missing digest, a missing captureId, an encoding", async () => {
    const { "repr-digest": _digest, ...without } = asAgent("x");
    const { "idempotency-key": _key, ...nameless } = asAgent("x");
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", asAgent("y"), "x"), 422, "digest-mismatch");
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", without, "x"), 400, "digest-required");
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", nameless, "x"), 400, "request-invalid");
    const unreadable = { ...asKey, "repr-digest": "sha-256=:abc:" };
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", unreadable, "x"), 400, "digest-invalid");
    const encoded = { ...asKey, "content-encoding": "gzip" };
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", encoded, "x"), 415, "content-encoding-refused");
    await expectRefused(rig.ask("POST", "/v1/uploads", encoded, "x"), 415, "content-encoding-refused");
    const late = { ...asKey, "tributary-modified-at": "yesterday" };
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", late, "x"), 400, "request-invalid");
    const long = { ...asKey, "tributary-modified-at": `2026-01-31T05:00:00.${"0".repeat(5000)}Z` };
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", long, "x"), 400, "request-invalid");
  });

  test("a piece of a file, and digests that differ or are wrong under either name", async () => {
    const piece = { ...asKey, "content-range": "bytes 40-44/45" };
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", piece, "piece"), 400, "request-invalid");
    const wrong = { ...asKey, "content-digest": formatDigest(sha256("y")) };
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", wrong, "x"), 422, "digest-mismatch");
    await expectRefused(
      rig.ask(
        "PUT",
        "/v1/files/pos/x",
        { ...asAgent("x"), "content-digest": formatDigest(sha256("y")) },
        "x",
      ),
      400,
      "digest-invalid",
    );
    const twice = { ...asKey, "repr-digest": [sha256("x"), sha256("y")].map(formatDigest).join(", ") };
    await expectRefused(rig.ask("PUT", "/v1/files/pos/x", twice, "x"), 400, "digest-invalid");
  });

  test("a method that is not taken, an address where nothing is", async () => {
    const answer = await rig.ask("POST", "/v1/files/pos/x", asKey, "x");
    expect([answer.status, answer.json.code, answer.headers.allow]).toEqual([
      405,
      "method-not-allowed",
      "PUT",
    ]);
    await expectRefused(rig.ask("PUT", "/v2/files/pos/x", asKey, "x"), 404, "not-found");
    expect((await rig.ask("POST", "/v1/versions", asKey)).headers.allow).toBe("GET, HEAD");
    for (const path of ["/v1/versions/", "/v1/versions//content", "/v1/uploads//parts/1"])
      await expectRefused(rig.ask("GET", path, asKey), 404, "not-found");
  });
});

test.for([
  "plain.csv",
  "ä/ö ü.csv",
  "a=b",
  "a%2Fb",
  "100%",
  "a+b c",
  "CON.txt",
  "trailing.",
  " leading",
  "back\\slash",
  "new\nline",
  "tab\tq?#&;",
  "...",
  "…/‥",
  "C",
  "C:x",
  "e\u0301",
  "\u00e9",
  "x".repeat(255),
  `${"d/".repeat(200)}f`,
])("the odd name %j is delivered byte for byte", async (name) => {
  const bytes = Buffer.from(name);
  const answer = await rig.ask("PUT", `/v1/files/odd/${pathForUrl(bytes)}`, asKey, name);
  expect(answer.status).toBe(201);
  expect(answer.json.pathEncoded).toBe(encodePath(bytes));
  expect(decodePath(String(answer.json.pathEncoded))).toEqual(bytes);
});

test("names that are not UTF-8, and raw bytes in the request line, are the bytes that they are", async () => {
  const ill = await rig.ask("PUT", "/v1/files/odd/caf%E9", asKey, "latin1");
  expect(ill.json).toMatchObject({ pathEncoded: "caf%E9", path: "caf\ufffd" });
  const spelled = await rig.ask("PUT", "/v1/files/odd/%63af%c3%a9", asKey, "utf8");
  expect(spelled.json.pathEncoded).toBe("café");
});

test("an empty file, and one of unknown length", async () => {
  const empty = await rig.ask("PUT", "/v1/files/pos/empty", asAgent(""), "");
  expect(empty.json).toMatchObject({ status: "created", size: 0, sha256: sha256("") });
  const pieces = ["one", "two", "three"];
  async function* slowly() {
    for (const piece of pieces) yield Buffer.from(piece);
  }
  const unknown = await rig.ask("PUT", "/v1/files/pos/pipe", asKey, slowly());
  expect(unknown.json).toMatchObject({ status: "created", size: 11, sha256: sha256(pieces.join("")) });
});
