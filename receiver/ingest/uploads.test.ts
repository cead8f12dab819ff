import { createHash, randomBytes, randomUUID } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { PARTS } from "@tributary/shared/protocol.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addClient, setQuotas } from "../ledger/clients.ts";
import { createHistory } from "../ledger/history.ts";
import { createQuarantine } from "../ledger/quarantine.ts";
import { createCoverage } from "../ledger/segments.ts";
import { type Answer, type Rig, startRig } from "../rig.ts";
import { sweep } from "./sweep.ts";
import { UploadRows } from "./upload-rows.ts";

let rig: Rig;
let failComplete = false;
let whileCompleting: () => void = () => {};
/** What happens between a complete in the lake and its answer. */
let meanwhile: (() => Promise<void>) | undefined;
const aborted: string[] = [];
beforeAll(async () => {
  rig = await startRig({
    wrap: (lake) => ({
      ...lake,
      async complete(upload, parts, sha256) {
        if (failComplete) throw new Error("the store is away");
        whileCompleting();
        try {
          return await lake.complete(upload, parts, sha256);
        } finally {
          await meanwhile?.();
        }
      },
      async abort(upload) {
        aborted.push(upload.key);
        await lake.abort(upload);
      },
    }),
  });
});
afterAll(() => rig.stop());

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const as = (name: string, more = {}) => ({ authorization: `Bearer ${name}`, ...more });
const content = randomBytes(2 * PARTS.smallest + 1000);
const slice = (number: number): Buffer =>
  content.subarray((number - 1) * PARTS.smallest, number * PARTS.smallest);

async function create(path: string, more: Record<string, unknown> = {}, name = "agent"): Promise<Answer> {
  const request = {
    source: "pos",
    pathEncoded: path,
    size: content.length,
    sha256: sha256(content),
    captureId: randomUUID(),
    ...more,
  };
  return await rig.ask("POST", "/v1/uploads", as(name), JSON.stringify(request));
}
async function part(
  id: string,
  number: number,
  bytes: Uint8Array = slice(number),
  more = {},
  name = "agent",
): Promise<Answer> {
  const headers = as(name, { "content-digest": formatDigest(sha256(bytes)), ...more });
  return await rig.ask("PUT", `/v1/uploads/${id}/parts/${number}`, headers, bytes);
}
const complete = async (id: string, name = "agent") =>
  await rig.ask("POST", `/v1/uploads/${id}/complete`, as(name));
const asked = async (method: string, path: string, headers: Record<string, string>) =>
  (await rig.ask(method, `/v1/uploads/${path}`, headers)).json["code"];
const rowOf = async (id: string) =>
  await rig.database.db.selectFrom("uploads").selectAll().where("id", "=", id).executeTakeFirst();
const idOf = (answer: Answer): string => String(answer.json["uploadId"]);

test("parts in any order, twice, make one version; complete again gives the same receipt", async () => {
  const captureId = randomUUID();
  const created = await create("large", { captureId });
  expect(created.json).toMatchObject({ partSize: PARTS.smallest, partCount: 3, parts: [] });
  const id = idOf(created);
  for (const number of [3, 1, 1])
    expect((await part(id, number)).json).toEqual({
      number,
      size: slice(number).length,
      sha256: sha256(slice(number)),
    });
  const again = await create("large", { captureId });
  expect(again.json["uploadId"]).toBe(id);
  expect((again.json["parts"] as { number: number }[]).map((one) => one.number)).toEqual([1, 3]);
  expect((await complete(id)).json["code"]).toBe("parts-missing");
  await part(id, 2);
  const [one, two] = await Promise.all([complete(id), complete(id)]);
  expect(one.json).toMatchObject({ status: "created", size: content.length, sha256: sha256(content) });
  expect(two.json["receipt"]).toBe(one.json["receipt"]);
  expect((await complete(id)).json["receipt"]).toBe(one.json["receipt"]);
  expect((await create("large", { captureId })).json["receipt"]).toBe(one.json["receipt"]);
  expect((await create("large")).json["status"]).toBe("unchanged");
  const key = [...rig.lake.objects.keys()].find((name) => name.includes(String(one.json["versionId"])));
  expect(sha256(rig.lake.objects.get(String(key)) as Buffer)).toBe(sha256(content));
  expect((await part(id, 1)).json["code"]).toBe("upload-closed");
  expect((await rig.ask("DELETE", `/v1/uploads/${id}`, as("agent"))).json["code"]).toBe("upload-closed");
  expect(rig.lake.staged()).toBe(0);
});

