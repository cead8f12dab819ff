import { createHash, randomUUID } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { setQuotas } from "../ledger/clients.ts";
import { createSegments } from "../ledger/segments.ts";
import { type Answer, type Rig, startRig } from "../rig.ts";

/** What the lake does before it publishes a key: wait, or fail. */
let before: (key: string) => Promise<void>;
let free: number | undefined;
let events: string[];
let rig: Rig;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const isManifest = (key: string): boolean => key.startsWith("manifest/");
const segments = (): string[] => [...rig.lake.objects.keys()].filter(isManifest);
const lines = (): { versionId: string; path: string; seq: number; receipt: string }[] =>
  [...rig.lake.objects]
    .filter(([key]) => isManifest(key))
    .flatMap(([, bytes]) => bytes.toString().trimEnd().split("\n"))
    .map((line) => JSON.parse(line));

async function put(path: string, text: string, captureId: string = randomUUID()): Promise<Answer> {
  const headers = {
    authorization: "Bearer agent",
    "idempotency-key": captureId,
    "repr-digest": formatDigest(sha256(text)),
  };
  const answer = await rig.ask("PUT", `/v1/files/pos/${path}`, headers, text);
  events.push(`answer ${path} ${answer.status}`);
  return answer;
}

beforeEach(async () => {
  before = async () => {};
  free = undefined;
  events = [];
  rig = await startRig({
    settings: { reserve: "1MB" },
    wrap: (lake) => ({
      ...lake,
      free: async () => free,
      async publish(staged, key, metadata) {
        try {
          await before(key);
        } catch (error) {
          await staged.discard();
          throw error;
        }
        await lake.publish(staged, key, metadata);
        events.push(isManifest(key) ? "segment" : "object");
      },
    }),
  });
});
afterEach(() => rig.stop());

test("bytes, then rows, then the segment, then the receipt", async () => {
  before = async (key) => {
    events.push(`${isManifest(key) ? "manifest" : "raw"} with ${await rig.entries()} rows`);
  };
  await put("a", "a");
  expect(events).toEqual(["raw with 0 rows", "object", "manifest with 1 rows", "segment", "answer a 201"]);
});

test("many at once share commits, and every line of the manifest stands once, in order", async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => put(`many-${i}`, String(i))));
  expect(answers.every((answer) => answer.status === 201)).toBe(true);
  expect(segments().length).toBeLessThan(60);
  expect(new Set(lines().map((line) => line.versionId)).size).toBe(60);
  expect(
    lines()
      .map((line) => line.seq)
      .sort((a, b) => a - b),
  ).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
});

test("one captureId whose bytes are published twice at once leaves one version, one receipt, one object", async () => {
  const captureId = randomUUID();
  const { promise: both, resolve: go } = Promise.withResolvers<void>();
  let publishing = 0;
  before = async (key) => {
    if (isManifest(key)) return;
    publishing += 1;
    if (publishing === 2) go();
    await both;
  };
  const [one, two] = await Promise.all([put("twice", "twice", captureId), put("twice", "twice", captureId)]);
  expect(publishing).toBe(2);
  expect(two.json["receipt"]).toBe(one.json["receipt"]);
  expect(await rig.entries()).toBe(1);
  const objects = [...rig.lake.objects.keys()].filter((key) => !isManifest(key));
  expect(objects).toEqual([expect.stringContaining(String(one.json["versionId"]))]);
});

