/** Limits with real processes: over two receivers of one site, one of them killed; and an agent that meets them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeOnCephAndPostgres, onDirectoryAndSqlite } from "../site/backends.ts";
import { type Caller, caller } from "../site/caller.ts";
import { type Running, until } from "../site/process.ts";
import type { Agent, Site } from "../site/site.ts";

/** A body that is under way until the process that reads it ends, or `end` is called. */
function openBody() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body = (async function* () {
    yield Buffer.from("begun");
    await promise;
  })();
  return { body, end: resolve };
}

describeOnCephAndPostgres("limits of a site with two receivers", (backend) => {
  let site: Site;
  let one: Running;
  let two: Running;
  let ports: readonly [number, number];
  const callers: Caller[] = [];

  beforeAll(async () => {
    ({ site } = await backend.site());
    await site.command("client", "add", "demo");
    one = await site.serve();
    const other = await site.another();
    two = await other.serve();
    ports = [site.port, other.port];
  });
  afterAll(async () => {
    await Promise.allSettled(callers.map((api) => api.close()));
    await Promise.all([one?.stop(), two?.stop()]);
    site?.remove();
  });
  const apisOf = async (...limits: string[]): Promise<readonly [Caller, Caller]> => {
    const key = await site.command("key", "add", "--client", "demo", ...limits);
    const apis = [caller(site, key, ports[0]), caller(site, key, ports[1])] as const;
    callers.push(...apis);
    return apis;
  };

  test("a key's requests in a minute are counted together", async () => {
    const apis = await apisOf("--requests", "30/m");
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => (apis[i % 2] as Caller).put("pos", `r${i}`, Buffer.from("x"))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(30);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(30);
    for (const { body, headers } of refused) {
      expect(body.code).toBe("limit-requests");
      expect(headers["ratelimit-policy"]).toBe('"key";q=30;w=60');
      expect(headers["retry-after"]).toMatch(/^\d\d?$/);
    }
  });

  test("a key's bytes of a day are counted together, in the commit", async () => {
    const apis = await apisOf("--day", "1000");
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => (apis[i % 2] as Caller).put("pos", `d${i}`, Buffer.alloc(100, i))),
    );
    // Those that were under way beside the last ones are refused too, and come again: never more than the day has.
    const created = answers.filter(({ status }) => status === 201).length;
    expect(created).toBeLessThanOrEqual(10);
    for (let i = created; i < 10; i += 1)
      await until("the rest of the day", async () => {
        const { status } = await (apis[i % 2] as Caller).put("pos", `e${i}`, Buffer.alloc(100, i));
        return status === 201;
      });
    const over = await apis[0].put("pos", "over", Buffer.from("x"));
    expect(over.body).toMatchObject({ code: "quota-day", retryAfter: expect.any(Number) });
  });

  test("uploads at once are counted together; those of a killed receiver are free again", async () => {
    const apis = await apisOf("--uploads", "2");
    const open = [openBody(), openBody()];
    const under = open.map(({ body }, i) =>
      apis[1].call("PUT", `/v1/files/pos/open-${i}`, { body }).catch(() => undefined),
    );
    await until("both are under way", async () => {
      const { body } = await apis[1].call("GET", "/metrics");
      return /^tributary_bodies_in_flight 2$/m.test(String(body));
    });
    const refused = await apis[0].put("pos", "third", Buffer.from("third"));
    expect(refused.status).toBe(429);
    expect(refused.body).toMatchObject({ code: "limit-concurrent", retryAfter: 1 });
    await two.kill();
    const from = performance.now();
    await until("the slots of the dead one are free", async () => {
      const answer = await apis[0].put("pos", "fourth", Buffer.from("fourth"));
      return answer.status === 201;
    });
    expect(performance.now() - from).toBeGreaterThan(1000);
    for (const { end } of open) end();
    await Promise.all(under);
  });
});

describe("an agent that meets limits", () => {
  let site: Site;
  let receiver: Running;
  let agent: Agent;
  let running: Running;
  let folder: string;

  beforeAll(async () => {
    ({ site } = await onDirectoryAndSqlite.site());
    await site.command("client", "add", "demo");
    folder = join(site.dir, "exports");
    mkdirSync(folder);
    receiver = await site.serve();
    agent = await site.agent("shop", {
      clients: ["demo"],
      settings: { sources: [{ name: "pos", path: folder, settle: "100ms", rescan: "5s" }] },
    });
  });
  afterAll(async () => {
    await running?.stop();
    await receiver?.stop();
    site?.remove();
  });
  const status = async () => JSON.parse(await agent.command("status", "--json"));
  const delivered = async (count: number): Promise<void> => {
    await until(
      `${count} files`,
      async () => (await site.history("--client", "demo", "--latest")).length === count,
      { withinMs: 100_000, everyMs: 500 },
    );
  };

  test("of requests: it waits for the next window, says why, stays heard, and loses nothing", async () => {
    await site.command("client", "limit", "demo", "--requests", "20/m");
    // Small ones would be one request together.
    for (let i = 0; i < 30; i += 1) writeFileSync(join(folder, `f${i}.txt`), Buffer.alloc(300_000, i));
    running = await agent.run();
    const held = await until("it is held", async () => {
      const [one] = (await status()).held;
      return one !== undefined && one;
    });
    expect(held).toMatchObject({ client: "demo", source: null, code: "limit-requests" });
    expect(held.detail).toContain('the client "demo" may make 20 requests a minute');
    expect(await site.history("--client", "demo")).toHaveLength(20);
    const seenAt = JSON.parse(await site.command("agent", "list", "--json")).lastSeenAt;
    await until(
      "a heartbeat gets through meanwhile",
      async () => JSON.parse(await site.command("agent", "list", "--json")).lastSeenAt > seenAt,
      { everyMs: 500 },
    );
    await delivered(30);
    expect(await site.history("--client", "demo")).toHaveLength(30);
    expect((await status()).queue).toMatchObject({ depth: 0, aside: 0 });
    await site.command("client", "limit", "demo", "--requests", "default");
  });

  test("of uploads at once: it sends fewer, also the parts of a large file, and says so", async () => {
    await site.command("client", "limit", "demo", "--uploads", "1");
    writeFileSync(join(folder, "large.bin"), Buffer.alloc(60_000_000, 7));
    for (let i = 0; i < 20; i += 1) writeFileSync(join(folder, `g${i}.txt`), `g${i}`.repeat(100_000));
    const slowed = await until("it is slowed", async () => {
      const [one] = (await status()).slowed;
      return one !== undefined && one;
    });
    expect(slowed).toMatchObject({ client: "demo", detail: expect.stringContaining("1 upload under way") });
    await delivered(51);
    expect((await status()).queue).toMatchObject({ depth: 0, aside: 0 });
  });
});
