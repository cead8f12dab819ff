/**
 * The receiver gone for an hour. The agent's clocks run sixty times as fast, so it lives through the whole hour, with
 * all its pauses, while a minute passes here.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { clockOf, faketimeMissing } from "../site/faketime.ts";
import { until } from "../site/process.ts";
import { makeSite } from "../site/site.ts";

const missing = faketimeMissing();
const FASTER = 60;
const HOUR_MS = 3_600_000;
const FILES = 500;
const OVERWRITTEN = 6;

interface Status {
  readonly queue: { readonly depth: number };
}

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
      const running = await agent.run({ env: clockOf(`+0 x${FASTER}`) });
      try {
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
        const gone = performance.now();
        const waiting = async (depth: number): Promise<void> =>
          void (await until(
            `${depth} wait`,
            async () => {
              const status = JSON.parse(await agent.command("status", "--json")) as Status;
              return status.queue.depth === depth;
            },
            { withinMs: 60_000, everyMs: 500 },
          ));
        for (let i = 0; i < FILES; i += 1) write(`file-${i}.csv`, `${i}\n`);
        rmSync(join(folder, "gone.txt"));
        await waiting(FILES + 1);
        for (let i = 1; i <= OVERWRITTEN; i += 1) {
          write("overwritten.csv", "x".repeat(i));
          await waiting(FILES + 1 + i);
        }
        await pause(Math.max(0, HOUR_MS / FASTER - (performance.now() - gone)));
        const hours = ((performance.now() - gone) * FASTER) / HOUR_MS;
        await new Promise((resolve) => closed.close(resolve));
        // It kept asking, a few times a minute with its heartbeats, and never for each file.
        expect(knocks).toBeGreaterThan(30 * hours);
        expect(knocks).toBeLessThan(900 * hours);

        receiver = await site.serve();
        const owed = 2 + FILES + 1 + OVERWRITTEN;
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
        expect(of("overwritten.csv").map((entry) => entry.size)).toEqual([1, 2, 3, 4, 5, 6]);
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
