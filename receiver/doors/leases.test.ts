/** Two house agents at the doors, on one receiver and on two: what one sends late, after the other took over, is not taken. */
import { createHash, randomUUID } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import type { Entry, LeaseState } from "@tributary/shared/protocol.ts";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { takeLeasesOf } from "../fleet/leases.ts";
import { type MemoryLake, memoryLake } from "../lake/memory.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { type Answer, type Rig, type RigOptions, startRig } from "../rig.ts";
import { leasesDoor } from "./leases.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
/** Told when the receiver begins to take a file's bytes: it has looked at the lease by then. */
let staging: () => void = () => {};
const watching = (lake: MemoryLake): MemoryLake => ({
  ...lake,
  stage(bytes) {
    staging();
    return lake.stage(bytes);
  },
});
const withLeases: RigOptions = {
  doors: ({ gate, database }) => [leasesDoor(gate, takeLeasesOf(database))],
};

describe("on one receiver", () => {
  lateContract(async () => {
    const rig = await startRig({ ...withLeases, wrap: watching });
    return { rigs: [rig, rig], lake: rig.lake, stop: () => rig.stop() };
  });
});

describeWithPostgres("on two receivers of one postgres", (server) => {
  lateContract(async () => {
    const url = await freshDatabase(server);
    const lake = memoryLake();
    const wrap = () => watching(lake);
    const one = await startRig({ ...withLeases, database: await openPostgres(url), wrap });
    const two = await startRig({ ...withLeases, database: await openPostgres(url), wrap, keysOf: one });
    const stop = async (): Promise<void> => {
      await two.stop();
      await one.stop();
    };
    return { rigs: [one, two], lake, stop };
  });
});

interface Site {
  readonly rigs: readonly [Rig, Rig];
  readonly lake: MemoryLake;
  stop(): Promise<void>;
}

