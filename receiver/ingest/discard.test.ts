/** What is held is discarded, and released, by several at once: over a fake clamd, a real ledger and a lake in memory. */
import { createHash, randomBytes } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { PARTS } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clamd } from "../inspection/clamd.ts";
import { EICAR, type FakeClamd, fakeClamd } from "../inspection/fake-clamd.ts";
import { releasedKey } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import { clientState } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import { createHistory } from "../ledger/history.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { createQuarantine, quarantinedFile } from "../ledger/quarantine.ts";
import { createCoverage, createSegments } from "../ledger/segments.ts";
import { type Answer, type Rig, startRig } from "../rig.ts";
import { ManifestTail, unwrittenSegmentsOf } from "../tail/manifest.ts";
import { Committer } from "./committer.ts";
import { discardFrom } from "./discard.ts";
import { releaseFrom } from "./release.ts";
import { sweep } from "./sweep.ts";
import { UploadRows } from "./upload-rows.ts";

const WEEK = 7 * 86_400_000;

let fake: FakeClamd;
let rig: Rig;
beforeEach(async () => {
  fake = await fakeClamd();
  rig = await startRig({
    inspector: clamd({ address: fake.address, largest: 64 * 2 ** 20, sessions: 4, withinMs: 2000 }),
  });
});
afterEach(async () => {
  await rig.stop();
  await fake.stop();
});

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
const objects = (area: string): string[] =>
  [...rig.lake.objects.keys()].filter((key) => key.startsWith(area));
const put = async (path: string, bytes: string, id: string = uuidv7()): Promise<Answer> =>
  await rig.ask(
    "PUT",
    `/v1/files/pos/${path}`,
    { authorization: "Bearer agent", "idempotency-key": id, "repr-digest": formatDigest(sha256(bytes)) },
    bytes,
  );
const idOf = (answer: Answer): string =>
  /\(([0-9a-f-]{36})\)/.exec(String(answer.json["detail"]))?.[1] as string;
/** Puts an infected file, and gives the id under which it is held. */
const hold = async (path: string, id?: string): Promise<string> => {
  const answer = await put(path, EICAR, id);
  expect(answer.json["code"]).toBe("quarantined");
  return idOf(answer);
};
const why = { by: "Zoë", reason: "a virus" };
const discard = async (id: string, lake: Pick<Lake, "remove"> = rig.lake) =>
  await discardFrom(rig.database, lake, id, why);
/** `between`: done once, right before or right behind its commit. */
const release = async (
  id: string,
  more: {
    readonly overNewer?: boolean;
    readonly lake?: Lake;
    before?: () => unknown;
    after?: () => unknown;
  } = {},
) => {
  const { database, keys } = rig;
  const { overNewer = false, lake = rig.lake, before, after } = more;
  const ledger = createLedger(database);
  const between: Pick<Ledger, "commit"> = {
    async commit(captures, sign) {
      await before?.();
      const committed = await ledger.commit(captures, sign);
      await after?.();
      return committed;
    },
  };
  const manifest = new ManifestTail(lake, createSegments(database), unwrittenSegmentsOf(database.db));
  const committer = new Committer(between, manifest, keys.signReceipt, () => {});
  return await releaseFrom({ database, lake, committer }, id, {
    by: "Max",
    reason: "a false alarm",
    overNewer,
  });
};
const sweepLate = async () =>
  await sweep({
    ...{ lake: rig.lake, history: createHistory(rig.database.db) },
    ...{ quarantine: createQuarantine(rig.database.db), coverage: createCoverage(rig.database.db) },
    ...{ rows: new UploadRows(rig.database), report: () => {} },
    ...{ now: () => Date.now() + 2 * WEEK, uploadsAfter: WEEK, spareAfter: WEEK },
  });
const content = async (versionId: unknown): Promise<string> =>
  (
    await rig.ask("GET", `/v1/versions/${versionId}/content`, { authorization: "Bearer reader" })
  ).body.toString();
const metric = async (name: string): Promise<string | undefined> =>
  new RegExp(`^tributary_quarantine_${name} (.*)$`, "m").exec(
    (await rig.ask("GET", "/metrics")).body.toString(),
  )?.[1];