describe("a lake that does not take the manifest", () => {
  test("gives no receipt; the capture again writes the segment itself, and only then gives the receipt", async () => {
    const captureId = randomUUID();
    before = async (key) => {
      if (isManifest(key)) throw new Error("no room");
    };
    const refused = await put("kept", "kept", captureId);
    expect([refused.status, refused.json["code"]]).toEqual([503, "lake-unavailable"]);
    expect(await rig.entries()).toBe(1);
    const still = await put("kept", "kept", captureId);
    expect(still.json["code"]).toBe("lake-unavailable");
    before = async () => {};
    const given = await put("kept", "kept", captureId);
    expect(given.json["status"]).toBe("created");
    expect(lines().map((line) => line.receipt)).toEqual([given.json["receipt"]]);
    expect(await rig.entries()).toBe(1);
  });

  test("an unchanged file's receipt waits for the segment of the version that it names", async () => {
    before = async (key) => {
      if (isManifest(key)) throw new Error("no room");
    };
    await put("same", "same");
    expect((await put("same", "same")).json["code"]).toBe("lake-unavailable");
    before = async () => {};
    expect((await put("same", "same")).json["status"]).toBe("unchanged");
    expect(lines()).toHaveLength(1);
  });

  test("while it is being written, who asks again waits for the same write", async () => {
    const captureId = randomUUID();
    const { promise: open, resolve: go } = Promise.withResolvers<void>();
    let writes = 0;
    before = async (key) => {
      if (!isManifest(key)) return;
      writes += 1;
      await open;
    };
    const first = put("slow", "slow", captureId);
    await expect.poll(() => writes).toBe(1);
    const second = put("slow", "slow", captureId);
    const third = put("slow", "slow");
    await expect
      .poll(
        async () =>
          (await rig.database.db.selectFrom("unchanged_captures").select("capture_id").execute()).length,
      )
      .toBe(1);
    expect(events.filter((event) => event.startsWith("answer"))).toEqual([]);
    go();
    const [one, two, same] = await Promise.all([first, second, third]);
    expect(two.json["receipt"]).toBe(one.json["receipt"]);
    expect(same.json["status"]).toBe("unchanged");
    expect(writes).toBe(1);
  });

  test("what was left unwritten is written at the next start, before the first request", async () => {
    before = async (key) => {
      if (isManifest(key)) throw new Error("no room");
    };
    await put("left", "left");
    const left = await Array.fromAsync(createSegments(rig.database).unwritten(0));
    expect(left).toHaveLength(1);
    const { ManifestTail, unwrittenSegmentsOf } = await import("../tail/manifest.ts");
    const tail = new ManifestTail(
      rig.lake,
      createSegments(rig.database),
      unwrittenSegmentsOf(rig.database.db),
    );
    expect(await tail.catchUp(60_000)).toBe(0);
    expect(await tail.catchUp(0, AbortSignal.abort())).toBe(0);
    expect(segments()).toHaveLength(0);
    expect(await tail.catchUp(0)).toBe(1);
    expect(segments()).toHaveLength(1);
    expect(await Array.fromAsync(createSegments(rig.database).unwritten(0))).toHaveLength(0);
  });
});

describe("a lake or a ledger that fails", () => {
  test("what it says of paths and addresses is for the log, not for who asks", async () => {
    before = async () => {
      throw new ProblemError("lake-unavailable", "the lake could not use /srv/lake: its disk is full");
    };
    const refused = await put("x", "x");
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "5"]);
    expect(refused.body.toString()).not.toContain("/srv");
  });

  test("an object that cannot be published is no version, and can come again", async () => {
    before = async () => {
      throw Object.assign(new Error("disk"), { code: "ENOSPC" });
    };
    const captureId = randomUUID();
    const refused = await put("x", "x", captureId);
    expect([refused.json["code"], refused.headers["retry-after"]]).toEqual(["lake-unavailable", "5"]);
    expect([await rig.entries(), rig.lake.objects.size, rig.lake.staged()]).toEqual([0, 0, 0]);
    before = async () => {};
    expect((await put("x", "x", captureId)).status).toBe(201);
  });

  test("a commit that fails answers so, leaves at most a spare object, and the next one works", async () => {
    await rig.database.db.schema.alterTable("entries").renameTo("entries_away").execute();
    const captureId = randomUUID();
    expect((await put("y", "y", captureId)).status).toBe(500);
    await rig.database.db.schema.alterTable("entries_away").renameTo("entries").execute();
    expect((await put("y", "y", captureId)).status).toBe(201);
    expect(lines()).toHaveLength(1);
  });
});