function lateContract(start: () => Promise<Site>): void {
  let site: Site;
  let one: Rig;
  let two: Rig;
  /** Of the lease that `a` had, and `b` has taken over. */
  let late: string;
  let good: string;

  beforeAll(async () => {
    site = await start();
    [one, two] = site.rigs;
    for (const id of ["a", "b"]) {
      for (const rig of site.rigs) rig.gate.add(id, { id, clients: ["acme", "other"] });
      await one.database.db
        .insertInto("agents")
        .values({
          ...{ id, name: `house ${id}`, public_key: id, state: "active", created_at: 1, host: id },
          ...{ platform: "linux", version: "1", nonce: null, nonce_previous: null, last_seen_at: null },
          status: null,
        })
        .execute();
    }
  });
  afterAll(() => site?.stop());
  beforeEach(async () => {
    late = await lease(one, "a");
    await runOut();
    good = await lease(two, "b");
    expect(Number(good)).toBeGreaterThan(Number(late));
  });

  const as = (agent: string, term?: string, more: Record<string, string> = {}): Record<string, string> => ({
    authorization: `Bearer ${agent}`,
    "tributary-client": "acme",
    ...(term === undefined ? {} : { "tributary-lease": term }),
    ...more,
  });
  /** As if nobody had been heard for longer than a lease is good. */
  const runOut = async (): Promise<void> => {
    await one.database.db.updateTable("leases").set({ until: 1 }).execute();
  };
  async function lease(rig: Rig, agent: string): Promise<string> {
    await runOut();
    const wants = [{ client: "acme", source: "pos" }];
    const answer = await rig.ask("POST", "/v1/leases", as(agent), JSON.stringify({ wants, releases: [] }));
    const [state] = answer.json.leases as LeaseState[];
    if (state?.held !== true) throw new Error(JSON.stringify(answer.json));
    return String(state.term);
  }
  async function put(
    rig: Rig,
    agent: string,
    term: string,
    text: string | AsyncIterable<Uint8Array>,
    more: { path?: string; captureId?: string; digestOf?: string } = {},
  ): Promise<Answer> {
    const whole = typeof text === "string" ? text : (more.digestOf ?? "");
    const headers = as(agent, term, {
      "idempotency-key": more.captureId ?? randomUUID(),
      "repr-digest": formatDigest(sha256(whole)),
    });
    return await rig.ask("PUT", `/v1/files/pos/${more.path ?? "f.csv"}`, headers, text);
  }
  const code = (answer: Answer): unknown => answer.json.code ?? answer.json.status;
  const objects = (): number => [...site.lake.objects.keys()].filter((key) => key.startsWith("raw/")).length;

  test("an agent that wakes up while its bytes flow commits nothing, and leaves nothing", async () => {
    const mine = await lease(one, "a");
    const [entries, before] = [await one.entries(), objects()];
    let theirs = "";
    const taken = new Promise<void>((resolve) => {
      staging = resolve;
    });
    async function* paused(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("wo");
      await taken;
      theirs = await lease(two, "b");
      yield Buffer.from("ke");
    }
    const answer = await put(one, "a", mine, paused(), { digestOf: "woke" });
    expect([answer.status, code(answer)]).toEqual([409, "lease-lost"]);
    expect([await one.entries(), objects()]).toEqual([entries, before]);
    expect(code(await put(two, "b", theirs, "woke", { path: randomUUID() }))).toBe("created");
  });

  test("a late file is refused before its bytes are read; one that was delivered before has its receipt", async () => {
    const mine = await lease(one, "a");
    const captureId = randomUUID();
    const delivered = await put(one, "a", mine, captureId, { captureId });
    expect(code(delivered)).toBe("created");
    await lease(two, "b");
    let staged = 0;
    staging = () => {
      staged += 1;
    };
    expect(code(await put(one, "a", mine, "x"))).toBe("lease-lost");
    const again = await put(one, "a", mine, captureId, { captureId });
    expect(again.json.receipt).toBe(delivered.json.receipt);
    // Equal to the newest version, which is no reason to write anything down for it.
    expect(code(await put(one, "a", mine, captureId))).toBe("lease-lost");
    expect(staged).toBe(0);
  });

  test("late removals are refused; a removal says when the file vanished", async () => {
    expect(code(await put(two, "b", good, "here", { path: "gone" }))).toBe("created");
    const remove = async (rig: Rig, agent: string, term: string): Promise<Answer> => {
      const body = { source: "pos", pathEncoded: "gone", captureId: randomUUID() };
      const modifiedAt = "2026-01-31T05:00:00Z";
      return await rig.ask("POST", "/v1/removals", as(agent, term), JSON.stringify({ ...body, modifiedAt }));
    };
    expect(code(await remove(one, "a", late))).toBe("lease-lost");
    expect(code(await remove(two, "b", good))).toBe("removed");
    const page = await two.ask("GET", "/v1/versions?source=pos&path=gone", as("b", good));
    expect((page.json.entries as Entry[]).map(({ kind, modifiedAt }) => [kind, modifiedAt])).toEqual([
      ["version", null],
      ["removal", "2026-01-31T05:00:00Z"],
    ]);
  });

  test("a late bundle ends at its first new entry", async () => {
    const entry = (path: string, captureId: string): Buffer =>
      Buffer.concat([
        entryHead({
          path: Buffer.from(path),
          size: 1,
          mtimeNs: 5n,
          records: [
            ["TRIBUTARY.captureId", captureId],
            ["TRIBUTARY.sha256", sha256("x")],
          ],
        }),
        Buffer.from("x"),
        Buffer.alloc(padding(1)),
      ]);
    const send = async (rig: Rig, agent: string, term: string, tar: Buffer): Promise<unknown[]> => {
      const answer = await rig.ask("POST", "/v1/bundles/pos", as(agent, term), tar);
      return answer.body
        .toString()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { status?: string; problem?: { code: string }; end?: boolean })
        .flatMap((line) => (line.end === true ? [] : [line.problem?.code ?? line.status]));
    };
    const [path, id] = [randomUUID(), randomUUID()];
    const mine = await lease(one, "a");
    expect(await send(one, "a", mine, Buffer.concat([entry(path, id), TRAILER]))).toEqual(["created"]);
    await lease(two, "b");
    const before = objects();
    const mixed = Buffer.concat([entry(path, id), entry(randomUUID(), randomUUID()), TRAILER]);
    expect(await send(one, "a", mine, mixed)).toEqual(expect.arrayContaining(["created", "lease-lost"]));
    expect(objects()).toBe(before);
  });

  test("an upload that was begun under a term is not completed under it once it is over", async () => {
    const mine = await lease(one, "a");
    const text = randomUUID();
    const body = (captureId: string) =>
      JSON.stringify({
        ...{ source: "pos", pathEncoded: captureId, size: text.length },
        ...{ sha256: sha256(text), captureId },
      });
    const captureId = randomUUID();
    const created = await one.ask("POST", "/v1/uploads", as("a", mine), body(captureId));
    const path = `/v1/uploads/${String(created.json.uploadId)}`;
    const headers = as("a", mine, { "content-digest": formatDigest(sha256(text)) });
    expect((await one.ask("PUT", `${path}/parts/1`, headers, text)).status).toBe(200);
    await lease(two, "b");
    const before = await one.entries();
    expect(code(await one.ask("POST", `${path}/complete`, as("a", mine)))).toBe("lease-lost");
    expect(code(await one.ask("POST", "/v1/uploads", as("a", mine), body(randomUUID())))).toBe("lease-lost");
    expect(await one.entries()).toBe(before);
    // It is open still: once it is its own again, it goes on.
    const again = await lease(one, "a");
    expect(code(await one.ask("POST", `${path}/complete`, as("a", again)))).toBe("created");
    await lease(two, "b");
    expect(code(await one.ask("POST", `${path}/complete`, as("a", mine)))).toBe("created");
  });

  test("the holder reads what was brought of its source, by whomever; nobody else reads more than before", async () => {
    expect(code(await put(two, "b", good, "theirs", { path: "shared" }))).toBe("created");
    const mine = await lease(one, "a");
    const read = async (agent: string, query: string, term?: string): Promise<Answer> =>
      await one.ask("GET", `/v1/versions?${query}`, as(agent, term));
    const newest = await read("a", "source=pos&latest=true&removals=true&limit=1000", mine);
    const entries = newest.json.entries as Entry[];
    expect(entries.find(({ pathEncoded }) => pathEncoded === "shared")).toMatchObject({
      agentId: "b",
      sha256: sha256("theirs"),
    });
    expect(new Set(entries.map(({ pathEncoded }) => pathEncoded)).size).toBe(entries.length);
    // What it may read, it need not bring again: two that sealed the same make one version.
    expect(code(await put(one, "a", mine, "theirs", { path: "shared" }))).toBe("unchanged");
    const id = entries[0]?.versionId;
    for (const [answer, expected] of [
      [await read("a", "source=pos"), "forbidden"],
      [await read("a", "source=erp", mine), "lease-lost"],
      [await read("a", "client=other&source=pos", mine), "lease-lost"],
      [await read("a", "client=none&source=pos", mine), "client-not-allowed"],
      [await read("a", "latest=true", mine), "request-invalid"],
      [await read("a", "source=pos", "x"), "request-invalid"],
      [await read("a", "source=pos", "0"), "request-invalid"],
      [await read("b", "source=pos", mine), "lease-lost"],
      [await read("b", "source=pos", good), "lease-lost"],
      [await read("reader", "source=pos", mine), "forbidden"],
      [await one.ask("GET", `/v1/versions/${id}/content`, as("a", mine)), "forbidden"],
    ] as const)
      expect(code(answer), JSON.stringify(answer.json)).toBe(expected);
  });

  test("leases are for agents", async () => {
    const body = JSON.stringify({ wants: [], releases: [] });
    expect(code(await one.ask("POST", "/v1/leases", as("reader"), body))).toBe("forbidden");
    expect(code(await one.ask("POST", "/v1/leases", as("nobody"), body))).toBe("unauthenticated");
    const many = Array.from({ length: 10_000 }, (_, i) => ({
      client: "a".repeat(63),
      source: `${"s".repeat(50)}${i}`,
    }));
    const term = Number.MAX_SAFE_INTEGER;
    const releases = many.map((place) => ({ ...place, term }));
    const answer = await one.ask("POST", "/v1/leases", as("a"), JSON.stringify({ wants: many, releases }));
    expect(answer.status).toBe(200);
    expect(answer.json.leases).toHaveLength(10_000);
    const more = JSON.stringify({ wants: [...many, many[0]], releases: [] });
    expect(code(await one.ask("POST", "/v1/leases", as("a"), more))).toBe("request-invalid");
  });
}
