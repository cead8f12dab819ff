/**
 * SIGKILL of agent and receiver at random points while files are created, overwritten, renamed, removed and
 * re-created. TRIBUTARY_KILL_ROUNDS sets how many; TRIBUTARY_KILL_SEED repeats a run.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Backend, describeOnCephAndPostgres, onDirectoryAndSqlite } from "../site/backends.ts";
import { type Running, until } from "../site/process.ts";
import { deliveredReceipts } from "../site/receipts.ts";
import { gather } from "./evidence.ts";
import { judge } from "./oracle.ts";
import { makeWorkload, randomOf } from "./workload.ts";

const ROUNDS = Number(process.env.TRIBUTARY_KILL_ROUNDS ?? 200);
const SEED = Number(process.env.TRIBUTARY_KILL_SEED ?? Date.now() % 1_000_000);
/** After so many kills both sides may settle, and everything is compared. */
const ROUNDS_TO_CALM = 25;

interface Way {
  readonly name: string;
  /** Of the source in agent.yaml. */
  readonly settings: { readonly capture?: "copy"; readonly after?: string };
  readonly share: number;
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** How a source may be set up, each with its share of the rounds. */
const WAYS: readonly Way[] = [
  { name: "in place", settings: {}, share: 0.4 },
  { name: "capture: copy", settings: { capture: "copy" }, share: 0.2 },
  { name: "after: delete", settings: { after: "delete" }, share: 0.2 },
  { name: "capture: copy, after: move", settings: { capture: "copy", after: "move:done" }, share: 0.2 },
];

async function kills(backend: Backend, { settings }: Way, rounds: number): Promise<void> {
  const random = randomOf(SEED);
  const { site } = await backend.site();
  try {
    await site.command("client", "add", "demo");
    const [folder, staging] = [join(site.dir, "files"), join(site.dir, "half-made")];
    mkdirSync(folder);
    mkdirSync(staging);
    let receiver = await site.serve();
    const agent = await site.agent("one", {
      clients: ["demo"],
      settings: { sources: [{ name: "files", path: folder, settle: "100ms", rescan: "2s", ...settings }] },
    });
    let running = await agent.run();
    const taken = settings.after !== undefined;
    const workload = makeWorkload({ folder, staging, taken }, random);

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
      if (taken)
        await until("all that was delivered is taken away", async () => left(folder).length === 0).catch(
          (cause: Error) => {
            const rest = left(folder).join("\n");
            throw new Error(`seed ${SEED}: ${cause.message}:\n${rest}\n${running.stderr().slice(-3000)}`);
          },
        );
      const delivered = new Set(ledger.map((entry) => entry.sha256));
      for (const file of filesIn(join(folder, "done")))
        expect(delivered, `seed ${SEED}: ${file}`).toContain(sha256(readFileSync(file)));
    };

    for (let round = 1; round <= rounds; round += 1) {
      const working = (async () => {
        const steps = 3 + Math.floor(random() * 8);
        for (let i = 0; i < steps; i += 1) {
          await workload.step();
          await pause(random() * 60);
        }
      })();
      await pause(random() * 500);
      const victim = random();
      const again: Promise<Running>[] = [];
      if (victim < 0.6) await receiver.kill();
      if (victim > 0.4) await running.kill();
      if (victim < 0.6) again.push(site.serve().then((started) => (receiver = started)));
      if (victim > 0.4) again.push(agent.run().then((started) => (running = started)));
      await Promise.all([working, ...again]);
      if (round % ROUNDS_TO_CALM === 0 || round === rounds) await calm();
    }
    expect(await running.stop()).toBe(0);
    expect(await receiver.stop()).toBe(0);
    await site.command("verify");
  } finally {
    site.remove();
  }
}

function filesIn(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];
}

/** Private names that an interrupted action left count too. */
const left = (folder: string): string[] =>
  filesIn(folder).filter((file) => !file.startsWith(join(folder, "done/")));

function killsOn(backend: Backend, all: number): void {
  for (const way of WAYS) {
    const rounds = Math.ceil(all * way.share);
    test(
      `${way.name}: ${rounds} kills at random points lose, double and swap nothing (seed ${SEED})`,
      {
        timeout: 120_000 + rounds * 6000,
      },
      async () => await kills(backend, way, rounds),
    );
  }
}

describe("on directory and SQLite", () => killsOn(onDirectoryAndSqlite, ROUNDS));
describeOnCephAndPostgres("kills", (backend) => killsOn(backend, Math.ceil(ROUNDS / 10)));
