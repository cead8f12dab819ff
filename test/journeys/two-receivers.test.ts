/** Receivers are stateless: any number behind any load balancer, on one PostgreSQL and one S3. */
import { createHash, randomBytes } from "node:crypto";
import type { Entry } from "@tributary/shared/protocol.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gather } from "../crash/evidence.ts";
import { judge } from "../crash/oracle.ts";
import { describeOnCephAndPostgres } from "../site/backends.ts";
import { type Caller, caller } from "../site/caller.ts";
import { type Running, until } from "../site/process.ts";
import { get, type Site } from "../site/site.ts";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const digestField = (bytes: Buffer): string =>
  `sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`;

describeOnCephAndPostgres("two receivers of one site", (backend) => {
  let site: Site;
  let one: Running;
  let two: Running;
  let other: Awaited<ReturnType<Site["another"]>>;
  let apis: [Caller, Caller];

  beforeAll(async () => {
    ({ site } = await backend.site());
    await site.command("client", "add", "demo");
    const key = await site.command("key", "add", "--client", "demo", "--scope", "write,read,remove");
    one = await site.serve();
    other = await site.another();
    two = await other.serve();
    apis = [caller(site, key), caller(site, key, other.port)];
  });
  afterAll(async () => {
    await Promise.all((apis ?? []).map((api) => api.close()));
    await Promise.all([one?.stop(), two?.stop()]);
    site?.remove();
  });

  test("parts of one upload alternate between them, and one is killed midway", async () => {
    const bytes = randomBytes(60_000_000);
    const request = JSON.stringify({
      source: "pos",
      pathEncoded: "large.bin",
      size: bytes.length,
      sha256: sha256(bytes),
      captureId: "two-receivers-1",
    });
    const created = await apis[0].call("POST", "/v1/uploads", {
      body: request,
      headers: { "content-type": "application/json" },
    });
    expect(created.status, JSON.stringify(created.body)).toBe(201);
    const { uploadId, partSize, partCount } = created.body as {
      uploadId: string;
      partSize: number;
      partCount: number;
    };
    expect(partCount).toBeGreaterThan(5);
    const part = async (api: Caller, n: number): Promise<number> => {
      const chunk = bytes.subarray((n - 1) * partSize, n * partSize);
      const answer = await api.call("PUT", `/v1/uploads/${uploadId}/parts/${n}`, {
        body: chunk,
        headers: { "content-digest": digestField(chunk) },
      });
      return answer.status;
    };
    for (let n = 1; n <= partCount; n += 1) {
      if (n === 4) await two.kill();
      expect(await part(two.exited() ? apis[0] : (apis[n % 2] as Caller), n)).toBeLessThan(300);
    }
    two = await other.serve();
    const state = await apis[1].call("GET", `/v1/uploads/${uploadId}`);
    expect(state.body.parts).toHaveLength(partCount);
    const done = await apis[1].call("POST", `/v1/uploads/${uploadId}/complete`);
    expect(done.status, JSON.stringify(done.body)).toBeLessThan(300);
    expect(done.body).toMatchObject({ status: "created", sha256: sha256(bytes), size: bytes.length });
    const again = await apis[0].call("POST", `/v1/uploads/${uploadId}/complete`);
    expect(again.body.receipt).toBe(done.body.receipt);
    expect(sha256(await get(site, done.body.versionId as string))).toBe(sha256(bytes));
  });

  test("both commit at full speed while a reader follows the tail: it misses nothing and sees the order", async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    const follow = async (): Promise<number> => {
      const page = await apis[0].call(
        "GET",
        `/v1/events${cursor === undefined ? "" : `?cursor=${encodeURIComponent(cursor)}`}`,
      );
      expect(page.status, JSON.stringify(page.body)).toBe(200);
      const { events } = page.body as { events: Entry[] };
      seen.push(...events.map((e) => e.versionId));
      cursor = page.body.cursor as string;
      return events.length;
    };
    let writing = true;
    const reader = (async () => {
      while (writing) await follow();
      while ((await follow()) > 0);
    })();
    const write = async (api: Caller, who: string): Promise<string[]> => {
      const ids: string[] = [];
      const lane = async (l: number): Promise<void> => {
        for (let i = 0; i < 40; i += 1) {
          // Half of the paths are shared by both receivers: their order is decided in the ledger.
          const answer = await api.put(
            "feed",
            i % 2 === 0 ? `shared-${l}-${i}.txt` : `${who}-${l}-${i}.txt`,
            Buffer.from(`${who} ${l} ${i}`),
          );
          expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
          ids.push(answer.body.versionId as string);
        }
      };
      await Promise.all([0, 1, 2, 3].map(lane));
      return ids;
    };
    const written = (await Promise.all([write(apis[0], "one"), write(apis[1], "two")])).flat();
    writing = false;
    await reader;
    expect(new Set(seen).size).toBe(seen.length);
    expect(written.filter((id) => !seen.includes(id))).toEqual([]);
    const ledger = await site.history("--client", "demo");
    expect(seen).toEqual(ledger.map((e) => e.versionId));
    const truth = new Map(
      Map.groupBy(ledger, (e) => e.pathEncoded)
        .entries()
        .map(([path, list]) => [path, list.map((e) => ({ sha256: e.sha256, settled: true }))]),
    );
    const found = await until("the manifest has caught up", async () => {
      const gathered = await gather(ledger, site.lake, []);
      return gathered.manifest.length === ledger.length && gathered;
    });
    expect(judge(truth, found)).toEqual([]);
  });
});
