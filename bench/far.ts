/** 10,000 files of 4 KiB, each with a durable receipt, over a line with a round trip of 100 ms. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./context.ts";
import { makeSmallFiles } from "./files.ts";
import { inTurn, report, timed } from "./measure.ts";
import { memoryLine, startTributary } from "./tributary.ts";

const COUNT = 10_000;
const LATENCY_MS = 50;

export async function far({ dir, peers, rounds }: Bench): Promise<string> {
  const tributary = await startTributary({ latency: LATENCY_MS });
  const ssh = await peers.far(LATENCY_MS);
  const files = join(dir, "far");
  mkdirSync(join(dir, "arrived"), { recursive: true });
  rmSync(files, { recursive: true, force: true });
  makeSmallFiles(files, COUNT, 4096);
  const results = await inTurn(
    [
      {
        name: "tributary",
        run: async (round) => {
          const prepared = join(tributary.site.dir, `prepared-far-${round}`);
          makeSmallFiles(prepared, COUNT, 4096);
          return await tributary.deliver(prepared, `far-${round}`, COUNT);
        },
      },
      ...(["rsync", "rsync --fsync"] as const).map((way) => ({
        name: way,
        run: async (round: number) =>
          await timed(
            async () => await ssh.ways[way](`${files}/`, `${way.replaceAll(" ", "-")}-far-${round}`),
          ),
      })),
    ],
    rounds,
  );
  const memory = memoryLine(tributary);
  await tributary.stop();
  await ssh.stop();
  const best = Math.min(...(results[0]?.taken ?? []).map(({ seconds }) => seconds));
  return `${report(`10,000 files of 4 KiB at a round trip of ${2 * LATENCY_MS} ms`, results)}Tributary: ${(COUNT / best).toFixed(0)} files/s at best. ${memory}`;
}
