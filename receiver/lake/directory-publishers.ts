/**
 * Threads that make small objects durable (`directory-publish.ts`): waiting for the disk is all that they do, so the
 * serving thread never does. Whatever waits when a thread is free goes in one batch, shared among those that are free.
 */
import { Worker } from "node:worker_threads";
import { isPackaged, packagedText } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { PublishSmall } from "./directory-publish.ts";
import type { Small } from "./directory-tree.ts";

/** What a thread opens when it starts. */
export interface Ground {
  readonly root: string;
  /** The lake's id in its claim, and the claim's name. */
  readonly lake: string;
  readonly claimFile: string;
  /** How often the disk lost something, as any thread heard of it (`directory-settle.ts`). */
  readonly failures: SharedArrayBuffer;
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

/** With a journal nothing waits for the disk for long: a second one would be as quick, and 20 MiB more. */
const THREADS = 1;
const MOST_AT_ONCE = 256;
const MOST_BYTES_AT_ONCE = 8 * 2 ** 20;

interface Waiting extends Small {
  readonly done: (error: Error | undefined) => void;
}

interface Thread {
  readonly worker: Worker;
  batch: readonly Waiting[];
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

/** Threads start at the first object; they never keep the process alive but for an answer that is due. */
export function onThreads(place: Omit<Ground, "failures">): Publish {
  const ground: Ground = { ...place, failures: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT) };
  const threads = new Set<Thread>();
  let queue: Waiting[] = [];
  let handing = false;
  let count = 0;

  const start = (): Thread => {
    const thread: Thread = { worker: startThread(ground), batch: [] };
    const { worker } = thread;
    threads.add(thread);
    worker.on("message", ({ faults }: PublishAnswer) => {
      const { batch } = thread;
      thread.batch = [];
      worker.unref();
      handOut();
      for (const [i, { done }] of batch.entries()) done(problemOf(faults[i]));
    });
    const lost = (cause: unknown): void => {
      if (!threads.delete(thread)) return;
      const problem = new ProblemError("lake-unavailable", "the thread that writes to the lake ended", {
        cause,
      });
      for (const { done } of thread.batch) done(problem);
      handOut();
    };
    worker.on("error", lost);
    worker.on("exit", () => lost(undefined));
    return thread;
  };

  const handOut = (): void => {
    while (queue.length > 0) {
      const idle = [...threads].filter(({ batch }) => batch.length === 0);
      const free = idle.length + THREADS - threads.size;
      if (free === 0) return;
      give(idle[0] ?? start(), takeShare(free));
    }
  };

  const takeShare = (free: number): readonly Waiting[] => {
    const most = Math.min(MOST_AT_ONCE, Math.ceil(queue.length / free));
    let bytes = 0;
    let length = 0;
    for (const { bytes: own } of queue) {
      bytes += own.length;
      if (length === most || (length > 0 && bytes > MOST_BYTES_AT_ONCE)) break;
      length += 1;
    }
    const share = queue.slice(0, length);
    queue = queue.slice(length);
    return share;
  };

  const give = (thread: Thread, batch: readonly Waiting[]): void => {
    const sizes = batch.map(({ bytes }) => bytes.length);
    const packed = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (const { bytes } of batch) {
      packed.set(bytes, at);
      at += bytes.length;
    }
    thread.batch = batch;
    count += 1;
    const order: PublishOrder = {
      id: count,
      keys: batch.map(({ key }) => key),
      sizes,
      bytes: packed.buffer,
    };
    thread.worker.ref();
    thread.worker.postMessage(order, [order.bytes]);
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
