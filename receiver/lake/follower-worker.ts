/** The thread beneath `follower.ts`: reads pieces of files in turn and keeps one running SHA-256 per job. */
import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import type { FollowerAnswer, FollowerOrder } from "./follower.ts";

const port = parentPort;
if (port === null) throw new Error("this file is a worker thread's");

const jobs = new Map<string, Hash>();
/** Jobs with a gap: orders that were under way when it came must not begin a new digest. */
const broken = new Set<string>();
const block = Buffer.allocUnsafeSlow(1024 * 1024);

function read(hash: Hash, file: string, start: number, length: number): void {
  const fd = openSync(file, "r");
  try {
    for (let done = 0; done < length; ) {
      const got = readSync(fd, block, 0, Math.min(block.length, length - done), start + done);
      if (got === 0) throw new Error(`${file} ends at byte ${start + done}, ${start + length} were expected`);
      hash.update(block.subarray(0, got));
      done += got;
    }
  } finally {
    closeSync(fd);
  }
}

function obey(order: FollowerOrder): string {
  if (order.kind === "drop") {
    jobs.delete(order.job);
    broken.delete(order.job);
    return "";
  }
  if (broken.has(order.job)) {
    if (order.kind === "finish") broken.delete(order.job);
    throw new Error("an earlier piece could not be read");
  }
  const hash = jobs.get(order.job) ?? createHash("sha256");
  jobs.set(order.job, hash);
  if (order.kind === "finish") {
    jobs.delete(order.job);
    return hash.digest("hex");
  }
  read(hash, order.piece.file, order.piece.start, order.piece.length);
  return "";
}

port.on("message", (order: FollowerOrder) => {
  let answer: FollowerAnswer;
  try {
    answer = { id: order.id, value: obey(order) };
  } catch (error) {
    jobs.delete(order.job);
    if (order.kind === "append") broken.add(order.job);
    answer = { id: order.id, error: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(answer);
});