test("an empty file has no parts", async () => {
  const empty = Buffer.alloc(0);
  const created = await create("empty", { size: 0, sha256: sha256(empty) });
  expect(created.json["partCount"]).toBe(0);
  expect((await complete(idOf(created))).json).toMatchObject({ status: "created", size: 0 });
});

describe("refused", () => {
  test("parts: of the wrong size or number, without or with a wrong digest, again with other bytes", async () => {
    const id = idOf(await create("parts"));
    const code = async (answer: Promise<Answer>) => (await answer).json["code"];
    expect(await code(part(id, 1, slice(1).subarray(1)))).toBe("part-size");
    expect(await code(part(id, 3, slice(1)))).toBe("part-size");
    async function* endless() {
      for (let i = 0; i < 200; i += 1) yield Buffer.alloc(2 ** 18);
    }
    const chunked = rig.ask(
      "PUT",
      `/v1/uploads/${id}/parts/1`,
      as("agent", { "content-digest": formatDigest(sha256(slice(1))) }),
      endless(),
    );
    expect(await code(chunked)).toBe("part-size");
    for (const number of [0, 4, 10_001]) expect(await code(part(id, number))).toBe("part-invalid");
    expect(
      await code(
        rig.ask(
          "PUT",
          `/v1/uploads/${id}/parts/one`,
          as("agent", { "content-digest": formatDigest(sha256(slice(1))) }),
          "x",
        ),
      ),
    ).toBe("part-invalid");
    expect(await code(rig.ask("PUT", `/v1/uploads/${id}/parts/1`, as("agent"), slice(1)))).toBe(
      "digest-required",
    );
    expect(await code(part(id, 1, slice(1), { "content-digest": formatDigest(sha256(slice(2))) }))).toBe(
      "digest-mismatch",
    );
    const repr = { "repr-digest": formatDigest(sha256(slice(2))) };
    expect(await code(part(id, 1, slice(1), repr))).toBe("digest-invalid");
    expect(await code(part(id, 1, slice(1), { "content-range": "bytes 0-1/9" }))).toBe("request-invalid");
    expect((await part(id, 1)).status).toBe(200);
    const other = randomBytes(PARTS.smallest);
    expect(await code(part(id, 1, other))).toBe("part-conflict");
    expect(rig.lake.staged()).toBe(0);
  });

  test("another principal's upload, also of the same client, is unknown", async () => {
    const id = idOf(await create("mine"));
    for (const name of ["key", "reader"]) {
      expect((await part(id, 1, slice(1), {}, name)).json["code"]).toBe("upload-unknown");
      expect((await complete(id, name)).json["code"]).toBe("upload-unknown");
      expect((await rig.ask("GET", `/v1/uploads/${id}`, as(name))).json["code"]).toBe("upload-unknown");
      expect((await rig.ask("DELETE", `/v1/uploads/${id}`, as(name))).json["code"]).toBe("upload-unknown");
    }
    expect((await rig.ask("GET", `/v1/uploads/${randomUUID()}`, as("agent"))).status).toBe(404);
  });

  test("parts that do not make what was declared: no version, no object, and the upload is over", async () => {
    const entries = await rig.entries();
    const id = idOf(await create("liar", { sha256: sha256(Buffer.from("other")) }));
    for (const number of [1, 2, 3]) await part(id, number);
    const objects = rig.lake.objects.size;
    const { lake_key } = (await rowOf(id)) as { lake_key: string };
    expect((await complete(id)).json["code"]).toBe("digest-mismatch");
    expect((await complete(id)).json["code"]).toBe("upload-closed");
    expect([await rig.entries(), rig.lake.objects.size]).toEqual([entries, objects]);
    expect(aborted).toContain(lake_key);
  });

  test("an upload that the store has lost is over at once: the next create begins anew", async () => {
    const captureId = randomUUID();
    const id = idOf(await create("lost", { captureId }));
    await part(id, 1);
    const row = (await rowOf(id)) as { handle: string; lake_key: string };
    await rig.lake.abort({ handle: row.handle, key: row.lake_key, size: 0, partSize: 0 });
    expect((await part(id, 2)).json["code"]).toBe("upload-unknown");
    expect((await part(id, 2)).json["code"]).toBe("upload-closed");
    const anew = await create("lost", { captureId });
    expect(anew.json).toMatchObject({ uploadId: expect.not.stringMatching(id), parts: [] });
    for (const number of [1, 2, 3]) await part(idOf(anew), number);
    expect((await complete(idOf(anew))).json["status"]).toBe("created");
  });

  test("what 10,000 parts cannot hold, what is no path, other content for one captureId", async () => {
    expect((await create("huge", { size: PARTS.largest * PARTS.most + 1 })).json["code"]).toBe(
      "upload-too-many-parts",
    );
    expect((await create("../up")).json["code"]).toBe("path-invalid");
    expect((await create("%2e%2e/up")).json["code"]).toBe("path-invalid");
    const modifiedAt = `2026-01-31T05:00:00.${"0".repeat(900_000)}Z`;
    expect((await create("late", { modifiedAt })).json["code"]).toBe("request-invalid");
    const captureId = randomUUID();
    await create("two", { captureId });
    expect((await create("three", { captureId })).json["code"]).toBe("capture-conflict");
  });

  test("an aborted upload takes nothing more", async () => {
    const id = idOf(await create("abort"));
    expect((await rig.ask("DELETE", `/v1/uploads/${id}`, as("agent"))).status).toBe(204);
    expect((await rig.ask("DELETE", `/v1/uploads/${id}`, as("agent"))).status).toBe(204);
    expect((await part(id, 1)).json["code"]).toBe("upload-closed");
    expect((await complete(id)).json["code"]).toBe("upload-closed");
  });
});

