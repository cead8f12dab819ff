/** The thread beneath `child.ts` that reads the file: the only place where libraries of file formats are loaded. */
import { parentPort } from "node:worker_threads";
import type { FromReader, ToReader } from "./messages.ts";
import { previewOf } from "./read.ts";
import { sourceOf } from "./source.ts";

const port = parentPort;
if (port === null) throw new Error("this file is a worker thread's");
const say = (message: FromReader): void => port.postMessage(message);

let given: ((bytes: Uint8Array) => void) | undefined;
const ask = (start: number, end: number): Promise<Uint8Array> =>
  new Promise((resolve) => {
    given = resolve;
    say({ kind: "read", start, end });
  });

port.on("message", (message: ToReader) => {
  if (message.kind === "bytes") given?.(message.bytes);
  else
    void previewOf(sourceOf(message.order.size, ask), message.order).then((preview) =>
      say({ kind: "answer", preview }),
    );
});
