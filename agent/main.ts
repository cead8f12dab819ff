/** tributary-agent: the commands, and the only place besides run.ts where a technology is chosen. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redactor } from "@tributary/shared/redactor.ts";
import { fail } from "@tributary/shared/terminal.ts";
import { createProgram } from "./commands/program.ts";
import type { ReadQueue } from "./commands/receipt.ts";
import type { AskRetry } from "./commands/retry.ts";
import type { LookInto } from "./commands/scan.ts";
import { askRetry as askRetryIn } from "./queue/aside.ts";
import { openQueueFile } from "./queue/database.ts";
import { alone, isDataFolderLocked } from "./queue/lock.ts";
import { lookInto as lookIntoQueue, openQueue } from "./queue/sqlite.ts";

/** For calls that are about to come back; those to a share that hangs never do. */
const LET_GO_MS = 3_000;

const readQueue: ReadQueue = (data, read) => {
  const queue = openQueue(join(data, "queue.sqlite"));
  try {
    return read(queue.status);
  } finally {
    queue.close();
  }
};

const lookInto: LookInto = (data, client, source) =>
  lookIntoQueue(join(data, "queue.sqlite"), client, source);

function acceptRoot(data: string, client: string, source: string): void {
  const queue = openQueue(join(data, "queue.sqlite"));
  try {
    queue.book(client, source).recordRoot(undefined);
  } finally {
    queue.close();
  }
}

const askRetry: AskRetry = (data, wanted) => {
  const file = openQueueFile(join(data, "queue.sqlite"));
  try {
    return askRetryIn(file, wanted);
  } finally {
    file.close();
  }
};

const redactor = new Redactor();

const program = createProgram({
  // Loaded only here: the short commands need none of it.
  run: async (options) => await (await import("./run.ts")).run(options),
  readQueue,
  lookInto,
  acceptRoot,
  askRetry,
  isRunning: isDataFolderLocked,
  alone: (data, work) => alone(data, "secrets.lock", work),
  redactor,
});

export async function main(): Promise<void> {
  // The key, the queue and the copies of the client's files are nobody else's to read.
  process.umask(0o077);
  // `… | head` closes the pipe early: that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = fail("tributary-agent", error, redactor.redact);
  }
  // Nothing that is left over, such as an idle connection, may keep a finished command alive. To exit, Node waits for its
  // threads: one that a share keeps in the system would never let it go.
  const inSystem = (): boolean => process.getActiveResourcesInfo().some((kind) => kind.startsWith("FSReq"));
  for (let waited = 0; inSystem() && waited < LET_GO_MS; waited += 20) await sleep(20);
  process.stdout.write("", () => {
    if (inSystem()) process.kill(process.pid, "SIGKILL");
    process.exit();
  });
}
