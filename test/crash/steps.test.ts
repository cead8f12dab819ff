/**
 * SIGKILL at every step: the process under test is killed at its 1st, 2nd, 3rd … call of each kind that changes
 * the disk, until a delivery passes without meeting that call. Same oracle as the random kills.
 */
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFailed, test } from "vitest";
import { type Running, until } from "../site/process.ts";
import { deliveredReceipts } from "../site/receipts.ts";
import { makeSite } from "../site/site.ts";
import { attach, straceMissing } from "../site/strace.ts";
import { gather } from "./evidence.ts";
import { type Deed, judge } from "./oracle.ts";

const missing = straceMissing();
if (missing && process.env.CI) throw new Error(`CI needs strace: ${missing}`);
const CALLS = ["fsync", "fdatasync", "rename", "mkdir", "unlink", "pwrite64", "ftruncate"];
const MOST = 12;
/** One pool thread, so that "the third fsync" is the same one each time. */
const env = { UV_THREADPOOL_SIZE: "1" };

describe.skipIf(missing !== undefined)(
  `killed at every step${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    test.for(["receiver", "agent"] as const)("the %s", { timeout: 400_000 }, async (victim) => {
      const site = await makeSite();
      const folder = join(site.dir, "files");
      mkdirSync(folder);
      const truth = new Map<string, Deed[]>();
      await site.command("client", "add", "demo");
      let receiver = await site.serve({ env });
      const agent = await site.agent("one", {
        clients: ["demo"],
        settings: { sources: [{ name: "files", path: folder, settle: "50ms", rescan: "1s" }] },
      });
      let running = await agent.run({ env });
      const put = (name: string, bytes: Buffer): void => {
        writeFileSync(join(site.dir, "half-made"), bytes);
        renameSync(join(site.dir, "half-made"), join(folder, name));
        const deeds = truth.get(name) ?? [];
        deeds.push({ sha256: createHash("sha256").update(bytes).digest("hex"), settled: true });
        truth.set(name, deeds);
      };
      const owed = (): number => [...truth.values()].flat().length;
      const receipts = async (what: string): Promise<void> =>
        void (await until(what, () => deliveredReceipts(agent.data).length >= owed(), {
          withinMs: 40_000,
          everyMs: 50,
        }).catch((cause) => {
          throw new Error(`${cause}\n${running.stderr().slice(-2000)}\n${receiver.stderr().slice(-2000)}`);
        }));
      put("warm-up.txt", Buffer.from("warm"));
      await receipts("the first receipt");
      let kills = 0;
      let step = "before the first";
      onTestFailed(() => {
        console.error(`${kills} kills, ${step}: agent ${running.pid}, receiver ${receiver.pid}`);
        console.error(`${running.stderr().slice(-4000)}\n${receiver.stderr().slice(-4000)}`);
      });
      const restart = async (killed: Running): Promise<void> => {
        await until("the end of a killed process", () => killed.exited());
        expect((await killed.ended).signal).toBe("SIGKILL");
        kills += 1;
        if (victim === "receiver") receiver = await site.serve({ env });
        else {
          running = await agent.run({ env });
          // It replaces itself while it begins (shared/start.js), and a tracer that meets that may wait for ever.
          await running.said(/, receiver https:/);
        }
      };
      try {
        for (const call of CALLS) {
          for (let nth = 1; nth <= MOST; nth += 1) {
            const target: Running = victim === "receiver" ? receiver : running;
            step = `${call} ${nth}, attaching`;
            const trace = await attach(target.pid, [
              "-e",
              `trace=${call}`,
              "-e",
              `inject=${call}:signal=SIGKILL:when=${nth}`,
            ]);
            if (trace === undefined) {
              step = `${call} ${nth}, ended before`;
              // The kill of the step before struck behind its receipt: this step has yet to begin.
              await restart(target);
              nth -= 1;
              continue;
            }
            // Two files at once: one in a request, one now and then in parts.
            put(`${call}.txt`, Buffer.from(`${call} ${nth}`));
            if (nth % 4 === 1) put(`${call}-large.bin`, Buffer.alloc(17_000_000, `${call} ${nth}`));
            step = `${call} ${nth}, traced`;
            const delivered = receipts(`${call} ${nth}`).then(() => false);
            const ended = await Promise.race([target.ended.then(() => true), delivered]);
            // The receipt may still fail to come for as long as the victim is dead: that is asked again below.
            delivered.catch(() => {});
            step = `${call} ${nth}, ${ended ? "killed" : "delivered"}`;
            // What was traced is not asked for here, only that nobody traces any more.
            await trace.detach().catch((cause: Error) => console.error(cause.message));
            if (!ended) break;
            step = `${call} ${nth}, started again`;
            await restart(target);
            await receipts(`after ${call} ${nth}`);
          }
        }
        step = "the end";
        await running.stop();
        const found = await gather(
          await site.history("--client", "demo"),
          site.lake,
          deliveredReceipts(agent.data),
        );
        expect(judge(truth, found)).toEqual([]);
        expect(found.ledger).toHaveLength(owed());
        // The harness itself must have bitten: a run without kills proves nothing.
        expect(kills).toBeGreaterThan(10);
        await receiver.stop();
        await site.command("verify");
      } finally {
        if (!running.exited()) await running.stop();
        if (!receiver.exited()) await receiver.stop();
        site.remove();
      }
    });
  },
);
