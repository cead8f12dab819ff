/** Inspection before publication, through the doors: over a fake clamd, a real ledger and a lake in memory. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { PARTS, PAX } from "@tributary/shared/protocol.ts";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clamd } from "../inspection/clamd.ts";
import { EICAR, type FakeClamd, fakeClamd } from "../inspection/fake-clamd.ts";
import { clientState, setQuotas } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import { createHistory } from "../ledger/history.ts";
import { createQuarantine, listQuarantined } from "../ledger/quarantine.ts";
import { createCoverage, createSegments } from "../ledger/segments.ts";
import { openSqlite } from "../ledger/sqlite.ts";
import { type Answer, type Rig, type RigOptions, startRig } from "../rig.ts";
import { ManifestTail, unwrittenSegmentsOf } from "../tail/manifest.ts";
import { Committer } from "./committer.ts";
import { releaseFrom } from "./release.ts";
import { sweep } from "./sweep.ts";
import { UploadRows } from "./upload-rows.ts";

const WEEK = 7 * 86_400_000;
const LARGEST = 2 * PARTS.smallest + 5000;

let fake: FakeClamd;
let rig: Rig;
const start = async (larger: "quarantine" | "pass" = "quarantine", more: RigOptions = {}): Promise<Rig> =>
  await startRig({
    settings: { inspect: { clamd: "127.0.0.1:1", larger } },
    inspector: clamd({ address: fake.address, largest: LARGEST, sessions: 4, withinMs: 2000 }),
    ...more,
  });
beforeEach(async () => {
  fake = await fakeClamd();
  rig = await start();
});
afterEach(async () => {
  await rig.stop();
  await fake.stop();
});

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
const objects = (area: string): string[] =>
  [...rig.lake.objects.keys()].filter((key) => key.startsWith(area));
const held = async (all = false) => await Array.fromAsync(listQuarantined(rig.database.db, { all }));
const put = async (path: string, bytes: Buffer | string, id = uuidv7(), name = "agent"): Promise<Answer> =>
  await rig.ask(
    "PUT",
    `/v1/files/pos/${path}`,
    { authorization: `Bearer ${name}`, "idempotency-key": id, "repr-digest": formatDigest(sha256(bytes)) },
    bytes,
  );
const release = async (id: string, overNewer = false) => {
  const { database, lake, keys } = rig;
  const manifest = new ManifestTail(lake, createSegments(database), unwrittenSegmentsOf(database.db));
  const committer = new Committer(createLedger(database), manifest, keys.signReceipt, () => {});
  const asked = { by: "Zoë", reason: "a false alarm", overNewer };
  return await releaseFrom({ database, lake, committer }, id, asked);
};
const sweepLate = async () =>
  await sweep({
    lake: rig.lake,
    history: createHistory(rig.database.db),
    quarantine: createQuarantine(rig.database.db),
    coverage: createCoverage(rig.database.db),
    rows: new UploadRows(rig.database),
    now: () => Date.now() + 2 * WEEK,
    report: () => {},
    uploadsAfter: WEEK,
    spareAfter: WEEK,
  });
/** Told to its sender, kept in quarantine, and nowhere else. */
async function expectHeld(answer: Answer, bytes: Buffer | string, path: string): Promise<string> {
  expect([answer.status, answer.json["code"], answer.headers["retry-after"]]).toEqual([
    ...[422, "quarantined", "3600"],
  ]);
  const [file, ...others] = await held();
  expect(others).toEqual([]);
  expect(file).toMatchObject({ path, sha256: sha256(bytes), size: Buffer.from(bytes).length });
  expect(answer.json["detail"]).toContain(file?.id);
  expect(objects("quarantine/")).toEqual([file?.key]);
  expect(rig.lake.objects.get(String(file?.key))?.equals(Buffer.from(bytes))).toBe(true);
  expect(objects("raw/")).toEqual([]);
  expect(objects("manifest/")).toEqual([]);
  expect(await rig.entries()).toBe(0);
  return String(file?.id);
}

