/** Bad networks, each with 1,000 small files and one of 200 MiB: everything arrives once, whole, with a receipt. */
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { gather } from "../crash/evidence.ts";
import { type Deed, judge } from "../crash/oracle.ts";
import { type TcpProxy as Line, startProxy } from "../network/proxy.ts";
import { freePort, type Running, until } from "../site/process.ts";
import { deliveredReceipts } from "../site/receipts.ts";
import { makeSite, type Site } from "../site/site.ts";

const SMALL = 1000;
const LARGE = 200 * 2 ** 20;

describe("1,000 files and one of 200 MiB", () => {
  let site: Site | undefined;
  let line: Line | undefined;
  const running: Running[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((p) => p.stop()));
    await line?.stop();
    site?.remove();
  });

  /** Writes the files, delivers them through the fault, and judges. `trouble` runs beside the delivery, until it is over. */
  const deliver = async (
    fault: (line: Line) => void,
    trouble: (
      line: Line,
      receiver: () => Promise<void>,
      over: () => boolean,
    ) => Promise<void> = async () => {},
  ): Promise<void> => {
    const port = await freePort();
    line = await startProxy({ target: { host: "127.0.0.1", port } });
    site = await makeSite({ port, publicUrl: `https://127.0.0.1:${line.port}` });
    await site.command("client", "add", "demo");
    const folder = join(site.dir, "files");
    mkdirSync(folder);
    const truth = new Map<string, Deed[]>();
    for (let i = 0; i < SMALL; i += 1) {
      const bytes = `file ${i}\n`.repeat(i);
      writeFileSync(join(folder, `${i}.txt`), bytes);
      truth.set(`${i}.txt`, [{ sha256: createHash("sha256").update(bytes).digest("hex"), settled: true }]);
    }
    const hash = createHash("sha256");
    const large = openSync(join(folder, "large.bin"), "w");
    for (let at = 0; at < LARGE; at += 2 ** 20) {
      const block = Buffer.alloc(2 ** 20, `${at};`);
      hash.update(block);
      writeSync(large, block);
    }
    closeSync(large);
    truth.set("large.bin", [{ sha256: hash.digest("hex"), settled: true }]);

    let receiver = await site.serve();
    running.push(receiver);
    const agent = await site.agent("far", {
      clients: ["demo"],
      settings: { sources: [{ name: "files", path: folder, settle: "200ms", rescan: "30s" }] },
    });
    fault(line);
    const from = performance.now();
    const sender = await agent.run();
    running.push(sender);
    let over = false;
    const restart = async (): Promise<void> => {
      await receiver.kill();
      receiver = await (site as Site).serve();
      running.push(receiver);
    };
    const troubled = trouble(line, restart, () => over);
    await until(
      "every file is in the ledger",
      async () => (await (site as Site).history("--client", "demo", "--latest")).length === SMALL + 1,
      { withinMs: 150_000, everyMs: 1000 },
    ).catch((cause) => {
      throw new Error(`${cause}\n${sender.stderr().slice(-3000)}\n${receiver.stderr().slice(-2000)}`);
    });
    over = true;
    await troubled;
    line.set({});
    await until("every receipt is at the agent", () => deliveredReceipts(agent.data).length >= SMALL + 1, {
      withinMs: 60_000,
      everyMs: 200,
    });
    const found = await gather(
      await site.history("--client", "demo"),
      site.lake,
      deliveredReceipts(agent.data),
    );
    expect(judge(truth, found)).toEqual([]);
    expect(found.ledger).toHaveLength(SMALL + 1);
    process.stderr.write(`    delivered in ${((performance.now() - from) / 1000).toFixed(1)} s\n`);
  };

  const timeout = 240_000;
  test("100 ms round trip", { timeout }, async () => await deliver((p) => p.set({ latency: 50 })));
  test("20 MB/s", { timeout }, async () => await deliver((p) => p.set({ bandwidth: 20_000_000 })));
  test(
    "every connection cut after 30 MB",
    { timeout },
    async () => await deliver((p) => p.set({ cut: { up: 30_000_000 } })),
  );
  test(
    "every connection reset after 11 MB",
    { timeout },
    async () => await deliver((p) => p.set({ reset: { up: 11_000_000 } })),
  );
  test(
    "half-open for a while: nothing passes and nothing is closed",
    { timeout },
    async () =>
      await deliver(
        () => {},
        async (p, _, over) => {
          await new Promise((resolve) => setTimeout(resolve, 1500));
          p.set({ halfOpen: true });
          await new Promise((resolve) => setTimeout(resolve, 5000));
          if (!over()) p.set({});
          p.dropAll();
        },
      ),
  );
  test(
    "the receiver killed and restarted, again and again",
    { timeout },
    async () =>
      await deliver(
        () => {},
        async (_, restart, over) => {
          for (let i = 0; i < 5 && !over(); i += 1) {
            await new Promise((resolve) => setTimeout(resolve, 800));
            await restart();
          }
        },
      ),
  );
});