describe("discarded", () => {
  test("its bytes are gone, it counts no more, and its sender is told why, for good", async () => {
    const captureId = uuidv7();
    const id = await hold("f", captureId);
    await hold("g");
    expect(await discard(id)).toMatchObject({ before: false, file: { id, state: "discarded", path: "f" } });
    expect([objects("quarantine/").length, objects("raw/")]).toEqual([1, []]);
    expect(await clientState(rig.database.db, "acme")).toMatchObject({ storedBytes: EICAR.length });
    const again = await put("f", EICAR, captureId);
    expect([again.status, again.json["code"], again.headers["retry-after"]]).toEqual([
      422,
      "discarded",
      undefined,
    ]);
    expect(again.json["detail"]).toMatch(new RegExp(`Eicar.*${id}.*discarded it: a virus`));
    expect(fake.seen).toHaveLength(2);
    await expect(release(id)).rejects.toThrow(/was discarded, at .*: a virus/);
    // A clean state of the path, and the same bytes under another captureId, are looked into as any other.
    expect((await put("f", "clean")).status).toBe(201);
    expect((await put("f", EICAR)).json["code"]).toBe("quarantined");
  });

  test("without a declared digest it is told so once its bytes are here, and they stay nowhere", async () => {
    const headers = { authorization: "Bearer key", "idempotency-key": uuidv7() };
    const once = async () => await rig.ask("PUT", "/v1/files/pos/f", headers, EICAR);
    await discard(idOf(await once()));
    expect((await once()).json["code"]).toBe("discarded");
    expect([rig.lake.objects.size, rig.lake.staged()]).toEqual([0, 0]);
  });

  test("an upload in parts is told so at create and at complete", async () => {
    const bytes = Buffer.concat([Buffer.from(EICAR), randomBytes(PARTS.smallest)]);
    const as = { authorization: "Bearer agent" };
    const request = JSON.stringify({
      ...{ source: "pos", pathEncoded: "p", captureId: uuidv7() },
      ...{ size: bytes.length, sha256: sha256(bytes) },
    });
    const create = async () => await rig.ask("POST", "/v1/uploads", as, request);
    const upload = String((await create()).json["uploadId"]);
    for (const number of [1, 2]) {
      const part = bytes.subarray((number - 1) * PARTS.smallest, number * PARTS.smallest);
      const headers = { ...as, "content-digest": formatDigest(sha256(part)) };
      await rig.ask("PUT", `/v1/uploads/${upload}/parts/${number}`, headers, part);
    }
    const complete = async () => await rig.ask("POST", `/v1/uploads/${upload}/complete`, as);
    const held = await complete();
    expect(held.json["code"]).toBe("quarantined");
    // Its receiver died before it had ended the upload: in quarantine and on their way its bytes count once.
    const rows = new UploadRows(rig.database);
    await rig.database.db.updateTable("uploads").set({ state: "completing" }).execute();
    expect(await rows.arrivedBytes("client", "acme")).toBe(0);
    await discard(idOf(held));
    for (const answer of [await complete(), await create()]) expect(answer.json["code"]).toBe("discarded");
    expect((await rows.find(upload))?.state).toBe("done");
    expect(rig.lake.objects.size).toBe(0);
  });

  test("again it ends what was cut off, and says who did it", async () => {
    const id = await hold("f");
    const away = { remove: async () => await Promise.reject(new Error("the disk is away")) };
    await expect(discard(id, away)).rejects.toThrow(
      /is discarded, but .*the disk is away; run the same again/,
    );
    expect(objects("quarantine/")).toHaveLength(1);
    expect(await discard(id)).toMatchObject({ before: true, file: { discardedBy: "Zoë" } });
    expect(rig.lake.objects.size).toBe(0);
  });

  test("what a killed release left below raw/ goes too", async () => {
    const id = await hold("f");
    const [key] = objects("quarantine/") as [string];
    await rig.lake.copy(key, releasedKey(key));
    await discard(id);
    expect(rig.lake.objects.size).toBe(0);
  });

  test("with its bytes lost it can still be discarded", async () => {
    const id = await hold("f");
    rig.lake.objects.clear();
    await expect(release(id)).rejects.toThrow(/is missing; .*quarantine delete/);
    expect(await discard(id)).toMatchObject({ before: false });
  });

  test("not what was released, nor what was never held", async () => {
    const id = await hold("f");
    await release(id);
    await expect(discard(id)).rejects.toThrow(/was released already, at .*: a false alarm/);
    expect(await content(id)).toBe(EICAR);
    await expect(discard("nonsense")).rejects.toThrow(/nothing in quarantine has the id "nonsense"/);
  });

  test("what was cut off the sweep ends, also of before the ledger was made anew", async () => {
    const id = await hold("f");
    const kept = await hold("g");
    await discard(id, { remove: async () => {} });
    await rig.database.db
      .updateTable("site")
      .set({ known_since: Date.now() + 1000 })
      .execute();
    expect((await sweepLate()).objects).toBe(1);
    expect(objects("quarantine/").filter((key) => key.includes(kept))).toHaveLength(1);
  });
});

