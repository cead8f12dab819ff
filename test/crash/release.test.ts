/** A release from quarantine that is killed at every step: it can be done again, nothing is lost, and nothing is there twice. */
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EICAR, fakeClamd } from "../../receiver/inspection/fake-clamd.ts";
import { caller } from "../site/caller.ts";
import { run } from "../site/process.ts";
import { makeSite } from "../site/site.ts";
import { straceMissing } from "../site/strace.ts";

const missing = straceMissing();
if (missing && process.env.CI) throw new Error(`CI needs strace: ${missing}`);
/** Kind of call -> how many of them are tried; more than a release makes. */
const CALLS = { link: 2, rename: 3, fsync: 8, fdatasync: 6, unlink: 3, rmdir: 4 };
/** One pool thread, so that "the third fsync" is the same one each time. */
const env = { UV_THREADPOOL_SIZE: "1" };

describe.skipIf(missing !== undefined)(`killed${missing ? ` (skipped: ${missing})` : ""}`, () => {
  test("a release, at every step", { timeout: 300_000 }, async () => {
    const clamd = await fakeClamd();
    const { host, port } = clamd.address as { host: string; port: number };
    const site = await makeSite({ receiver: { inspect: { clamd: `${host}:${port}` } } });
    await site.command("client", "add", "demo");
    const receiver = await site.serve();
    const api = caller(site, await site.command("key", "add", "--client", "demo"));
    const objects = (area: string): string[] => {
      const root = join(site.dir, "receiver", "lake", area);
      if (!existsSync(root)) return [];
      return readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((one) =>
        one.isFile() ? [one.name] : [],
      );
    };
    const steps = Object.entries(CALLS).flatMap(([call, most]) =>
      Array.from({ length: most }, (_, i) => ({ call, nth: i + 1 })),
    );
    let kills = 0;
    try {
      for (const { call, nth } of steps) {
        const name = `${call}-${nth}`;
        const captureId = randomUUID();
        const put = async () =>
          await api.put("pos", name, Buffer.from(`${EICAR} ${name}`), { "idempotency-key": captureId });
        const refused = await put();
        expect([name, refused.body.code]).toEqual([name, "quarantined"]);
        const id = /\(([0-9a-f-]{36})\)/.exec(refused.body.detail as string)?.[1] as string;
        const release = async (...wrapper: string[]) =>
          await run("receiver", ["quarantine", "release", id, "--reason", "a test", ...site.at], {
            env,
            wrapper,
          });
        const inject = `inject=${call}:signal=SIGKILL:when=${nth}`;
        const first = await release("strace", "-f", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject);
        if (first.code !== 0) kills += 1;
        const between = await put();
        // Released or still held, and nothing else.
        expect([name, ["quarantined", undefined].includes(between.body.code)]).toEqual([name, true]);
        const second = await release();
        if (second.code !== 0) expect(second.stderr).toMatch(/was released already/);
        expect((await put()).body).toMatchObject({ status: "created", versionId: id });
        expect(objects("raw").filter((one) => one === name)).toEqual([name]);
      }
      expect(kills).toBeGreaterThan(steps.length / 4);
      expect(await site.command("quarantine", "list")).toBe("");
      expect((await site.history()).map(({ path }) => path)).toHaveLength(steps.length);
      expect((await run("receiver", ["verify", ...site.at])).code).toBe(0);
    } finally {
      await api.close();
      await receiver.stop();
      await clamd.stop();
      site.remove();
    }
  });
});
