/** A quarantine delete that is killed at every step: done again it ends, nothing of the bytes is left, and nothing was published. */
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
/** Kind of call -> how many of them are tried; more than a delete makes. */
const CALLS = { pwrite64: 8, fsync: 3, fdatasync: 4, unlink: 3, rmdir: 4 };
/** One pool thread, so that "the third fsync" is the same one each time. */
const env = { UV_THREADPOOL_SIZE: "1" };

describe.skipIf(missing !== undefined)(`killed${missing ? ` (skipped: ${missing})` : ""}`, () => {
  test("a delete, at every step", { timeout: 300_000 }, async () => {
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
    const between = new Set<unknown>();
    try {
      for (const { call, nth } of steps) {
        const name = `${call}-${nth}`;
        const captureId = randomUUID();
        const put = async () =>
          await api.put("pos", name, Buffer.from(`${EICAR} ${name}`), { "idempotency-key": captureId });
        const id = /\(([0-9a-f-]{36})\)/.exec((await put()).body.detail as string)?.[1] as string;
        const discard = async (...wrapper: string[]) =>
          await run("receiver", ["quarantine", "delete", id, "--reason", "a test", ...site.at], {
            env,
            wrapper,
          });
        const inject = `inject=${call}:signal=SIGKILL:when=${nth}`;
        const first = await discard("strace", "-f", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject);
        if (first.code !== 0) kills += 1;
        const { code } = (await put()).body;
        expect([name, ["quarantined", "discarded"].includes(String(code))]).toEqual([name, true]);
        // Held, it still has its bytes.
        if (code === "quarantined") expect(objects("quarantine")).toContain(name);
        between.add(code);
        const second = await discard();
        expect([name, second.code, second.stdout.trim()]).toEqual([name, 0, id]);
        expect((await put()).body.code).toBe("discarded");
        expect([...objects("quarantine"), ...objects("raw")]).toEqual([]);
      }
      expect(kills).toBeGreaterThan(steps.length / 3);
      expect(between).toEqual(new Set(["quarantined", "discarded"]));
      expect(await site.command("quarantine", "list")).toBe("");
      expect((await site.command("quarantine", "list", "--all", "--json")).split("\n")).toHaveLength(
        steps.length,
      );
      expect(await site.history()).toEqual([]);
      expect((await run("receiver", ["verify", ...site.at])).code).toBe(0);
    } finally {
      await api.close();
      await receiver.stop();
      await clamd.stop();
      site.remove();
    }
  });
});
