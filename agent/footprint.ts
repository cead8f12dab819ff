/** How little of the host the agent takes: memory that is not kept, and a place behind all other work. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { setFlagsFromString } from "node:v8";
import type { Log } from "./report/log.ts";

/**
 * V8 lets its young generation grow to tens of MiB when much is made and dropped; with a small one 10,000 files cost
 * a third less memory and no more time (measured with Node 24). It counts for what is allocated from now on.
 */
export function staySmall(): void {
  setFlagsFromString("--max-semi-space-size=2");
  setFlagsFromString("--semi-space-growth-factor=1");
}

/**
 * Other work on this host goes first, at the processor and at the disk. On Linux both belong to each thread: those that
 * are there get it one by one, those still to come inherit it. Node has no call for the disk; `ionice` has.
 */
export function lowerPriority(log: Pick<Log, "say">): void {
  const threads = threadIds();
  for (const id of threads) {
    try {
      // A service manager may have done it, and may allow nothing more.
      if (getPriority(id) < constants.priority.PRIORITY_BELOW_NORMAL)
        setPriority(id, constants.priority.PRIORITY_BELOW_NORMAL);
    } catch (cause) {
      if (id === threads[0])
        log.say(`the priority of this process stays as it is: ${(cause as Error).message}`);
    }
  }
  if (process.platform === "linux")
    spawnSync("ionice", ["-c", "2", "-n", "7", "-p", ...threads.map(String)], {
      stdio: "ignore",
      timeout: 2_000,
    });
}

function threadIds(): readonly number[] {
  if (process.platform !== "linux") return [0];
  try {
    return readdirSync("/proc/self/task").map(Number);
  } catch {
    return [0];
  }
}
