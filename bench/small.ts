/**
 * 10,000 files of 4 KiB, each with a durable receipt. Nothing is deleted before the end: ext4 does not use the inodes of
 * deleted files for minutes, and looking for others costs whoever makes files then ten times as much.
 */
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
  rmSync(files, { recursive: true, force: true });
  makeSmallFiles(files, COUNT, 4096);
  const results = await inTurn(
    [
      {
        name: "tributary",
        run: async (round) => {
          const prepared = join(tributary.site.dir, `prepared-small-${round}`);
          makeSmallFiles(prepared, COUNT, 4096);
          return await tributary.deliver(prepared, `small-${round}`, COUNT);
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