describe("completing", () => {
  const open = async (path: string): Promise<string> => {
    const id = idOf(await create(path));
    for (const number of [1, 2, 3]) await part(id, number);
    return id;
  };
  const set = async (id: string, values: { state?: "open" | "completing"; touched_at?: number }) => {
    await rig.database.db.updateTable("uploads").set(values).where("id", "=", id).execute();
  };

  test("a lake that fails leaves the upload open for another try", async () => {
    const id = await open("again");
    failComplete = true;
    expect((await complete(id)).json["code"]).toBe("lake-unavailable");
    failComplete = false;
    expect((await complete(id)).json["status"]).toBe("created");
  });

  test("who is revoked while it runs gets no entry; the upload waits for who comes back, or the sweep", async () => {
    rig.gate.add("revoked", {});
    const id = idOf(await create("revoked", {}, "revoked"));
    for (const number of [1, 2, 3]) await part(id, number, slice(number), {}, "revoked");
    const entries = await rig.entries();
    whileCompleting = () => rig.gate.revoke("revoked");
    const refused = await complete(id, "revoked");
    expect([refused.status, refused.json["code"]]).toEqual([403, "agent-revoked"]);
    expect(await rig.entries()).toBe(entries);
    whileCompleting = () => {};
    rig.gate.add("revoked", {});
    expect((await complete(id, "revoked")).json["status"]).toBe("created");
  });

  test("another receiver's lease is respected while it is renewed, and taken over when it is not", async () => {
    const id = await open("lease");
    await set(id, { state: "completing", touched_at: Date.now() });
    const busy = await complete(id);
    expect([busy.json["code"], busy.headers["retry-after"]]).toEqual(["upload-busy", "2"]);
    await set(id, { touched_at: Date.now() - 16_000 });
    expect((await complete(id)).json["status"]).toBe("created");
  });

  test("what a receiver completed as it was killed is open as soon as it is there again", async () => {
    const id = await open("killed");
    await set(id, { state: "completing", touched_at: Date.now() });
    expect((await complete(id)).json["code"]).toBe("upload-busy");
    const again = await startRig({ database: rig.database, keysOf: rig });
    expect((await complete(id)).json["status"]).toBe("created");
    await again.receiver.stop();
  });

  test("an attempt that was paused leaves alone what another has taken over", async () => {
    const id = idOf(await create("paused", { sha256: sha256(Buffer.from("other")) }));
    for (const number of [1, 2, 3]) await part(id, number);
    const rows = new UploadRows(rig.database);
    meanwhile = async () => {
      await set(id, { touched_at: Date.now() - 40_000 });
      expect(await rows.lease(id, "theirs")).toBe(true);
    };
    expect((await complete(id)).json["code"]).toBe("digest-mismatch");
    meanwhile = undefined;
    const row = await rowOf(id);
    expect(row).toMatchObject({ state: "completing", lease: "theirs" });
    expect(aborted).not.toContain(row?.lake_key);
    expect(await rows.leave(id, "theirs", "aborted")).toBe(true);
  });

  test("what is put together and found unchanged is taken away, the upload done", async () => {
    const id = await open("twin");
    const other = await open("twin");
    await complete(id);
    expect((await complete(other)).json["status"]).toBe("unchanged");
    const row = await rowOf(other);
    expect([row?.state, rig.lake.objects.has(row?.lake_key ?? "")]).toEqual(["done", false]);
  });

  test("a receiver that died after its commit left a version: the next complete gives its receipt", async () => {
    const id = await open("died");
    const first = await complete(id);
    await set(id, { state: "completing", touched_at: Date.now() });
    const entries = await rig.entries();
    expect((await complete(id)).json["receipt"]).toBe(first.json["receipt"]);
    expect(await rig.entries()).toBe(entries);
  });

  test("the sweep takes what nobody touched, and nothing that can still complete", async () => {
    const [old, young, dead, committed] = [
      await open("old"),
      await open("young"),
      await open("dead"),
      await open("committed"),
    ];
    const long = Date.now() - 8 * 86_400_000;
    await complete(committed);
    await set(committed, { state: "completing", touched_at: long });
    await set(old, { touched_at: long });
    await set(dead, { state: "completing", touched_at: long });
    const objects = rig.lake.objects.size;
    expect((await rig.receiver.sweep()).uploads).toBe(3);
    expect((await complete(old)).json["code"]).toBe("upload-closed");
    await set(old, { touched_at: long });
    await rig.receiver.sweep();
    expect((await complete(old)).json["code"]).toBe("upload-unknown");
    expect((await complete(dead)).json["code"]).toBe("upload-closed");
    expect((await complete(committed)).json["status"]).toBe("created");
    expect((await complete(young)).json["status"]).toBe("created");
    expect(rig.lake.objects.size).toBeGreaterThan(objects);
  });

  test("however old its key is, what an entry or a live upload names stays", async () => {
    const live = await open("live");
    const row = await rig.database.db
      .selectFrom("uploads")
      .select("lake_key")
      .where("id", "=", live)
      .executeTakeFirstOrThrow();
    rig.lake.objects.set(row.lake_key, Buffer.from("put together, not committed"));
    const before = [...rig.lake.objects.keys()];
    expect(before.some((key) => key.endsWith("/large"))).toBe(true);
    const week = 7 * 86_400_000;
    const swept = await sweep({
      lake: rig.lake,
      history: createHistory(rig.database.db),
      quarantine: createQuarantine(rig.database.db),
      coverage: createCoverage(rig.database.db),
      rows: new UploadRows(rig.database),
      now: () => Date.now() + 2 * week,
      report: () => {},
      uploadsAfter: week,
      spareAfter: week,
    });
    expect([swept.uploads, swept.objects]).toEqual([0, 0]);
    expect([...rig.lake.objects.keys()]).toEqual(before);
    rig.lake.objects.delete(row.lake_key);
    expect((await complete(live)).json["status"]).toBe("created");
  });

  test("spare objects go when they are old, never one that an entry or a live upload names", async () => {
    const old = "raw/client=acme/source=pos/date=2020-01-01/016f5e66-e800-7000-8000-000000000000/spare";
    const foreign = "raw/client=acme/source=pos/date=2020-01-01/readme.txt/x";
    rig.lake.objects.set(old, Buffer.from("spare"));
    rig.lake.objects.set(foreign, Buffer.from("?"));
    const young = `raw/client=acme/source=pos/date=2026-01-01/${idOf(await create("spare"))}/x`;
    rig.lake.objects.set(young, Buffer.from("young"));
    const named = [...rig.lake.objects.keys()].filter((key) => key !== old);
    const week = 7 * 86_400_000;
    const stopped = await sweep({
      lake: rig.lake,
      history: createHistory(rig.database.db),
      quarantine: createQuarantine(rig.database.db),
      coverage: createCoverage(rig.database.db),
      rows: new UploadRows(rig.database),
      now: Date.now,
      report: () => {},
      uploadsAfter: week,
      spareAfter: week,
      stopping: AbortSignal.abort(),
    });
    expect([stopped.objects, rig.lake.objects.has(old)]).toEqual([0, true]);
    expect((await rig.receiver.sweep()).objects).toBe(1);
    expect([...rig.lake.objects.keys()]).toEqual(named);
  });
});

