/** What the sweep must never take away, and what must not stop it. */
import { randomUUID } from "node:crypto";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHistory } from "../ledger/history.ts";
import { createQuarantine } from "../ledger/quarantine.ts";
import { createCoverage } from "../ledger/segments.ts";
import { type Rig, startRig } from "../rig.ts";
import type { Fact } from "./facts.ts";
import { type SweepParts, sweep } from "./sweep.ts";
import { UploadRows } from "./upload-rows.ts";

const WEEK = 7 * 86_400_000;

let rig: Rig;
let facts: Fact[];
beforeEach(async () => {
  rig = await startRig();
  facts = [];
});
afterEach(() => rig.stop());

/** A sweep two weeks from now: whatever is there is old. */
const sweepLate = (change: Partial<SweepParts> = {}) =>
  sweep({
    lake: rig.lake,
    history: createHistory(rig.database.db),
    quarantine: createQuarantine(rig.database.db),
    coverage: createCoverage(rig.database.db),
    rows: new UploadRows(rig.database),
    now: () => Date.now() + 2 * WEEK,
    report: (fact) => facts.push(fact),
    uploadsAfter: WEEK,
    spareAfter: WEEK,
    ...change,
  });

async function put(path: string): Promise<string> {
  const headers = { authorization: "Bearer key", "idempotency-key": randomUUID() };
  const answer = await rig.ask("PUT", `/v1/files/pos/${encodeURIComponent(path)}`, headers, path);
  expect(answer.status).toBe(201);
  return String(answer.json["versionId"]);
}

async function abandon(path: string): Promise<void> {
  const sha256 = "a".repeat(64);
  const request = { source: "pos", pathEncoded: path, size: 9, sha256, captureId: randomUUID() };
  const made = await rig.ask(
    "POST",
    "/v1/uploads",
    { authorization: "Bearer agent" },
    JSON.stringify(request),
  );
  await rig.database.db
    .updateTable("uploads")
    .set({ touched_at: Date.now() - 2 * WEEK })
    .where("id", "=", String(made.json["uploadId"]))
    .execute();
}

const spare = (path = "x", versionId: string = uuidv7()): string => {
  const key = `raw/client=acme/source=pos/date=2026-01-02/${versionId}/${path}`;
  rig.lake.objects.set(key, Buffer.from("spare"));
  return key;
};
const state = async () => ({
  objects: [...rig.lake.objects.keys()],
  multiparts: await Array.fromAsync(rig.lake.open()),
  uploads: await rig.database.db.selectFrom("uploads").select(["id", "state"]).execute(),
});

test.for(["lost", "old", "another site's"])("with a ledger that is %s nothing is touched", async (ledger) => {
  await put("one");
  await put("two");
  await abandon("upload");
  await rig.lake.begin(spare("multipart"), {});
  const { db } = rig.database;
  if (ledger === "another site's")
    for (let n = 0; n < 1200; n += 1)
      rig.lake.objects.set(`manifest/date=2026-01-02/${uuidv7()}.jsonl`, Buffer.from("{}\n"));
  else {
    const from = ledger === "old" ? 1 : 0;
    await db.deleteFrom("entries").where("seq", ">", from).execute();
    const left = db.selectFrom("entries").select("segment_id");
    await db.deleteFrom("segments").where("id", "not in", left).execute();
  }
  const before = await state();
  await expect(sweepLate()).rejects.toMatchObject({
    code: "ledger-refused",
    message: expect.stringMatching(
      /the lake knows more than this ledger: manifest\/.*tributary-receiver rebuild --merge/,
    ),
  });
  expect(await state()).toEqual(before);
  expect(facts).toMatchObject([{ kind: "SweepFailed", error: { code: "ledger-refused" } }]);
});

test("what lies beside the segments, and a segment that comes while the sweep looks, are not missing ones", async () => {
  rig.lake.objects.set("manifest/readme.txt", Buffer.from("?"));
  spare();
  const { list } = rig.lake;
  const lake: SweepParts["lake"] = {
    ...rig.lake,
    async *list(prefix) {
      if (prefix.startsWith("manifest/")) await put("meanwhile");
      yield* list(prefix);
    },
  };
  expect(await sweepLate({ lake })).toMatchObject({ objects: 1, skipped: 0 });
});

test("an object whose version has an entry stays, however its name is spelled", async () => {
  const versionId = await put("Zo\u00EB.csv");
  const respelled = spare("Zoe\u0308.csv", versionId);
  const gone = spare();
  expect((await sweepLate()).objects).toBe(1);
  expect(rig.lake.objects.has(respelled)).toBe(true);
  expect(rig.lake.objects.has(gone)).toBe(false);
});

test("an object that gets its entry while the batch is worked on stays", async () => {
  const [late, gone] = [uuidv7(), uuidv7()];
  const keys = [spare("late", late), spare("gone", gone)];
  let asked = 0;
  const named = async () => {
    asked += 1;
    return new Set(asked > 1 ? [late] : []);
  };
  expect((await sweepLate({ history: { named } })).objects).toBe(1);
  expect(keys.map((key) => rig.lake.objects.has(key))).toEqual([true, false]);
});

test("one abort and one removal that fail are reported, and the rest goes", async () => {
  await abandon("stays");
  await abandon("goes");
  const ours = spare("multipart");
  await rig.lake.begin(ours, {});
  await rig.lake.begin("manifest/date=2026-01-02/x.jsonl", {});
  await rig.lake.begin("somebody/else", {});
  await rig.lake.begin("", {});
  const stuck = spare("stuck");
  const first = (await Array.fromAsync(rig.lake.open()))[0]?.handle;
  const lake: SweepParts["lake"] = {
    ...rig.lake,
    abort: async (upload) => {
      if (upload.handle === first) throw new Error("not now");
      await rig.lake.abort(upload);
    },
    remove: async (key) => {
      if (key === stuck) throw new Error("not allowed");
      await rig.lake.remove(key);
    },
  };
  // The first abort fails twice: as an upload that nobody touched, and as a multipart that no upload names.
  expect(await sweepLate({ lake })).toEqual({ uploads: 1, multiparts: 2, objects: 1, skipped: 3 });
  expect(facts.map((fact) => fact.kind)).toEqual([
    ...["SweepSkipped", "SweepSkipped", "SweepSkipped", "Swept"],
  ]);
  expect(facts[2]).toMatchObject({ what: stuck });
  expect((await Array.fromAsync(rig.lake.open())).map((open) => open.key).slice(1)).toEqual([
    "manifest/date=2026-01-02/x.jsonl",
    "somebody/else",
  ]);
  expect([...rig.lake.objects.keys()].filter((key) => key.startsWith("raw/"))).toEqual([stuck]);
});
