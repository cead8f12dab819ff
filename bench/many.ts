/** 100,000 files in one source: the first delivery, the rescan of an unchanged tree, memory. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ok } from "@tributary/test/site/process.ts";
import { peakMemory } from "@tributary/test/site/site.ts";
import type { Bench } from "./context.ts";
import { makeSmallFiles } from "./files.ts";
import { inTurn, report, timed } from "./measure.ts";
import { memoryLine, startTributary } from "./tributary.ts";

const COUNT = 100_000;

export async function many({ dir, peers, rounds }: Bench): Promise<string> {
  const tributary = await startTributary();
  const prepared = join(tributary.site.dir, "prepared-many");
  makeSmallFiles(prepared, COUNT, 100, true);
  const { seconds: first } = await tributary.deliver(prepared, "many", COUNT);
  const memory = memoryLine(tributary);
  await tributary.running.stop();
  await peers.ways.rsync(`${join(tributary.folder, "many")}/`, "many");
  // A dry run walks and compares the whole source with the queue, exactly as a rescan does, in a process of its own.
  const results = await inTurn(
    [
      {
        name: "tributary",
        run: async () =>
          await timed(
            async () =>
              void (await ok("agent", ["scan", "--dry-run", "--json", "--data", tributary.agent.data])),
          ),
      },
      {
        name: "rsync",
        run: async () =>
          await timed(async () => await peers.ways.rsync(`${join(tributary.folder, "many")}/`, "many")),
      },
    ],
    rounds,
  );
  const running = await tributary.agent.run();
  await pause(20_000);
  const resting = peakMemory(running.pid) / 2 ** 20;
  await running.stop();
  await tributary.stop();
  void dir;
  return `${report("Scan of 100,000 unchanged files (ours: process start and dry run; rsync over ssh)", results)}
First delivery of 100,000 files of 100 bytes: ${first.toFixed(1)} s, ${(COUNT / first).toFixed(0)} files/s. ${memory}
An agent that starts over these 100,000 known files: ${resting.toFixed(0)} MiB at most.
`;
}