describe("one file", () => {
  test("clean it is a version like any other; unchanged it is not looked into again", async () => {
    expect((await put("a.csv", "clean")).status).toBe(201);
    expect((await put("a.csv", "clean")).json["status"]).toBe("unchanged");
    expect(fake.seen.map(String)).toEqual(["clean"]);
    expect([objects("raw/").length, objects("quarantine/").length, await held()]).toEqual([1, 0, []]);
    const metrics = await rig.ask("GET", "/metrics");
    expect(metrics.body.toString()).toContain('tributary_inspection_seconds_count{verdict="clean"} 1');
  });

  test("with a finding it is held, and asked again it is told so without its bytes", async () => {
    const id = uuidv7();
    const bytes = `before ${EICAR} behind`;
    await expectHeld(await put("dir/a%2Bb.csv", bytes, id), bytes, "dir/a+b.csv");
    const again = await put("dir/a%2Bb.csv", bytes, id);
    await expectHeld(again, bytes, "dir/a+b.csv");
    expect(again.json["detail"]).toContain("Eicar-Test-Signature");
    expect(fake.seen).toHaveLength(1);
    expect((await put("dir/a%2Bb.csv", "other", id)).json["code"]).toBe("capture-conflict");
    expect((await put("other", bytes, id)).json["code"]).toBe("capture-conflict");
    expect(rig.lake.staged()).toBe(0);
    const metrics = (await rig.ask("GET", "/metrics")).body.toString();
    expect(metrics).toContain('tributary_inspection_seconds_count{verdict="found"} 1');
    expect(metrics).toContain("tributary_quarantined_total 1");
  });

  test("again without a declared digest: the bytes are compared", async () => {
    const headers = { authorization: "Bearer key", "idempotency-key": randomUUID() };
    const once = async (bytes: string) => await rig.ask("PUT", "/v1/files/pos/f", headers, bytes);
    const first = await once(EICAR);
    const id = await expectHeld(first, EICAR, "f");
    expect((await once(EICAR)).json["detail"]).toContain(id);
    expect((await once("other")).json["code"]).toBe("capture-conflict");
    expect(objects("raw/")).toEqual([]);
    expect(objects("quarantine/")).toHaveLength(1);
  });

  test("while it is looked into nothing of it is in the lake", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.gate = promise;
    const answer = put("slow", "clean");
    await expect.poll(() => fake.scans.open).toBe(1);
    expect([...rig.lake.objects.keys()]).toEqual([]);
    resolve();
    expect((await answer).status).toBe(201);
  });

  test("an agent that is revoked meanwhile leaves nothing, whatever was found", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.gate = promise;
    const answer = put("slow", EICAR).catch(() => undefined);
    await expect.poll(() => fake.scans.open).toBe(1);
    rig.gate.revoke("agent");
    resolve();
    await answer;
    await expect.poll(() => rig.lake.staged()).toBe(0);
    expect([[...rig.lake.objects.keys()], await held()]).toEqual([[], []]);
  });

  test("two at once under one captureId are held once", async () => {
    const id = uuidv7();
    const answers = await Promise.all([put("f", EICAR, id), put("f", EICAR, id)]);
    for (const answer of answers) await expectHeld(answer, EICAR, "f");
  });

  test("what is held counts against the client's quota", async () => {
    await setQuotas(rig.database.db, "acme", { stored: 100 });
    await put("f", EICAR);
    expect(await clientState(rig.database.db, "acme")).toMatchObject({ storedBytes: EICAR.length });
    await expect.poll(async () => (await put("g", EICAR)).json["code"]).toBe("quota-stored");
    expect(objects("quarantine/")).toHaveLength(1);
  });

  test("another client's captureId says nothing", async () => {
    const id = uuidv7();
    await put("f", EICAR, id);
    rig.gate.add("stranger", { clients: ["other"] });
    expect((await put("f", "clean", id, "stranger")).status).toBe(201);
  });
});

describe("larger than the inspector takes", () => {
  const large = randomBytes(LARGEST + 1);

  test("it is held unread", async () => {
    const answer = await put("large", large);
    await expectHeld(answer, large, "large");
    expect(answer.json["detail"]).toMatch(/too large to be inspected/);
    expect(fake.lines.count).toBe(0);
  });

  test("or passes, where that is what the settings say; also when clamd itself takes less", async () => {
    await rig.stop();
    rig = await start("pass");
    expect((await put("large", large)).status).toBe(201);
    fake.streamMax = 1000;
    expect((await put("smaller", randomBytes(5000))).status).toBe(201);
    expect(fake.seen).toEqual([]);
    expect(objects("quarantine/")).toEqual([]);
  });
});

