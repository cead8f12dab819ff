/** 10,000 files of 4 KiB, each with a durable receipt. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./context.ts";
import { makeSmallFiles } from "./files.ts";
import { inTurn, report, timed } from "./measure.ts";
import { memoryLine, startTributary } from "./tributary.ts";

const COUNT = 10_000;

export async function small({ dir, peers, rounds }: Bench): Promise<string> {
  const tributary = await startTributary();
  const files = join(dir, "small");
  mkdirSync(join(dir, "arrived"), { recursive: true });
  const results = await inTurn(
    [
      {
        name: "tributary",
        run: async (round) => {
          const prepared = join(tributary.site.dir, `prepared-small-${round}`);
          makeSmallFiles(prepared, COUNT, 4096);
          rmSync(files, { recursive: true, force: true });
          makeSmallFiles(files, COUNT, 4096);
          const taken = await tributary.deliver(prepared, `small-${round}`, COUNT);
          tributary.empty();
          return taken;
        },
      },
      ...(["rsync", "rsync --fsync", "rclone sftp", "curl"] as const).map((way) => ({
        name: way,
        run: async (round: number) =>
          await timed(
            async () => await peers.ways[way](`${files}/`, `${way.replaceAll(" ", "-")}-small-${round}`),
          ),
      })),
    ],
    rounds,
  );
  const memory = memoryLine(tributary);
  await tributary.stop();
  return report("10,000 files of 4 KiB", results) + memory;
}
