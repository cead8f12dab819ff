/** The calls about files over HTTP, with a real ledger and lake: also for names that no sensible person gives. */
import { createHash, randomUUID } from "node:crypto";
import { request } from "node:https";
import { formatDigest } from "@tributary/shared/digest.ts";
import { decodePath, encodePath, pathForUrl } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createHistory } from "../../ledger/history.ts";
import type { Person } from "../../people/people.ts";
import { previewsInProcess } from "../../preview/process.ts";
import { type Rig, startRig } from "../../rig.ts";
import { type Listening, listen } from "../../serve.ts";
import { openTrees } from "../../tree/open.ts";
import { createConsole, type Handlers } from "../console.ts";
import { fileHandlers } from "./files.ts";
import type { HandlerParts } from "./parts.ts";

let rig: Rig;
let listening: Listening;
let lakeIsAway = false;
const stopping = new AbortController();
/** What whoever asks waits for while his session is looked up. */
let lookedUp: Promise<void> | undefined;
/** Requests whose askers are there. */
let asking = 0;
/** Whether who asked was known to be gone. */
let gone: boolean | undefined;

beforeAll(async () => {
  rig = await startRig({ settings: { listen: { ingest: "127.0.0.1:0" } } });
  const { db } = rig.database;
  const parts = {
    database: rig.database,
    lake: {
      read: async (...asked: Parameters<typeof rig.lake.read>) => {
        if (lakeIsAway)
          throw new ProblemError("lake-unavailable", "the lake is away; it is told by the test");
        return await rig.lake.read(...asked);
      },
    },
    history: createHistory(db),
    trees: openTrees(db),
    previews: previewsInProcess(),
    signer: () => ({ site: rig.keys.site, jwks: rig.keys.jwks() }),
  } as unknown as HandlerParts;
  const person = { id: "p1", email: "ada@example.com", name: "Ada", role: "viewer" } as unknown as Person;
  const session = { person, sessionId: "s", since: 0, how: "password", mustSetUp: false } as const;
  const app = createConsole({
    people: {
      session: async () => {
        await lookedUp;
        return session;
      },
      handle: async () => new Response(),
    },
    handlers: {
      ...fileHandlers(parts),
      me: async (_input, asked) => {
        gone = asked.signal.aborted;
        return new Response();
      },
    } as Handlers,
    pages: { answer: async () => new Response() },
    origin: "https://localhost",
    originIsSaid: true,
    pace: { idle: 10_000, minRate: 1, window: 10_000 },
    stopping: stopping.signal,
    addressOf: () => "127.0.0.1",
    reportProblem: (problem) => {
      if (problem.problem.code === "internal") throw problem.problem;
    },
  });
  listening = await listen({
    app: {
      fetch: (asked, env) => {
        asking += 1;
        env.outgoing.once("close", () => {
          asking -= 1;
        });
        return app.fetch(asked, env);
      },
    },
    ...{ host: "127.0.0.1", port: 0, what: "console", tls: await rig.keys.certificate() },
    ...{ stopping: stopping.signal, report: () => {} },
  });
});
afterAll(async () => {
  stopping.abort();
  await listening.stop(100);
  await rig.stop();
});

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

