/**
 * Previews in processes of their own, one for each file. A thread is not enough: where a library asks for one piece of
 * memory beyond its thread's limit, V8 ends the whole process, and with it would go the receiver.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { isPackaged, PREVIEW_PROCESS } from "@tributary/shared/packaged.ts";
import type { FromReader, Order, ToReader } from "./messages.ts";
import type { None, Preview, PreviewFile, Previews } from "./preview.ts";
import { supplyOf } from "./supply.ts";
import { turns } from "./turns.ts";

export interface PreviewLimits {
  /** At the same time. */
  readonly most: number;
  /** That wait for their turn. */
  readonly waiting: number;
  /** Until the process asks for its first bytes: a busy host takes long for that, and no file is to blame. */
  readonly startMilliseconds: number;
  /** For the work itself; waiting for the lake is not counted. */
  readonly milliseconds: number;
  /** For all that is read from the lake. */
  readonly lakeMilliseconds: number;
}

const USUAL: PreviewLimits = {
  most: 2,
  waiting: 8,
  startMilliseconds: 10_000,
  milliseconds: 5_000,
  lakeMilliseconds: 20_000,
};

export function previewsInProcess(limits: Partial<PreviewLimits> = {}): Previews {
  const all = { ...USUAL, ...limits };
  const { take } = turns(all.most, all.waiting);
  return {
    preview: (file, { rows, columns, signal }) =>
      take(() => {
        const order = {
          name: file.name,
          size: file.size,
          rows: Math.max(1, Math.min(rows, 1_000)),
          columns: Math.max(1, Math.min(columns, 500)),
        };
        return previewOne(file, order, signal, all);
      }, signal),
  };
}

const TOO_LARGE: None = { kind: "none", why: "Reading it takes more memory than a preview may have." };
const TOO_SLOW: None = { kind: "none", why: "Reading it took too long." };

async function previewOne(
  file: PreviewFile,
  order: Order,
  signal: AbortSignal | undefined,
  limits: PreviewLimits,
): Promise<Preview> {
  const supply = supplyOf(file);
  const child = startProcess();
  const over = new AbortController();
  try {
    return await new Promise<Preview>((resolve, reject) => {
      const start = stopwatch(limits.startMilliseconds, () => resolve(TOO_SLOW));
      const work = stopwatch(limits.milliseconds, () => resolve(TOO_SLOW));
      const lake = stopwatch(limits.lakeMilliseconds, () => resolve(TOO_SLOW));
      const say = (message: ToReader): void => {
        // That it is gone is told by its end.
        if (!over.signal.aborted) child.send(message, () => {});
      };
      over.signal.addEventListener("abort", () => {
        for (const one of [start, work, lake]) one.pause();
      });
      signal?.addEventListener("abort", () => reject(signal.reason), { signal: over.signal });
      let begun = false;
      child.on("message", (message: FromReader) => {
        begun = true;
        if (message.kind === "answer") return resolve(message.preview);
        if (message.kind === "too-large") return resolve(TOO_LARGE);
        start.pause();
        work.pause();
        lake.start();
        supply.bytes(message.start, message.end, over.signal).then((bytes) => {
          if (over.signal.aborted) return;
          lake.pause();
          work.start();
          say({ kind: "bytes", bytes });
        }, reject);
      });
      child.on("error", reject);
      child.on("exit", (code, signal) => {
        // Before it has asked for a byte no file is to blame: this host or this installation is.
        if (begun) return resolve(TOO_LARGE);
        reject(
          new Error(
            `the process for previews (${process.execPath}) ended before it began, with ${signal ?? `exit code ${code}`}; see whether this host has memory left, and whether the account of the receiver may start it`,
          ),
        );
      });
      start.start();
      say({ kind: "order", order });
    });
  } finally {
    over.abort(new Error("the preview is over"));
    child.kill("SIGKILL");
  }
}

/** Calls `end` when it has run for so long in all. */
function stopwatch(milliseconds: number, end: () => void): { start(): void; pause(): void } {
  let left = milliseconds;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    start: () => {
      since = performance.now();
      timer = setTimeout(end, left);
    },
    pause: () => {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      left = Math.max(0, left - (performance.now() - since));
    },
  };
}

/** Beyond what the process allows itself (child.ts), in KiB of memory that is its own; and no dump of a stranger's data on the disk. */
const BOUNDS = `ulimit -c 0; ulimit -d ${1.5 * 2 ** 20}; exec "$0" "$@"`;

function startProcess(): ChildProcess {
  const command = [
    process.execPath,
    isPackaged() ? PREVIEW_PROCESS : fileURLToPath(new URL("./child.ts", import.meta.url)),
  ];
  const [program = "", ...words] = existsSync("/bin/sh") ? ["/bin/sh", "-c", BOUNDS, ...command] : command;
  const child = spawn(program, words, {
    env: {},
    cwd: "/",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "advanced",
    windowsHide: true,
  });
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It is gone already, which its end tells.
  }
  return child;
}
