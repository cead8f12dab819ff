/**
 * The thread that makes small objects durable (`directory-publish.ts`): waiting for the disk is all that it does, so the
 * serving thread never does. Whatever waits when it is free goes in one batch. With a journal nothing waits for long: a
 * second thread would be no quicker, and take 20 MiB more.
 */
import { Worker } from "node:worker_threads";
import { isPackaged, packagedText } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { PublishSmall } from "./directory-publish.ts";
import type { Small } from "./directory-tree.ts";

/** What the thread opens when it starts. */
export interface Ground {
  readonly root: string;
  /** The lake's id in its claim, and the claim's name. */
  readonly lake: string;
  readonly claimFile: string;
}

export interface PublishOrder {
  readonly id: number;
  readonly keys: readonly string[];
  /** Sizes of the objects, which lie one behind the other in `bytes`. */
  readonly sizes: readonly number[];
  readonly bytes: ArrayBuffer;
}

export interface PublishAnswer {
  readonly id: number;
  /** In the order of the keys; null: it is durable. */
  readonly faults: readonly ({ readonly message: string; readonly retryAfter: number | undefined } | null)[];
}

const MOST_AT_ONCE = 256;
const MOST_BYTES_AT_ONCE = 8 * 2 ** 20;

interface Waiting extends Small {
  readonly done: (error: Error | undefined) => void;
}

/** Publishes one object; callers that come together share the disk's work. */
export type Publish = (object: Small) => Promise<void>;

/** `publish` in this thread, for tests that watch the disk. */
export function hereAlone(publishSmall: PublishSmall): Publish {
  return async (object) => {
    const [error] = await publishSmall([object]);
    if (error !== undefined) throw error;
  };
}

/** The thread starts at the first object, and anew when it ended; it keeps the process alive only while an answer is due. */
export function onThread(ground: Ground): Publish {
  let worker: Worker | undefined;
  let queue: Waiting[] = [];
  /** What the thread has in hand. */
  let batch: readonly Waiting[] = [];
  let handing = false;
  let count = 0;

  const start = (): Worker => {
    const thread = startThread(ground);
    thread.on("message", ({ faults }: PublishAnswer) => {
      if (worker !== thread) return;
      const answered = batch;
      batch = [];
      thread.unref();
      handOut();
      for (const [i, { done }] of answered.entries()) done(problemOf(faults[i]));
    });
    const lost = (cause: unknown): void => {
      if (worker !== thread) return;
      worker = undefined;
      const problem = new ProblemError("lake-unavailable", "the thread that writes to the lake ended", {
        cause,
      });
      const unanswered = batch;
      batch = [];
      handOut();
      for (const { done } of unanswered) done(problem);
    };
    thread.on("error", lost);
    thread.on("exit", () => lost(undefined));
    return thread;
  };

  const handOut = (): void => {
    if (queue.length === 0 || batch.length > 0) return;
    worker ??= start();
    batch = takeBatch();
    give(worker, batch);
  };

  const takeBatch = (): readonly Waiting[] => {
    let bytes = 0;
    let length = 0;
    for (const { bytes: own } of queue) {
      bytes += own.length;
      if (length === MOST_AT_ONCE || (length > 0 && bytes > MOST_BYTES_AT_ONCE)) break;
      length += 1;
    }
    const taken = queue.slice(0, length);
    queue = queue.slice(length);
    return taken;
  };

  const give = (thread: Worker, objects: readonly Small[]): void => {
    const sizes = objects.map(({ bytes }) => bytes.length);
    const packed = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (const { bytes } of objects) {
      packed.set(bytes, at);
      at += bytes.length;
    }
    count += 1;
    const order: PublishOrder = {
      id: count,
      keys: objects.map(({ key }) => key),
      sizes,
      bytes: packed.buffer,
    };
    thread.ref();
    thread.postMessage(order, [order.bytes]);
  };

  return ({ key, bytes }) =>
    new Promise<void>((resolve, reject) => {
      queue.push({
        key,
        bytes,
        done: (error) => (error === undefined ? resolve() : reject(error)),
      });
      if (handing) return;
      handing = true;
      // All that this turn of the event loop brings goes together.
      setImmediate(() => {
        handing = false;
        handOut();
      });
    });
}

function problemOf(fault: PublishAnswer["faults"][number] | undefined): Error | undefined {
  if (fault == null) return undefined;
  const { message, retryAfter } = fault;
  return new ProblemError("lake-unavailable", message, retryAfter === undefined ? {} : { retryAfter });
}

function startThread(ground: Ground): Worker {
  const options = { workerData: ground, resourceLimits: { maxYoungGenerationSizeMb: 4 } };
  if (isPackaged()) return new Worker(packagedText("publisher-worker.js"), { eval: true, ...options });
  return new Worker(new URL("./publisher-worker.ts", import.meta.url), options);
}
