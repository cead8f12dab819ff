/** Tributary as a contender: a receiver and an agent, real processes, real TLS, directory lake, SQLite, durable. */
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startProxy } from "@tributary/test/network/proxy.ts";
import { freePort, type Running, until } from "@tributary/test/site/process.ts";
import { type Agent, makeSite, peakMemory, type Site } from "@tributary/test/site/site.ts";
import Database from "better-sqlite3";
import { stopwatch, type Taken } from "./measure.ts";

const SETTLE_MS = 100;

export interface Measured {
  readonly site: Site;
  readonly agent: Agent;
  readonly receiver: Running;
  readonly running: Running;
  readonly folder: string;
  /** Renames a prepared folder into the source and waits for this many receipts; less the settle time. */
  deliver(prepared: string, name: string, files: number): Promise<Taken>;
  /** Removes what lies in the lake, as the peers' files are removed: memory of the page cache is free again for all alike. */
  empty(): void;
  /** Peak resident memory so far, MiB. */
  memory(): { readonly agent: number; readonly receiver: number };
  stop(): Promise<void>;
}

export interface Options {
  /** ms that every byte is on its way between agent and receiver, in each direction. */
  readonly latency?: number;
  readonly console?: boolean;
}

export async function startTributary({ latency, console = false }: Options = {}): Promise<Measured> {
  const port = await freePort();
  const far =
    latency === undefined
      ? undefined
      : await startProxy({ target: { host: "127.0.0.1", port }, faults: { latency } });
  const site = await makeSite({
    ...{ port, console },
    ...(far === undefined ? {} : { publicUrl: `https://127.0.0.1:${far.port}` }),
  });
  await site.command("client", "add", "bench");
  const folder = join(site.dir, "files");
  mkdirSync(folder);
  const receiver = await site.serve();
  const agent = await site.agent("bench", {
    clients: ["bench"],
    settings: {
      log: "warn",
      sources: [{ name: "files", path: folder, settle: `${SETTLE_MS}ms`, rescan: "1h" }],
    },
  });
  const running = await agent.run();
  await until(
    "the agent runs",
    async () => (await agent.command("status", "--json")).includes("lastScanAt"),
    { everyMs: 200 },
  );
  const queue = new Database(join(agent.data, "queue.sqlite"), { readonly: true });
  const receipts = queue.prepare("SELECT coalesce(max(seq), 0) FROM deliveries").pluck();
  return {
    site,
    agent,
    receiver,
    running,
    folder,
    deliver: async (prepared, name, files) => {
      const before = receipts.get() as number;
      const stop = stopwatch();
      renameSync(prepared, join(folder, name));
      await until(`${files} receipts`, () => (receipts.get() as number) >= before + files, {
        withinMs: 600_000,
        everyMs: 5,
      });
      return stop(SETTLE_MS);
    },
    empty: () => rmSync(join(site.dir, "receiver", "lake", "raw"), { recursive: true, force: true }),
    memory: () => ({
      agent: peakMemory(running.pid) / 2 ** 20,
      receiver: peakMemory(receiver.pid) / 2 ** 20,
    }),
    stop: async () => {
      queue.close();
      await running.stop();
      await receiver.stop();
      await far?.stop();
      site.remove();
    },
  };
}

export function memoryLine(measured: Measured): string {
  const { agent, receiver } = measured.memory();
  return `Peak memory (VmHWM): agent ${agent.toFixed(0)} MiB, receiver ${receiver.toFixed(0)} MiB.\n`;
}