test("parts that have arrived take room of the quota until they are a version, or aborted", async () => {
  rig.gate.add("bounded", { clients: ["bounded"] });
  await addClient(rig.database.db, "bounded");
  await setQuotas(rig.database.db, "bounded", { stored: content.length + 1000 });
  const first = idOf(await create("one", {}, "bounded"));
  for (const number of [1, 2, 3]) await part(first, number, slice(number), {}, "bounded");
  const second = async () => await create("two", {}, "bounded");
  // What is known of a client is at most a second old.
  await expect.poll(async () => (await second()).json["code"], { timeout: 5000 }).toBe("quota-stored");
  expect((await rig.ask("DELETE", `/v1/uploads/${first}`, as("bounded"))).status).toBe(204);
  await expect.poll(async () => (await second()).status, { timeout: 5000 }).toBe(201);
});

test("parts in parallel stay within the quota together; one that comes again takes nothing of it", async () => {
  rig.gate.add("tight", { clients: ["tight"] });
  await addClient(rig.database.db, "tight");
  await setQuotas(rig.database.db, "tight", { stored: 2 * PARTS.smallest });
  const bytes = slice(1);
  const ids: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    const whole = { size: bytes.length, sha256: sha256(bytes) };
    ids.push(idOf(await create(`tight-${i}`, whole, "tight")));
  }
  const answers = await Promise.all(ids.map((id) => part(id, 1, bytes, {}, "tight")));
  const stored = ids.filter((_, i) => answers[i]?.status === 200);
  expect(stored).toHaveLength(2);
  expect(answers.filter((answer) => answer.json["code"] === "quota-stored")).toHaveLength(4);
  expect((await part(stored[0] as string, 1, bytes, {}, "tight")).status).toBe(200);
  for (const id of stored) expect((await complete(id, "tight")).status).toBe(201);
});

