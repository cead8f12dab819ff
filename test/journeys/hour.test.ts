/**
 * The receiver gone for an hour. The agent's clocks run sixty times as fast, so it lives through the whole hour, with
 * all its pauses, while a minute passes here.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { until } from "../site/process.ts";
import { makeSite } from "../site/site.ts";

const missing = spawnSync("faketime", ["--version"]).error ? "faketime is not installed" : undefined;
if (missing && process.env.CI) throw new Error(`CI needs it: ${missing}`);
const FASTER = 60;
const MINUTES = 60;
const FILES = 500;

describe.skipIf(missing !== undefined)(
  `the receiver gone for an hour${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    test("nothing is lost, nobody storms, and everything arrives in order when it is back", {
      timeout: 300_000,
    }, async () => {
      const site = await makeSite();
      await site.command("client", "add", "demo");
      const folder = join(site.dir, "files");
      mkdirSync(folder);
      const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
      let receiver = await site.serve();
      const agent = await site.agent("one", {
        clients: ["demo"],
        settings: {
          sources: [{ name: "files", path: folder, settle: "6s", rescan: "5m", capture: "copy" }],
        },
      });
      const running = await agent.run({ wrapper: ["faketime", "-f", `+0 x${FASTER}`] });
      write("before.txt", "before");
      write("gone.txt", "gone");
      await until("delivered", async () => (await site.history("--client", "demo")).length === 2);
      await receiver.stop();

      // In its place somebody who counts who knocks, and opens to nobody.
      let knocks = 0;
      const closed = createServer((socket) => {
        knocks += 1;
        socket.on("error", () => {}).destroy();
      });
      await new Promise<void>((resolve) => closed.listen(site.port, "127.0.0.1", resolve));
      for (let i = 0; i < FILES; i += 1) write(`file-${i}.csv`, `${i}\n`);
      rmSync(join(folder, "gone.txt"));
      for (let minute = 0; minute < MINUTES; minute += 1) {
        if (minute % 10 === 0) write("overwritten.csv", `minute ${minute}\n`);
        await pause(60_000 / FASTER);
      }
      await new Promise((resolve) => closed.close(resolve));
      const state = JSON.parse(await agent.command("status", "--json")) as { queue: { depth: number } };
      expect(state.queue.depth).toBe(FILES + 6 + 1);
      // It kept asking, at most about twice a minute and never for each file; its heartbeats knock as well.
      expect(knocks).toBeGreaterThan(MINUTES / 2);
      expect(knocks).toBeLessThan(MINUTES * 15);

      receiver = await site.serve();
      try {
        const owed = 2 + FILES + 6 + 1;
        const entries = await until(
          "everything arrived",
          async () => {
            const found = await site.history("--client", "demo");
            return found.length >= owed && found;
          },
          { withinMs: 120_000, everyMs: 1000 },
        );
        expect(entries).toHaveLength(owed);
        const of = (path: string) => entries.filter((entry) => entry.path === path);
        expect(of("overwritten.csv").map((entry) => entry.size)).toEqual(
          [0, 10, 20, 30, 40, 50].map((minute) => `minute ${minute}\n`.length),
        );
        expect(of("gone.txt").map((entry) => entry.kind)).toEqual(["version", "removal"]);
        // Sealed when it was, although the host's clock is far ahead by now.
        const sealed = of("overwritten.csv").map((entry) => Date.parse(entry.sealedAt as string));
        expect(sealed).toEqual(sealed.toSorted((a, b) => a - b));
        await site.command("verify");
      } finally {
        await running.stop();
        await receiver.stop();
        site.remove();
      }
    });
  },
);
