/**
 * The digest of a whole that arrives in parts, found behind the back of the serving thread: a worker thread reads
 * what is stored already, in order, so that at the end only the rest must be read. Its state is a convenience:
 * where it is lost, the bytes are read again.
 */
import { Worker } from "node:worker_threads";
import { isPackaged, packagedText } from "@tributary/shared/packaged.ts";

export interface Piece {
  readonly file: string;
  readonly start: number;
  readonly length: number;
}

export type FollowerOrder =
  | { readonly kind: "append"; readonly id: number; readonly job: string; readonly piece: Piece }
  | { readonly kind: "finish"; readonly id: number; readonly job: string }
  | { readonly kind: "drop"; readonly id: number; readonly job: string };
export type FollowerAnswer = { readonly id: number; readonly value?: string; readonly error?: string };

export interface Follower {
  /** Adds the next bytes of the whole. Resolves when they were read; rejects when this job is lost. */
  append(job: string, piece: Piece): Promise<void>;
  /** The SHA-256 in hex of all that was appended, and the end of the job. Rejects when the job is lost. */
  finish(job: string): Promise<string>;
  drop(job: string): void;
}

/** One thread for all jobs, started at the first; it never keeps the process alive but for an answer that is due. */
export function startFollower(): Follower {
  interface Waiting {
    readonly resolve: (value: string) => void;
    readonly reject: (error: Error) => void;
  }
  const waiting = new Map<number, Waiting>();
  const lost = new Set<string>();
  const jobs = new Set<string>();
  let worker: Worker | undefined;
  let count = 0;

  const start = (): Worker => {
    const thread = startThread();
    const fail = (error: Error): void => {
      if (worker !== thread) return;
      worker = undefined;
      for (const job of jobs) lost.add(job);
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    thread.on("message", (answer: FollowerAnswer) => {
      const due = waiting.get(answer.id);
      waiting.delete(answer.id);
      if (waiting.size === 0) thread.unref();
      if (answer.error === undefined) due?.resolve(answer.value ?? "");
      else due?.reject(new Error(answer.error));
    });
    thread.on("error", fail);
    thread.on("exit", () => fail(new Error("the hashing thread ended")));
    return thread;
  };

  const ask = (kind: FollowerOrder["kind"], job: string, piece?: Piece): Promise<string> => {
    if (lost.has(job) && kind !== "drop")
      return Promise.reject(new Error("the hashing thread lost this job"));
    jobs.add(job);
    worker ??= start();
    const thread = worker;
    count += 1;
    const id = count;
    return new Promise<string>((resolve, reject) => {
      const rejectJob = (error: Error): void => {
        lost.add(job);
        reject(error);
      };
      waiting.set(id, { resolve, reject: rejectJob });
      thread.ref();
      thread.postMessage({ kind, id, job, ...(piece === undefined ? {} : { piece }) });
    });
  };
  const forget = (job: string): void => {
    jobs.delete(job);
    lost.delete(job);
  };

  const drop = (job: string): void => {
    // Orders are obeyed in turn, so what comes later under this name begins anew.
    if (jobs.has(job) && worker !== undefined) ask("drop", job).catch(() => {});
    forget(job);
  };

  return {
    append: async (job, piece) => void (await ask("append", job, piece)),
    finish: async (job) => {
      try {
        return await ask("finish", job);
      } finally {
        drop(job);
      }
    },
    drop,
  };
}

function startThread(): Worker {
  if (isPackaged()) return new Worker(packagedText("follower-worker.js"), { eval: true });
  return new Worker(new URL("./follower-worker.ts", import.meta.url));
}
