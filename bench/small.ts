/**
 * 10,000 files of 4 KiB, each with a durable receipt: on this host, and over a line with a round trip of 100 ms. Nothing
 * is deleted before the end: ext4 does not use the inodes of deleted files for minutes, and looking for others costs
 * whoever makes files then ten times as much.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./context.ts";
import { makeSmallFiles } from "./files.ts";
import { type Contender, inTurn, report, timed } from "./measure.ts";
import { memoryLine, startTributary } from "./tributary.ts";

const COUNT = 10_000;
const LATENCY_MS = 50;

type Ways = Readonly<Record<string, (from: string, to: string) => Promise<void>>>;

export async function small(bench: Bench): Promise<string> {
  const { ways } = bench.peers;
  const named = {
    rsync: ways.rsync,
    "rsync --fsync": ways["rsync --fsync"],
    "rclone sftp": ways["rclone sftp"],
  };
  return await sideBySide(bench, { name: "small", title: "", ways: { ...named, curl: ways.curl } });
}

export async function far(bench: Bench): Promise<string> {
  const ssh = await bench.peers.far(LATENCY_MS);
  const { rsync, "rsync --fsync": durable } = ssh.ways;
  const title = ` at a round trip of ${2 * LATENCY_MS} ms`;
  const ways = { rsync, "rsync --fsync": durable };
  try {
    return await sideBySide(bench, { name: "far", title, latency: LATENCY_MS, ways });
  } finally {
    await ssh.stop();
  }
}

interface Side {
  readonly name: string;
  readonly title: string;
  /** ms in each direction, between agent and receiver. */
  readonly latency?: number;
  readonly ways: Ways;
}

async function sideBySide({ dir, rounds }: Bench, { name, title, latency, ways }: Side): Promise<string> {
  const tributary = await startTributary(latency === undefined ? {} : { latency });
  const files = join(dir, name);
  mkdirSync(join(dir, "arrived"), { recursive: true });
  rmSync(files, { recursive: true, force: true });
  makeSmallFiles(files, COUNT, 4096);
  const ours: Contender = {
    name: "tributary",
    run: async (round) => {
      const prepared = join(tributary.site.dir, `prepared-${name}-${round}`);
      makeSmallFiles(prepared, COUNT, 4096);
      return await tributary.deliver(prepared, `${name}-${round}`, COUNT);
    },
  };
  const peers = Object.entries(ways).map(
    ([way, bring]): Contender => ({
      name: way,
      run: async (round) =>
        await timed(async () => await bring(`${files}/`, `${way.replaceAll(" ", "-")}-${name}-${round}`)),
    }),
  );
  const results = await inTurn([ours, ...peers], rounds);
  const memory = memoryLine(tributary);
  await tributary.stop();
  const best = Math.min(...(results[0]?.taken ?? []).map(({ seconds }) => seconds));
  return `${report(`10,000 files of 4 KiB${title}`, results)}Tributary: ${(COUNT / best).toFixed(0)} files/s at best. ${memory}`;
}