describe("clamd away", () => {
  test.for(["stopped", "hanging", "answering errors"])(
    "%s: 503, nothing is recorded, and then it goes on",
    async (how) => {
      const id = uuidv7();
      if (how === "stopped") await fake.stop();
      else fake.manner = how === "hanging" ? "hang" : { answer: "stream: no memory ERROR" };
      const refused = await put("f", "clean", id);
      expect([refused.status, refused.json["code"], refused.headers["retry-after"]]).toEqual([
        ...[503, "inspection-unavailable", "10"],
      ]);
      // Where it listens is for the log.
      expect(refused.body.toString()).not.toMatch(/127\.0\.0\.1|clamd/);
      expect([[...rig.lake.objects.keys()], rig.lake.staged(), await held()]).toEqual([[], 0, []]);
      if (how === "stopped") {
        const ready = await rig.ask("GET", "/readyz");
        expect([ready.status, ready.json["code"]]).toEqual([503, "inspection-unavailable"]);
        await fake.start();
      }
      fake.manner = "scan";
      expect((await put("f", "clean", id)).status).toBe(201);
      await expect.poll(async () => (await rig.ask("GET", "/readyz")).status).toBe(200);
      const metrics = (await rig.ask("GET", "/metrics")).body.toString();
      expect(metrics).toContain("tributary_inspection_failures_total 1");
    },
  );

  test("a large body is refused before it is read; an upload in parts is not begun", async () => {
    await fake.stop();
    let read = 0;
    const body = async function* () {
      for (; read < 1000; read += 1) yield randomBytes(2 ** 20);
    };
    const headers = {
      ...{ authorization: "Bearer agent", "idempotency-key": uuidv7() },
      ...{ "repr-digest": formatDigest(sha256("x")), "content-length": String(1000 * 2 ** 20) },
    };
    const refused = await rig
      .ask("PUT", "/v1/files/pos/f", { ...headers, "content-length": String(LARGEST) }, body())
      .catch(() => undefined);
    expect(refused?.json["code"] ?? "inspection-unavailable").toBe("inspection-unavailable");
    expect(read).toBeLessThan(100);
    const upload = {
      source: "pos",
      pathEncoded: "p",
      size: LARGEST,
      sha256: sha256("x"),
      captureId: uuidv7(),
    };
    const begun = await rig.ask(
      "POST",
      "/v1/uploads",
      { authorization: "Bearer agent" },
      JSON.stringify(upload),
    );
    expect(begun.json["code"]).toBe("inspection-unavailable");
  });
});

