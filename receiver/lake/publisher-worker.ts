/** The thread beneath `directory-publisher.ts`: obeys one order after the other, without waiting for anything but the disk. */
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { parentPort, threadId, workerData } from "node:worker_threads";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Journal } from "./directory-journal.ts";
import { publishSmall } from "./directory-publish.ts";
import type { Ground, PublishAnswer, PublishOrder } from "./directory-publisher.ts";
import { ownerName, thisOwner } from "./directory-replay.ts";
import { settler } from "./directory-settle.ts";
import { openTree, type Small } from "./directory-tree.ts";
import { guardUnseenRoot } from "./root-guard.ts";
import { openStaging } from "./stage.ts";
import { synchronousDisk } from "./synchronous-disk.ts";

const SETTLE_EVERY_MS = 5000;

const port = parentPort;
if (port === null) throw new Error("this file is a worker thread's");
// A thread that is ended keeps nothing of what it compiled: the next would load what strips TypeScript again, 10 MiB.
flushCompileCache();

const { root, lake, claimFile } = workerData as Ground;
const disk = synchronousDisk;
const guard = guardUnseenRoot(root, isOurs, disk);
const staging = openStaging(join(root, ".staging", "bodies"), disk, guard.require);
const tree = openTree(guard, disk);
const owner = thisOwner();
const journal =
  owner === undefined ? undefined : new Journal(root, `${ownerName(owner)}-${threadId}`, disk, guard.require);
const publish = publishSmall(tree, staging.name, disk, journal);

/** The claim, read without what checks it whole: a thread pays for every library that it loads. */
async function isOurs(): Promise<boolean> {
  const text = await disk.readFile(join(root, claimFile), "utf8").catch(() => "{}");
  return (JSON.parse(text) as { lake?: unknown }).lake === lake;
}

async function obey({ id, keys, sizes, bytes }: PublishOrder): Promise<PublishAnswer> {
  let at = 0;
  const objects = keys.map((key, i): Small => {
    const size = sizes[i] as number;
    at += size;
    return { key, bytes: new Uint8Array(bytes, at - size, size) };
  });
  try {
    const errors = await publish(objects);
    return { id, faults: errors.map((error) => (error === undefined ? null : faultOf(error))) };
  } catch (error) {
    return { id, faults: keys.map(() => faultOf(error as Error)) };
  }
}

function faultOf(error: Error) {
  return {
    message: error.message,
    retryAfter: error instanceof ProblemError ? error.retryAfter : undefined,
  };
}

if (journal !== undefined) {
  const settle = settler(journal, tree, disk);
  let settling = Promise.resolve();
  setInterval(() => {
    settling = settling.then(settle);
  }, SETTLE_EVERY_MS).unref();
}

port.on("message", (order: PublishOrder) => void obey(order).then((answer) => port.postMessage(answer)));
