/** The thread beneath `child.ts` that reads the file: the only place where libraries of file formats are loaded. */
import { parentPort } from "node:worker_threads";
import type { FromReader, ToReader } from "./messages.ts";
import { previewOf } from "./read.ts";
import { sourceOf } from "./source.ts";

const port = parentPort;
if (port === null) throw new Error("this file is a worker thread's");
const say = (message: FromReader): void => port.postMessage(message);

let given: ((bytes: Uint8Array) => void) | undefined;
port.on("message", async (message: ToReader) => {
  if (message.kind === "bytes") return given?.(message.bytes);
  const { order } = message;
  const source = sourceOf(order.size, (start, end) => {
    const bytes = new Promise<Uint8Array>((resolve) => {
      given = resolve;
    });
    say({ kind: "read", start, end });
    return bytes;
  });
  say({ kind: "answer", preview: await previewOf(source, order) });
});