describe("a bundle", () => {
  const bundle = async (files: readonly (readonly [string, string, string?])[]) => {
    const pieces = files.flatMap(([path, text, id]) => {
      const bytes = Buffer.from(text);
      const records = [
        [PAX.captureId, id ?? uuidv7()],
        [PAX.sha256, sha256(bytes)],
      ] as const;
      const head = entryHead({ path: Buffer.from(path), size: bytes.length, mtimeNs: 0n, records });
      return [head, bytes, TRAILER.subarray(0, padding(bytes.length))];
    });
    const headers = { authorization: "Bearer agent", "content-type": "application/x-tar" };
    const answer = await rig.ask("POST", "/v1/bundles/pos", headers, Buffer.concat([...pieces, TRAILER]));
    return answer.body
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const codes = (lines: readonly Record<string, unknown>[]) =>
    lines.flatMap((line) => {
      const problem = line["problem"] as { code: string } | undefined;
      return line["end"] === undefined ? [problem?.code ?? line["status"]] : [];
    });

  test("the infected ones are held, the clean ones arrive, several are looked into at once", async () => {
    const files = Array.from({ length: 300 }, (_, i) => {
      const text = i % 100 === 7 ? `${EICAR} ${i}` : `clean ${i}`;
      return [`f${i}`, text] as const;
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.gate = promise;
    const answers = bundle(files);
    await expect.poll(() => fake.scans.open).toBe(4);
    resolve();
    const lines = await answers;
    const count = (code: string) => codes(lines).filter((one) => one === code).length;
    expect([count("created"), count("quarantined"), codes(lines).length]).toEqual([297, 3, 300]);
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([297, 3]);
    expect((await held()).map(({ path }) => path).toSorted()).toEqual(["f107", "f207", "f7"]);
    expect(fake.scans.most).toBe(4);
  });

  test("the same bundle again gives the same answers, and nothing is looked into again", async () => {
    const files = [["a", "clean", uuidv7()] as const, ["b", EICAR, uuidv7()] as const];
    const first = await bundle(files);
    const again = await bundle(files);
    expect(codes(again)).toEqual(codes(first));
    expect(fake.seen).toHaveLength(2);
    expect(objects("quarantine/")).toHaveLength(1);
  });

  test("with clamd away it ends, and records nothing", async () => {
    await fake.stop();
    const lines = await bundle([
      ["a", "clean"],
      ["b", "clean too"],
    ]);
    expect(codes(lines)).toContain("inspection-unavailable");
    expect(codes(lines)).not.toContain("created");
    expect([...rig.lake.objects.keys()]).toEqual([]);
    expect(rig.lake.staged()).toBe(0);
  });
});

describe("parts", () => {
  const clean = randomBytes(LARGEST);
  const infected = Buffer.concat([randomBytes(PARTS.smallest - 30), Buffer.from(EICAR), randomBytes(4000)]);
  const create = async (content: Buffer, captureId: string, pathEncoded = "large") =>
    await rig.ask(
      "POST",
      "/v1/uploads",
      { authorization: "Bearer agent" },
      JSON.stringify({
        source: "pos",
        pathEncoded,
        size: content.length,
        sha256: sha256(content),
        captureId,
      }),
    );
  const sendParts = async (id: string, content: Buffer): Promise<void> => {
    for (let number = 1; (number - 1) * PARTS.smallest < content.length; number += 1) {
      const bytes = content.subarray((number - 1) * PARTS.smallest, number * PARTS.smallest);
      const headers = { authorization: "Bearer agent", "content-digest": formatDigest(sha256(bytes)) };
      expect((await rig.ask("PUT", `/v1/uploads/${id}/parts/${number}`, headers, bytes)).status).toBe(200);
    }
  };
  const complete = async (id: string) =>
    await rig.ask("POST", `/v1/uploads/${id}/complete`, { authorization: "Bearer agent" });
  const begin = async (content: Buffer, captureId: string = uuidv7()): Promise<string> => {
    const id = String((await create(content, captureId)).json["uploadId"]);
    await sendParts(id, content);
    return id;
  };
  const uploadOf = async (id: string) =>
    await rig.database.db.selectFrom("uploads").selectAll().where("id", "=", id).executeTakeFirstOrThrow();

  test("clean they are put together in quarantine and only then seen below raw/", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.gate = promise;
    const id = await begin(clean);
    const completing = complete(id);
    await expect.poll(() => fake.scans.open).toBe(1);
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([0, 1]);
    resolve();
    const answer = await completing;
    expect(answer.json).toMatchObject({ status: "created", sha256: sha256(clean) });
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([1, 0]);
    expect((await complete(id)).json["receipt"]).toBe(answer.json["receipt"]);
    const version = await rig.ask("GET", `/v1/versions/${answer.json["versionId"]}/content`, {
      authorization: "Bearer reader",
    });
    expect(version.body.equals(clean)).toBe(true);
  });

  test("with a finding they are held, across a border of two parts too; create and complete say so again", async () => {
    const captureId = uuidv7();
    const id = await begin(infected, captureId);
    await expectHeld(await complete(id), infected, "large");
    expect((await uploadOf(id)).state).toBe("done");
    await expectHeld(await complete(id), infected, "large");
    await expectHeld(await create(infected, captureId), infected, "large");
    expect((await sweepLate()).objects).toBe(0);
    const released = await release(String((await held())[0]?.id));
    expect((await complete(id)).json["receipt"]).toBe(released.receipt);
    expect((await create(infected, captureId)).json["receipt"]).toBe(released.receipt);
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([1, 0]);
  });

  test("what waits for its turn holds nothing of the lake open; too large, it is not even opened", async () => {
    await rig.stop();
    const read: string[] = [];
    rig = await start("quarantine", {
      inspector: clamd({ address: fake.address, largest: clean.length - 1, sessions: 1, withinMs: 5000 }),
      wrap: (lake) => ({
        ...lake,
        read: async (key, range) => {
          read.push(key);
          return await lake.read(key, range);
        },
      }),
    });
    const large = await begin(clean);
    expect((await complete(large)).json["code"]).toBe("quarantined");
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.gate = promise;
    const first = put("f", "clean");
    await expect.poll(() => fake.scans.open).toBe(1);
    const id = await begin(infected);
    const completing = complete(id);
    await expect.poll(() => objects("quarantine/").length).toBe(2);
    await expect.poll(async () => (await uploadOf(id)).state).toBe("completing");
    expect(read).toEqual([]);
    resolve();
    expect((await first).status).toBe(201);
    expect((await completing).json["code"]).toBe("quarantined");
    expect(read).toEqual([(await uploadOf(id)).lake_key]);
  });

  test("clamd away at the end: the upload stays open, and completes later", async () => {
    const id = await begin(clean);
    await fake.stop();
    for (const _ of [1, 2]) expect((await complete(id)).json["code"]).toBe("inspection-unavailable");
    expect((await uploadOf(id)).state).toBe("open");
    expect(objects("raw/")).toEqual([]);
    await fake.start();
    expect((await complete(id)).json["status"]).toBe("created");
    expect(objects("quarantine/")).toEqual([]);
  });

  test("killed between its copy and its commit it completes again, with one object", async () => {
    const id = await begin(clean);
    const { lake_key: key } = await uploadOf(id);
    rig.lake.objects.set(key.replace("quarantine/", "raw/"), clean);
    expect((await complete(id)).json["status"]).toBe("created");
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([1, 0]);
  });

  test("one that was begun before there was an inspection begins anew, and is never put together below raw/", async () => {
    const captureId = uuidv7();
    const id = await begin(clean, captureId);
    const { lake_key: key } = await uploadOf(id);
    await rig.database.db
      .updateTable("uploads")
      .set({ lake_key: key.replace("quarantine/", "raw/") })
      .where("id", "=", id)
      .execute();
    expect((await complete(id)).json["code"]).toBe("upload-closed");
    expect(objects("raw/")).toEqual([]);
    const anew = await create(clean, captureId);
    expect(anew.json["parts"]).toEqual([]);
    await sendParts(String(anew.json["uploadId"]), clean);
    expect((await complete(String(anew.json["uploadId"]))).json["status"]).toBe("created");
  });

  test("a lie about the digest leaves nothing in quarantine", async () => {
    const made = await rig.ask(
      "POST",
      "/v1/uploads",
      { authorization: "Bearer agent" },
      JSON.stringify({
        source: "pos",
        pathEncoded: "x",
        size: clean.length,
        sha256: sha256("x"),
        captureId: uuidv7(),
      }),
    );
    await sendParts(String(made.json["uploadId"]), clean);
    expect((await complete(String(made.json["uploadId"]))).json["code"]).toBe("digest-mismatch");
    expect([...rig.lake.objects.keys()]).toEqual([]);
  });
});

describe("release", () => {
  test("the sender's next try gets the receipt; history, manifest and lake have it under its own id", async () => {
    const captureId = uuidv7();
    const id = await expectHeld(await put("f", EICAR, captureId), EICAR, "f");
    const { receipt } = await release(id);
    const answer = await put("f", EICAR, captureId);
    expect(answer.json).toMatchObject({ receipt, versionId: id, captureId, status: "created" });
    const entry = await createHistory(rig.database.db).version(id);
    expect(objects("raw/")).toEqual([entry?.key]);
    expect(entry).toMatchObject({ captureId, channel: "push", agentId: "agent", sha256: sha256(EICAR) });
    expect(objects("manifest/")).toHaveLength(1);
    expect([objects("quarantine/"), await held()]).toEqual([[], []]);
    expect(await held(true)).toMatchObject([{ id, state: "released", reason: "a false alarm" }]);
    await expect(release(id)).rejects.toThrow(/was released already/);
    await expect(release(uuidv7())).rejects.toMatchObject({ code: "not-found" });
  });

  test("killed after the copy, or after the commit: released again, or swept", async () => {
    const id = await expectHeld(await put("f", EICAR), EICAR, "f");
    const key = String((await held())[0]?.key);
    rig.lake.objects.set(key.replace("quarantine/", "raw/"), Buffer.from(EICAR));
    // Old as it is, it may be what an operator is just releasing.
    expect((await sweepLate()).objects).toBe(0);
    await release(id);
    rig.lake.objects.set(key, Buffer.from(EICAR));
    expect((await sweepLate()).objects).toBe(1);
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([1, 0]);
  });

  test("not when the lake lost its bytes, or gives back others", async () => {
    const id = await expectHeld(await put("f", EICAR), EICAR, "f");
    const key = String((await held())[0]?.key);
    rig.lake.objects.set(key, Buffer.from("rotten"));
    await expect(release(id)).rejects.toThrow(/has other bytes/);
    rig.lake.objects.delete(key);
    await expect(release(id)).rejects.toThrow(/is missing/);
    expect([objects("raw/"), await rig.entries(), (await held()).length]).toEqual([[], 0, 1]);
  });

  test("not over a newer entry unless that is meant, and nothing is seen below raw/ before", async () => {
    const id = await expectHeld(await put("f", EICAR), EICAR, "f");
    await put("f", "newer");
    await expect(release(id)).rejects.toThrow(/--over-newer/);
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([1, 1]);
    await release(id, true);
    expect([objects("raw/").length, objects("quarantine/").length]).toEqual([2, 0]);
  });
});

describe("the sweep", () => {
  const spare = (id: string = uuidv7()): string => {
    const key = `quarantine/client=acme/source=pos/date=2026-01-02/${id}/x`;
    rig.lake.objects.set(key, Buffer.from("x"));
    return key;
  };

  test("leaves what is held and takes what is not", async () => {
    await put("f", EICAR);
    const [kept] = objects("quarantine/");
    const gone = spare();
    expect((await sweepLate()).objects).toBe(1);
    expect(objects("quarantine/")).toEqual([kept]);
    expect(rig.lake.objects.has(gone)).toBe(false);
  });

  test("of what came before the ledger was made anew it takes nothing", async () => {
    const old = spare();
    await rig.database.db
      .updateTable("site")
      .set({ known_since: Date.now() + 1000 })
      .execute();
    expect((await sweepLate()).objects).toBe(0);
    expect(objects("quarantine/")).toEqual([old]);
  });

  test("ends an upload whose receiver died right after it was held", async () => {
    const bytes = Buffer.concat([Buffer.from(EICAR), randomBytes(PARTS.smallest)]);
    const body = {
      source: "pos",
      pathEncoded: "p",
      size: bytes.length,
      sha256: sha256(bytes),
      captureId: uuidv7(),
    };
    const as = { authorization: "Bearer agent" };
    const id = String((await rig.ask("POST", "/v1/uploads", as, JSON.stringify(body))).json["uploadId"]);
    for (const number of [1, 2]) {
      const part = bytes.subarray((number - 1) * PARTS.smallest, number * PARTS.smallest);
      await rig.ask(
        "PUT",
        `/v1/uploads/${id}/parts/${number}`,
        { ...as, "content-digest": formatDigest(sha256(part)) },
        part,
      );
    }
    await rig.ask("POST", `/v1/uploads/${id}/complete`, as);
    const row = { state: "completing", lease: "x", touched_at: Date.now() - 3 * WEEK } as const;
    await rig.database.db.updateTable("uploads").set(row).where("id", "=", id).execute();
    expect(await sweepLate()).toMatchObject({ uploads: 1, objects: 0 });
    const { state } = await rig.database.db
      .selectFrom("uploads")
      .select("state")
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    expect([state, objects("quarantine/").length]).toEqual(["done", 1]);
  });
});

test("without an inspector nobody looks, but what was held stays so", async () => {
  const id = uuidv7();
  await put("f", EICAR, id);

  const file = `${rig.folder}/ledger.sqlite`;
  const second = await startRig({ keysOf: rig, database: await openSqlite(file) });
  const headers = { authorization: "Bearer agent", "repr-digest": formatDigest(sha256(EICAR)) };
  const ask = async (captureId: string, path: string) =>
    await second.ask("PUT", `/v1/files/pos/${path}`, { ...headers, "idempotency-key": captureId }, EICAR);
  expect((await ask(id, "f")).json["code"]).toBe("quarantined");
  expect((await ask(uuidv7(), "g")).status).toBe(201);
  await second.stop();
});