describe("two at once", () => {
  test("killed after its commit, with its copy taken away by another: the sweep puts it back before the last bytes go", async () => {
    const id = await hold("f");
    const [key] = objects("quarantine/") as [string];
    const killed = (): never => {
      rig.lake.objects.delete(releasedKey(key));
      throw new Error("killed");
    };
    await expect(release(id, { after: killed })).rejects.toThrow();
    expect((await quarantinedFile(rig.database.db, id))?.state).toBe("released");
    expect((await sweepLate()).objects).toBe(1);
    expect(objects("quarantine/")).toEqual([]);
    expect(await content(id)).toBe(EICAR);
  });

  test("a release that is refused leaves alone what another has published meanwhile", async () => {
    const id = await hold("f");
    const newer = async () => await put("f", "newer");
    const other = async () => await release(id, { overNewer: true });
    await expect(release(id, { before: newer, after: other })).rejects.toThrow(/--over-newer/);
    expect(await content(id)).toBe(EICAR);
    expect(objects("quarantine/")).toEqual([]);
  });

  test("a release whose copy another has removed, since it was refused, makes it anew", async () => {
    const id = await hold("f");
    const other = async () => {
      await put("f", "newer");
      const refused = release(id);
      await expect(refused).rejects.toThrow(/--over-newer/);
      // As the other does that looked before there was a newer one.
      const [key] = objects("quarantine/") as [string];
      await rig.lake.remove(releasedKey(key));
    };
    await release(id, { overNewer: true, before: other });
    expect(await content(id)).toBe(EICAR);
    expect(objects("quarantine/")).toEqual([]);
  });

  test("the slower of two releases says that it was released, whatever it was at", async () => {
    const ids = [await hold("f"), await hold("g")] as const;
    const other = async () => void (await release(ids[0]));
    const lake: Lake = {
      ...rig.lake,
      async copy(from, to) {
        await other();
        await rig.lake.copy(from, to);
      },
    };
    await expect(release(ids[0], { lake })).rejects.toThrow(/was released already/);
    expect(await content(ids[0])).toBe(EICAR);
    const slower = await release(ids[1], { before: () => release(ids[1]) });
    expect(await content(slower.versionId)).toBe(EICAR);
  });

  test("discarded while it is released: it is not published, and nothing of it is left", async () => {
    const id = await hold("f");
    await expect(release(id, { before: () => discard(id) })).rejects.toThrow(/was discarded, at/);
    expect(rig.lake.objects.size).toBe(0);
    expect((await quarantinedFile(rig.database.db, id))?.state).toBe("discarded");
    expect(await rig.entries()).toBe(0);
  });
});

describe("the gauges", () => {
  test("say what is held now, and since when", async () => {
    expect([await metric("files"), await metric("bytes"), await metric("oldest_seconds")]).toEqual([
      "0",
      "0",
      "0",
    ]);
    const id = await hold("f");
    await hold("g");
    await rig.database.db
      .updateTable("quarantined")
      .set((eb) => ({ arrived_at: eb("arrived_at", "-", 7200_000) }))
      .where("id", "=", id)
      .execute();
    expect([await metric("files"), await metric("bytes")]).toEqual(["2", String(2 * EICAR.length)]);
    expect(Number(await metric("oldest_seconds"))).toBeGreaterThan(7199);
    await discard(id);
    expect(await metric("files")).toBe("1");
    expect(Number(await metric("oldest_seconds"))).toBeLessThan(60);
  });

  test("say nothing while the ledger cannot be asked: no old number, and no nought", async () => {
    await hold("f");
    expect(await metric("files")).toBe("1");
    await rig.database.db.schema.alterTable("quarantined").renameTo("elsewhere").execute();
    expect([await metric("files"), await metric("oldest_seconds")]).toEqual([undefined, undefined]);
    await rig.database.db.schema.alterTable("elsewhere").renameTo("quarantined").execute();
    expect(await metric("files")).toBe("1");
  });
});