async function get(path: string, query: Readonly<Record<string, string>> = {}): Promise<Got> {
  const { hostname, port } = new URL(listening.url);
  const search = new URLSearchParams(query);
  return await new Promise((resolve, reject) => {
    const headers = { "sec-fetch-site": "same-origin" };
    const sent = request(
      { ca: rig.ca, hostname, port, path: search.size === 0 ? path : `${path}?${search}`, headers },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what these tests are about
async function json(path: string, query: Readonly<Record<string, string>> = {}): Promise<any> {
  const { status, body } = await get(path, query);
  expect([status, body.toString()]).toEqual([200, expect.anything()]);
  return JSON.parse(body.toString());
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

async function put(source: string, path: Uint8Array, text: string): Promise<Record<string, unknown>> {
  const answer = await rig.ask(
    "PUT",
    `/v1/files/${source}/${pathForUrl(path)}`,
    {
      authorization: "Bearer agent",
      "idempotency-key": randomUUID(),
      "repr-digest": formatDigest(sha256(text)),
    },
    text,
  );
  expect(answer.status).toBe(201);
  return answer.json;
}

async function remove(source: string, path: Uint8Array): Promise<void> {
  const body = { source, pathEncoded: encodePath(path), captureId: randomUUID() };
  const headers = { authorization: "Bearer agent", "content-type": "application/json" };
  const answer = await rig.ask("POST", "/v1/removals", headers, JSON.stringify(body));
  expect(answer.json.status).toBe("removed");
}

describe("odd names", () => {
  const ODD: readonly (readonly [string, Buffer, string])[] = [
    ["a space", Buffer.from("a b/c d.csv"), "c d.csv"],
    ["a per cent sign", Buffer.from("p/100%25 %.csv"), "100%25 %.csv"],
    ["plus, ampersand, hash, question mark", Buffer.from("q/a+b&c#d?e=f.csv"), "a+b&c#d?e=f.csv"],
    ["a line break", Buffer.from("n/two\nlines.csv"), "two\nlines.csv"],
    [
      "no UTF-8",
      Buffer.concat([Buffer.from("l/caf"), Buffer.from([0xe9]), Buffer.from(".csv")]),
      "caf\ufffd.csv",
    ],
    ["another script", Buffer.from("u/报告 отчёт.csv"), "报告 отчёт.csv"],
    ["right to left", Buffer.from("r/\u202excod.exe"), "\u202excod.exe"],
    ["quotes", Buffer.from(`s/"it's".csv`), `"it's".csv`],
    [
      "255 bytes, none of them plain",
      Buffer.concat([Buffer.from("x/"), Buffer.alloc(255, 0xff)]),
      "\ufffd".repeat(255),
    ],
    ["markup", Buffer.from("m/<img src=x onerror=alert(1)>.csv"), "<img src=x onerror=alert(1)>.csv"],
  ];

  test.for(ODD)("%s", async ([, path, name]) => {
    const pathEncoded = encodePath(path);
    const folder = pathEncoded.slice(0, pathEncoded.lastIndexOf("/"));
    const text = `name,n\n${randomUUID()},1\n`;
    const { versionId } = await put("odd", path, text);

    const { items } = await json("/api/clients/acme/files/odd", { folder });
    expect(items).toEqual([
      expect.objectContaining({
        kind: "file",
        name,
        pathEncoded,
        versionId,
        channel: "push",
        size: text.length,
      }),
    ]);
    const timeline = await json("/api/clients/acme/files/odd/versions", { path: pathEncoded });
    expect(timeline).toMatchObject({
      items: [{ kind: "version", versionId, sha256: sha256(text) }],
      next: null,
    });

    const content = await get(`/api/versions/${versionId}/content`);
    expect([content.status, content.body.toString()]).toEqual([200, text]);
    const disposition = String(content.headers["content-disposition"]);
    expect(disposition).toMatch(/^attachment; filename="[\w.-]{0,150}"; filename\*=UTF-8''[\w.%!~-]+$/);
    expect(decodeURIComponent(disposition.split("''")[1] ?? "")).toBe(name);
    expect(content.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
    });
    expect((await get(`/api/versions/${versionId}/receipt`)).status).toBe(200);
    expect(await json(`/api/versions/${versionId}`)).toMatchObject({ pathEncoded, source: "odd" });
    const preview = await json(`/api/versions/${versionId}/preview`);
    expect(preview).toMatchObject(
      path.toString("latin1").endsWith(".csv")
        ? { kind: "table", columns: [{ name: "name" }, { name: "n" }] }
        : {},
    );
  });

  test("folders alone, with odd names too", async () => {
    const { items } = await json("/api/clients/acme/files/odd", { only: "folders" });
    expect(items.map(({ kind }: { kind: string }) => kind)).toEqual(ODD.map(() => "folder"));
    await put("odd", Buffer.from("beside.txt"), "x");
    const past = await json("/api/clients/acme/files/odd", { only: "folders", at: new Date().toISOString() });
    expect(past.items.map(({ name }: { name: string }) => name)).toEqual(
      items.map(({ name }: { name: string }) => name),
    );
  });

  test("a path that nobody could have is refused in words, one that never was is empty", async () => {
    expect(await json("/api/clients/acme/files/odd/versions", { path: "%zz" })).toEqual({
      items: [],
      next: null,
    });
    expect((await get("/api/clients/acme/files/odd/versions?path=%zz")).status).toBe(400);
    expect((await get("/api/clients/ACME/files/odd")).status).toBe(400);
  });
});

test("a receipt of the longest path fits into a search, and is found to be ours; altered it is not", async () => {
  const path = Buffer.from(Array.from({ length: 16 }, () => "\x01".repeat(255)).join("/"), "latin1");
  const { receipt, versionId } = await put("long", path, "long");
  const text = String(receipt);
  expect(text.length).toBeGreaterThan(16_000);
  expect(await json("/api/search", { q: text })).toMatchObject({
    receipt: { kind: "genuine", stored: "same", entry: { versionId } },
  });
  const [head, body, signature] = text.split(".") as [string, string, string];
  const other = Buffer.from(
    Buffer.from(body, "base64url").toString().replace('"size":4', '"size":5'),
  ).toString("base64url");
  expect(await json("/api/search", { q: [head, other, signature].join(".") })).toMatchObject({
    receipt: { kind: "altered", says: { size: 5 } },
  });
  const { items } = await json("/api/clients/acme/files/long/versions", { path: encodePath(path) });
  expect(items).toHaveLength(1);
});

test("the keys that receipts are checked with are those that the ingest listener tells", async () => {
  const told = (await rig.ask("GET", "/.well-known/jwks.json")).json;
  expect(await json("/api/receipt-keys")).toEqual({ site: rig.keys.site, keys: told.keys });
});

describe("a tree and a timeline", () => {
  test("as it was, as it is, and with what was removed", async () => {
    const path = Buffer.from("day/1.csv");
    expect(await json("/api/clients/other/file-bounds")).toEqual({ firstAt: null, lastAt: null });
    const first = await put("times", path, "one");
    const { receivedAt: then } = await json(`/api/versions/${first.versionId}`);
    while (Date.now() <= Date.parse(then)) await new Promise((go) => setTimeout(go, 1));
    const second = await put("times", path, "three");
    await remove("times", path);
    const list = async (query: Record<string, string>) =>
      (await json("/api/clients/acme/files/times", { folder: "day", ...query })).items.map(
        ({ kind, versionId, size }: { kind: string; versionId: string; size: number }) => [
          kind,
          versionId,
          size,
        ],
      );
    expect(await list({ at: then })).toEqual([["file", first.versionId, 3]]);
    expect(await list({})).toEqual([]);
    const [removed] = await list({ removed: "true" });
    expect(removed?.[0]).toBe("removed");
    expect((await json("/api/clients/acme/files", { at: then })).items).toContain("times");

    const page = await json("/api/clients/acme/files/times/versions", { path: encodePath(path), limit: "2" });
    expect(
      page.items.map(({ kind, sizeChange }: { kind: string; sizeChange: number }) => [kind, sizeChange]),
    ).toEqual([
      ["removal", null],
      ["version", 2],
    ]);
    const older = await json("/api/clients/acme/files/times/versions", {
      ...{ path: encodePath(path), limit: "2", before: String(page.next) },
    });
    expect(older).toMatchObject({ items: [{ kind: "version", versionId: first.versionId }], next: null });
    for (const what of ["content", "preview"])
      expect((await get(`/api/versions/${page.items[0].versionId}/${what}`)).status).toBe(404);
    expect((await get(`/api/versions/${page.items[0].versionId}/receipt`)).status).toBe(200);
    expect((await get(`/api/versions/${second.versionId}/content`)).body.toString()).toBe("three");
  });

  test("pages of a folder follow each other without gap or repetition", async () => {
    for (let i = 0; i < 7; i += 1) await put("many", Buffer.from(`f ${i}.txt`), String(i));
    const names: string[] = [];
    for (let after: string | undefined; ; ) {
      const { items, next } = await json("/api/clients/acme/files/many", {
        limit: "3",
        ...(after === undefined ? {} : { after }),
      });
      names.push(...items.map(({ name }: { name: string }) => name));
      if (next === null) break;
      after = next;
    }
    expect(names).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => `f ${i}.txt`));
  });
});

test("whoever looks into a file is remembered, with which file it was", async () => {
  const { versionId } = await put("seen", Buffer.from("secret.csv"), "a,b\n1,2\n");
  await get(`/api/versions/${versionId}/content`);
  await get(`/api/versions/${versionId}/preview`);
  const lines = await rig.database.db.selectFrom("audit").selectAll().execute();
  const acts = lines.filter((line) => JSON.stringify(line).includes(String(versionId))).map(({ act }) => act);
  expect(acts).toEqual(["file.download", "file.preview"]);
});

test("whoever left while his session was looked up is known to be gone", async () => {
  const looking = Promise.withResolvers<void>();
  lookedUp = looking.promise;
  const { hostname, port } = new URL(listening.url);
  const headers = { "sec-fetch-site": "same-origin" };
  const sent = request({ ca: rig.ca, hostname, port, path: "/api/me", headers });
  sent.on("error", () => {});
  sent.end();
  await expect.poll(() => asking).toBe(1);
  sent.destroy();
  await expect.poll(() => asking).toBe(0);
  looking.resolve();
  lookedUp = undefined;
  await expect.poll(() => gone).toBe(true);
});

test("what the lake did not give was not downloaded", async () => {
  const { versionId } = await put("away", Buffer.from("away.csv"), "a,b\n1,2\n");
  lakeIsAway = true;
  onTestFinished(() => {
    lakeIsAway = false;
  });
  expect((await get(`/api/versions/${versionId}/content`)).status).toBe(503);
  const told = rig.database.db.selectFrom("audit").select("act").where("subject", "=", String(versionId));
  expect(await told.execute()).toEqual([]);
  lakeIsAway = false;
  expect((await get(`/api/versions/${versionId}/content`)).status).toBe(200);
  expect(await told.execute()).toEqual([{ act: "file.download" }]);
});

test("deliveries under each filter, and what is newer", async () => {
  const one = await put("flow", Buffer.from("1.txt"), "flow one");
  const two = await put("flow", Buffer.from("2.txt"), "flow two");
  const list = async (query: Record<string, string>) =>
    (await json("/api/deliveries", { source: "flow", client: "acme", ...query })).items.map(
      ({ versionId }: { versionId: string }) => versionId,
    );
  expect(await list({})).toEqual([two.versionId, one.versionId]);
  expect(await list({ digest: sha256("flow one").slice(0, 8) })).toEqual([one.versionId]);
  expect(await list({ kind: "removal" })).toEqual([]);
  expect(await list({ channel: "push", bearer: "agent" })).toHaveLength(2);
  expect(await list({ to: "2000-01-01T00:00:00Z" })).toEqual([]);
  const { items } = await json("/api/deliveries", { source: "flow", client: "acme", limit: "1" });
  expect(
    await json("/api/deliveries/newer", { source: "flow", client: "acme", after: String(items[0].seq - 1) }),
  ).toEqual({
    ...{ count: 1, more: false },
  });
});

test("files are found by their names, digests and ids", async () => {
  const { versionId } = await put("found", Buffer.from("reports/Umsatz März.csv"), "needle");
  const { files, digests } = await json("/api/search", { q: "umsatz märz" });
  expect(files.files).toEqual([expect.objectContaining({ versionId, client: "acme", source: "found" })]);
  expect(digests.items).toEqual([]);
  expect((await json("/api/search", { q: sha256("needle") })).digests.items[0].versionId).toBe(versionId);
  expect((await json("/api/search", { q: String(versionId) })).version.versionId).toBe(versionId);
  expect(decodePath(files.files[0].pathEncoded).toString()).toBe("reports/Umsatz März.csv");
  expect((await json("/api/search/files", { q: "umsatz", client: "other" })).files).toEqual([]);
});