describe("room", () => {
  test("quotas: the largest file, the day, the store; asked before the bytes, and counted where no length is known", async () => {
    await setQuotas(rig.database.db, "acme", { file: 10 });
    expect((await put("big", "x".repeat(11))).json["code"]).toBe("quota-file");
    async function* bytes() {
      for (let i = 0; i < 3; i += 1) yield Buffer.alloc(5);
    }
    const unknown = await rig.ask("PUT", "/v1/files/pos/big", { authorization: "Bearer key" }, bytes());
    expect([unknown.status, unknown.json["code"]]).toEqual([413, "quota-file"]);
    await setQuotas(rig.database.db, "acme", { file: null, day: 12 });
    expect((await put("one", "x".repeat(10))).status).toBe(201);
    const day = await put("two", "y".repeat(10));
    expect([day.status, day.json["code"]]).toEqual([429, "quota-day"]);
    expect(Number(day.headers["retry-after"])).toBeGreaterThan(0);
    await setQuotas(rig.database.db, "acme", { day: null, stored: 12 });
    expect((await put("two", "y".repeat(10))).json["code"]).toBe("quota-stored");
    expect([await rig.entries(), rig.lake.staged()]).toEqual([1, 0]);
  });

  test("the disk's reserve is never used up", async () => {
    free = 1_000_005;
    const refused = await put("z", "x".repeat(10));
    expect([refused.status, refused.json["code"], refused.headers["retry-after"]]).toEqual([
      507,
      "disk-reserve",
      "60",
    ]);
    expect([await rig.entries(), rig.lake.objects.size]).toEqual([0, 0]);
  });
});

describe("removals", () => {
  const remove = async (path: string, captureId: string = randomUUID()) =>
    await rig.ask(
      "POST",
      "/v1/removals",
      { authorization: "Bearer agent" },
      JSON.stringify({ source: "pos", pathEncoded: path, captureId }),
    );

  test("A, removal, A are three entries; a removal again is the same receipt, of nothing is unchanged", async () => {
    await put("f", "A");
    const captureId = randomUUID();
    const removed = await remove("f", captureId);
    expect([removed.status, removed.json["status"]]).toEqual([201, "removed"]);
    expect((await remove("f", captureId)).json["receipt"]).toBe(removed.json["receipt"]);
    expect((await remove("f")).json["status"]).toBe("unchanged");
    expect((await put("f", "A")).json["status"]).toBe("created");
    expect(await rig.entries()).toBe(3);
    expect((await put("f", "B", captureId)).json["code"]).toBe("capture-conflict");
  });

  test.for(["key", "account"] as const)(
    "a %s that may not read gets one answer, whether another's path is there or not",
    async (kind) => {
      rig.gate.add("remover", { kind, acts: new Set(["remove"]) });
      rig.gate.add("reader", { kind, acts: new Set(["read", "remove"]) });
      await put("theirs", "A");
      const by = async (path: string, name: string) => {
        const body = JSON.stringify({ source: "pos", pathEncoded: path, captureId: randomUUID() });
        const { status, json } = await rig.ask(
          "POST",
          "/v1/removals",
          { authorization: `Bearer ${name}` },
          body,
        );
        return [status, json["status"]];
      };
      expect(await by("never", "reader")).toEqual([200, "unchanged"]);
      expect(await by("theirs", "remover")).toEqual([201, "removed"]);
      expect(await by("never", "remover")).toEqual([201, "removed"]);
      expect(await by("never", "remover")).toEqual([200, "unchanged"]);
    },
  );

  test("refused: what is no path, no JSON, or more than it may", async () => {
    const codes = [];
    const tooLong = "%FF".repeat(4097);
    for (const path of ["../x", "a//b", "%2E%2E/x", "a%00", "a b", "", "/a", tooLong, "%".repeat(100_000)])
      codes.push((await remove(path)).json["code"]);
    expect(new Set(codes)).toEqual(new Set(["path-invalid"]));
    const post = async (body: string, as = "agent") =>
      (await rig.ask("POST", "/v1/removals", { authorization: `Bearer ${as}` }, body)).json["code"];
    expect(await post("{")).toBe("json-invalid");
    expect(await post("{}")).toBe("request-invalid");
    expect(await post(" ".repeat(2 ** 20 + 1))).toBe("body-too-large");
    expect(await post("{}", "key")).toBe("forbidden");
    expect(await rig.entries()).toBe(0);
  });
});
