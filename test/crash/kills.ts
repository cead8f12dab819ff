/** SIGKILL of agent and receiver at random points while files change, and what is compared once both may settle. */
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { type Running, until } from "../site/process.ts";
import { deliveredReceipts } from "../site/receipts.ts";
import type { Site } from "../site/site.ts";
import { gather } from "./evidence.ts";
import { judge } from "./oracle.ts";
import type { Workload } from "./workload.ts";

/** TRIBUTARY_KILL_SEED repeats a run. */
export const SEED = Number(process.env.TRIBUTARY_KILL_SEED ?? Date.now() % 1_000_000);
/** After so many kills both sides may settle, and everything is compared. */
const ROUNDS_TO_CALM = 25;

/** Where it all happens, made for one run. */
export interface Scene {
  readonly site: Site;
  /** What agent.yaml says of the source, its name aside. */
  readonly source: Readonly<Record<string, unknown>>;
  readonly workload: Workload;
  /** The longest that both sides live before one is killed, ms. */
  readonly longestMs: number;
  /** Set where `after:` takes delivered files away. */
  readonly taken?: {
    /** What lies in the source still; private names that an interrupted action left count too. */
    left(): Promise<readonly string[]>;
    /** SHA-256 of each file that was moved away. */
    moved(): Promise<readonly string[]>;
  };
  end(): Promise<void>;
}

export async function kills(scene: Scene, random: () => number, rounds: number): Promise<void> {
  const { site, workload, taken } = scene;
  const started: Running[] = [];
  const noted = (one: Running): Running => {
    started.push(one);
    return one;
  };
  try {
    await site.command("client", "add", "demo");
    let receiver = noted(await site.serve());
    const agent = await site.agent("one", {
      clients: ["demo"],
      settings: { sources: [{ name: "files", ...scene.source }] },
    });
    let running = noted(await agent.run());

    const calm = async (): Promise<void> => {
      workload.settle();
      const owed = workload.present();
      const arrived = async (): Promise<boolean> => {
        const newest = new Map(
          (await site.history("--client", "demo")).map((e) => [
            e.pathEncoded,
            e.kind === "removal" ? null : e.sha256,
          ]),
        );
        return [...owed].every(([path, sha256]) => (newest.get(path) ?? null) === sha256);
      };
      const deadline = performance.now() + 60_000;
      while (!(await arrived()) && performance.now() < deadline) await pause(500);
      // The entry may be there before its receipt has reached the agent; both are judged at rest.
      await pause(300);
      const ledger = await site.history("--client", "demo");
      const found = await gather(ledger, site.lake, deliveredReceipts(agent.data));
      expect(
        judge(workload.truth, found),
        `seed ${SEED}\n${running.stderr().slice(-3000)}\n${receiver.stderr().slice(-3000)}`,
      ).toEqual([]);
      if (taken === undefined) return;
      await until("all that was delivered is taken away", async () => (await taken.left()).length === 0, {
        withinMs: 60_000,
        everyMs: 200,
      }).catch(async (cause: Error) => {
        const rest = (await taken.left()).join("\n");
        throw new Error(`seed ${SEED}: ${cause.message}:\n${rest}\n${running.stderr().slice(-3000)}`);
      });
      const delivered = new Set(ledger.map((entry) => entry.sha256));
      for (const moved of await taken.moved()) expect(delivered, `seed ${SEED}`).toContain(moved);
    };

    for (let round = 1; round <= rounds; round += 1) {
      const working = (async () => {
        const steps = 3 + Math.floor(random() * 8);
        for (let i = 0; i < steps; i += 1) {
          await workload.step();
          await pause(random() * 60);
        }
      })();
      await pause(random() * scene.longestMs);
      const victim = random();
      const again: Promise<Running>[] = [];
      if (victim < 0.6) await receiver.kill();
      if (victim > 0.4) await running.kill();
      if (victim < 0.6) again.push(site.serve().then((one) => (receiver = noted(one))));
      if (victim > 0.4) again.push(agent.run().then((one) => (running = noted(one))));
      await Promise.all([working, ...again]);
      if (round % ROUNDS_TO_CALM === 0 || round === rounds) await calm();
    }
    expect(await running.stop()).toBe(0);
    expect(await receiver.stop()).toBe(0);
    await site.command("verify");
  } finally {
    await Promise.all(started.map((one) => one.kill()));
    await scene.end();
  }
}
