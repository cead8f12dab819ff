/**
 * `listing-process.ts know|scan FOLDER COUNT`: an agent's capture over a server that lists COUNT files in one folder, in no
 * order, as it knows them all. A process of its own, whose memory is nobody else's; `know` makes the queue that
 * `scan` compares with, and `scan` says what it took as JSON.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { peakMemory } from "@tributary/test/site/site.ts";
import { startCapture } from "../agent/capture/capture.ts";
import { everyMs } from "../agent/capture/schedule.ts";
import type { VersionParcel } from "../agent/queue/queue.ts";
import { openQueue } from "../agent/queue/sqlite.ts";
import { type Entry, type Remote, RemoteError } from "../agent/remote/remote.ts";
import { remoteSource } from "../agent/remote/remote-source.ts";
import { FreshBytes } from "../agent/seal/fresh.ts";
import { PartHasher } from "../agent/seal/part-hasher.ts";
import { Spool } from "../agent/seal/spool.ts";
import type { FileState } from "../agent/source/state.ts";

const [mode, home = ""] = process.argv.slice(2);
const count = Number(process.argv[4]);
/** Has no divisor in common with a round number: every file comes once, and none where it belongs. */
const STRIDE = 7919;
const PORTION = 1000;

const nameOf = (i: number): Buffer => Buffer.from(`invoice-${String(i).padStart(9, "0")}.csv`);
const stateOf = (i: number): FileState => ({
  size: 1000 + i,
  mtimeNs: 1_700_000_000_000_000_000n + BigInt(i) * 1_000_000_000n,
  ctimeNs: 0n,
  fileId: undefined,
});

async function* list(): AsyncGenerator<Entry[]> {
  for (let from = 0; from < count; from += PORTION) {
    // A server is not waited for in the same breath.
    await new Promise((resolve) => setImmediate(resolve));
    yield Array.from({ length: Math.min(PORTION, count - from) }, (_, k) => {
      const i = ((from + k) * STRIDE) % count;
      return { kind: "file", name: nameOf(i), state: stateOf(i) };
    });
  }
}

const queue = openQueue(join(home, "queue.sqlite"));
const intake = queue.intake("acme", "erp");

if (mode === "know") {
  for (let from = 0; from < count; from += PORTION)
    intake.put(
      Array.from({ length: Math.min(PORTION, count - from) }, (_, k) => {
        const [path, state] = [nameOf(from + k), stateOf(from + k)];
        const sha256 = "0".repeat(64);
        const parcel: VersionParcel = {
          ...{ kind: "version", captureId: randomUUID(), client: "acme", source: "erp", path, state, sha256 },
          ...{ sealedAt: new Date(0).toISOString(), partDigests: undefined, spooled: undefined },
        };
        return { parcel, seen: { path, state, sha256, sealedAt: 0, missed: 0 } };
      }),
    );
  queue.close();
} else {
  const remote: Remote = {
    tells: { hostTimes: false, coarseMs: 0, staleMs: 0, contentIds: false },
    ordered: false,
    list,
    look: async () => undefined,
    open: () => Promise.reject(new RemoteError("absent", "nothing is to be read")),
    identity: async () => "bench://",
    [Symbol.asyncDispose]: async () => undefined,
  };
  const place = { root: "", include: [], exclude: [], ignored: [], folder: join(home, "listings") };
  const problems: string[] = [];
  const from = performance.now();
  const capture = startCapture({
    source: remoteSource({ name: "erp", remote, ...place }),
    rules: {
      ...{ settleMs: 2000, snapshotMs: undefined, rehashMs: undefined, removals: true, copy: true },
      ...{ after: undefined, schedule: everyMs(2 ** 31 - 1), near: false, watch: false, parallel: 4 },
      accept: "accepted",
    },
    intake,
    book: queue.book("acme", "erp"),
    fetches: queue.fetches("acme", "erp"),
    spool: new Spool(join(home, "spool"), 1e9, queue.status.spooled()),
    fresh: new FreshBytes(),
    partHasher: new PartHasher(),
    onEnd: queue.onEnd,
    report: (fact) => {
      if (fact.kind === "FileHeldBack" || fact.kind === "ParcelSealed") problems.push(fact.kind);
    },
    corrected: Date.now,
  });
  await capture.scanNow();
  const { files } = capture.state();
  const seconds = (performance.now() - from) / 1000;
  const { depth } = queue.status.depth();
  process.stdout.write(
    JSON.stringify({ files, depth, problems: problems.length, seconds, peak: peakMemory(process.pid) }),
  );
  await capture.stop(10_000);
  queue.close();
  process.exit();
}
