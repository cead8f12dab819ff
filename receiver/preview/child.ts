/**
 * The process beneath `process.ts`: its first thread watches over its memory, and over the receiver, with which it ends;
 * the second one reads the file. Two, because what is busy reading cannot watch.
 */
import { Worker } from "node:worker_threads";
import { isPackaged, packagedText } from "@tributary/shared/packaged.ts";
import type { FromReader, ToReader } from "./messages.ts";

/** Bytes of the whole process; Node alone has some 60 MB. */
const MOST_MEMORY = 400 * 2 ** 20;
const LOOK_EVERY_MS = 20;

function startThread(): Worker {
  const options = {
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 160, maxYoungGenerationSizeMb: 16 },
  };
  if (isPackaged()) return new Worker(packagedText("preview-worker.js"), { eval: true, ...options });
  return new Worker(new URL("./worker.ts", import.meta.url), options);
}

/** The first thing said is the last: an answer is followed by the end. */
function end(last: FromReader): void {
  process.send?.(last, undefined, undefined, () => process.exit());
}

const thread = startThread();
thread.on("message", (message: FromReader) => {
  if (message.kind === "answer") end(message);
  else process.send?.(message);
});
thread.on("error", () => end({ kind: "too-large" }));
process.on("message", (message: ToReader) => {
  if (message.kind === "order") return thread.postMessage(message);
  // Copied once: what comes over the channel may share its memory with other messages.
  const bytes = new Uint8Array(message.bytes);
  thread.postMessage({ kind: "bytes", bytes }, [bytes.buffer]);
});
process.on("disconnect", () => process.exit());
setInterval(() => {
  if (process.memoryUsage.rss() > MOST_MEMORY) process.kill(process.pid, "SIGKILL");
}, LOOK_EVERY_MS);