test("bytes of an upload between its commit and the end of its lease count once", async () => {
  rig.gate.add("once", { clients: ["once"] });
  await addClient(rig.database.db, "once");
  const id = idOf(await create("once", {}, "once"));
  for (const number of [1, 2, 3]) await part(id, number, slice(number), {}, "once");
  const rows = new UploadRows(rig.database);
  expect(await rows.arrivedBytes("client", "once")).toBe(content.length);
  await complete(id, "once");
  await rig.database.db.updateTable("uploads").set({ state: "completing" }).where("id", "=", id).execute();
  expect(await rows.arrivedBytes("client", "once")).toBe(0);
});

test("who has several clients names the upload's, so that it counts for that one's limits; suspended is said as such", async () => {
  rig.gate.add("house", { clients: ["acme", "other"] });
  const begun = await rig.ask(
    "POST",
    "/v1/uploads",
    as("house", { "tributary-client": "acme" }),
    JSON.stringify({
      ...{ source: "pos", pathEncoded: "house", size: content.length, sha256: sha256(content) },
      captureId: randomUUID(),
    }),
  );
  const id = idOf(begun);
  const of = (client: string) => as("house", { "tributary-client": client });
  const requests = [
    ["GET", id],
    ["POST", `${id}/complete`],
    ["DELETE", id],
  ] as const;
  for (const [method, path] of requests) {
    expect(await asked(method, path, as("house"))).toBe("client-required");
    expect(await asked(method, path, of("other"))).toBe("upload-unknown");
  }
  const headers = { "tributary-client": "acme" };
  expect((await part(id, 1, slice(1), {}, "house")).json["code"]).toBe("client-required");
  expect((await part(id, 1, slice(1), headers, "house")).status).toBe(200);
  rig.gate.add("house", { clients: ["other"], suspended: ["acme"] });
  expect(await asked("GET", id, of("acme"))).toBe("client-suspended");
});
