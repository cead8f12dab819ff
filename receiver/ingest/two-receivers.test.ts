/** The ingest of a site with more than one receiver: real PostgreSQL beneath, one lake between them. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { PARTS } from "@tributary/shared/protocol.ts";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MemoryLake, memoryLake } from "../lake/memory.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { type Answer, type Rig, startRig } from "../rig.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const auth = { authorization: "Bearer agent" };

describeWithPostgres("two receivers on one postgres and one lake", (server) => {
  let rigs: [Rig, Rig];
  let lake: MemoryLake;
  let manifestFails = false;
  beforeAll(async () => {
    lake = memoryLake();
    const url = await freshDatabase(server);
    const wrap = () => ({
      ...lake,
      async publish(...[staged, key, metadata]: Parameters<MemoryLake["publish"]>) {
        if (manifestFails && key.startsWith("manifest/")) {
          await staged.discard();
          throw new Error("no room");
        }
        await lake.publish(staged, key, metadata);
      },
    });
    const one = await startRig({ database: await openPostgres(url), wrap });
    rigs = [one, await startRig({ database: await openPostgres(url), wrap, keysOf: one })];
  });
  afterAll(async () => {
    for (const rig of rigs.toReversed()) await rig.stop();
  });

  const put = async (rig: Rig, path: string, captureId: string): Promise<Answer> => {
    const headers = {
      ...auth,
      "idempotency-key": captureId,
      "repr-digest": formatDigest(sha256(Buffer.from(path))),
    };
    return await rig.ask("PUT", `/v1/files/pos/${path}`, headers, path);
  };

  test("parts of one upload go to either, both complete it at once, one version comes of it", async () => {
    const content = randomBytes(3 * PARTS.smallest + 5);
    const request = {
      source: "pos",
      pathEncoded: "large",
      size: content.length,
      sha256: sha256(content),
      captureId: randomUUID(),
    };
    const created = await rigs[0].ask("POST", "/v1/uploads", auth, JSON.stringify(request));
    const id = String(created.json["uploadId"]);
    for (let number = 1; number <= 4; number += 1) {
      const bytes = content.subarray((number - 1) * PARTS.smallest, number * PARTS.smallest);
      const headers = { ...auth, "content-digest": formatDigest(sha256(bytes)) };
      const rig = rigs[number % 2] as Rig;
      expect((await rig.ask("PUT", `/v1/uploads/${id}/parts/${number}`, headers, bytes)).status).toBe(200);
    }
    const complete = async (rig: Rig) => await rig.ask("POST", `/v1/uploads/${id}/complete`, auth);
    const answers = await Promise.all(rigs.map(complete));
    const given = answers.filter((answer) => answer.status === 201);
    expect(given.length).toBeGreaterThan(0);
    for (const answer of answers) if (answer.status !== 201) expect(answer.json["code"]).toBe("upload-busy");
    for (const rig of rigs) expect((await complete(rig)).json["receipt"]).toBe(given[0]?.json["receipt"]);
    expect(await rigs[0].entries()).toBe(1);
  });

  test("one captureId at both at once makes one version, one receipt, one object", async () => {
    const before = await rigs[0].entries();
    for (let i = 0; i < 10; i += 1) {
      const captureId = randomUUID();
      const [one, two] = await Promise.all(rigs.map((rig) => put(rig, `race-${i}`, captureId)));
      expect(two?.json["receipt"]).toBe(one?.json["receipt"]);
      expect([...lake.objects.keys()].filter((key) => key.endsWith(`/race-${i}`))).toHaveLength(1);
    }
    expect(await rigs[0].entries()).toBe(before + 10);
  });

  test("what one receiver left unwritten, the other writes before it repeats the receipt", async () => {
    const captureId = randomUUID();
    manifestFails = true;
    expect((await put(rigs[0], "left", captureId)).json["code"]).toBe("lake-unavailable");
    manifestFails = false;
    const given = await put(rigs[1], "left", captureId);
    expect(given.json["status"]).toBe("created");
    const manifest = [...lake.objects]
      .filter(([key]) => key.startsWith("manifest/"))
      .map(([, bytes]) => bytes.toString());
    expect(manifest.join("").split(String(given.json["receipt"]))).toHaveLength(2);
  });

  test("a lease is the database's time, and the sweep respects it", async () => {
    const request = {
      source: "pos",
      pathEncoded: "lease",
      size: 1,
      sha256: sha256(Buffer.from("x")),
      captureId: randomUUID(),
    };
    const created = await rigs[0].ask("POST", "/v1/uploads", auth, JSON.stringify(request));
    const id = String(created.json["uploadId"]);
    await rigs[1].ask(
      "PUT",
      `/v1/uploads/${id}/parts/1`,
      { ...auth, "content-digest": formatDigest(sha256(Buffer.from("x"))) },
      "x",
    );
    const { db } = rigs[0].database;
    await db.updateTable("uploads").set({ state: "completing" }).where("id", "=", id).execute();
    expect((await rigs[1].ask("POST", `/v1/uploads/${id}/complete`, auth)).json["code"]).toBe("upload-busy");
    expect((await rigs[1].receiver.sweep()).uploads).toBe(0);
    await db
      .updateTable("uploads")
      .set({ touched_at: Date.now() - 60_000 })
      .where("id", "=", id)
      .execute();
    expect((await rigs[1].ask("POST", `/v1/uploads/${id}/complete`, auth)).json["status"]).toBe("created");
  });

  test("a stream at one receiver sees what the other commits, without a gap", async () => {
    const paths = Array.from({ length: 40 }, (_, i) => `tail-${i}`);
    const cursor = String(
      (await rigs[0].ask("GET", "/v1/events?limit=1000", { authorization: "Bearer reader" })).json["cursor"],
    );
    await Promise.all(paths.map((path, i) => put(rigs[i % 2] as Rig, path, randomUUID())));
    const page = await rigs[0].ask("GET", `/v1/events?limit=1000&cursor=${cursor}`, {
      authorization: "Bearer reader",
    });
    expect((page.json["events"] as { path: string }[]).map((event) => event.path).sort()).toEqual(
      paths.toSorted(),
    );
  });
});
