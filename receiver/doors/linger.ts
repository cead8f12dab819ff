/**
 * An answer that leaves before the body has come whole. Closing at once would make the sender see a reset instead of
 * the answer, reading on would mean gigabytes for nothing. So: the answer goes out whole, a little more is read and
 * thrown away, then the connection is closed.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { declaredSize } from "./body.ts";

const DRAIN_BYTES = 16 * 2 ** 20;
const DRAIN_MS = 2000;
/** A body this small is awaited, and the connection kept. */
const SMALL_BYTES = 64 * 2 ** 10;

const sideBySide = new WeakSet<ServerResponse>();

/** This answer begins while the body still comes: that it is not whole yet says nothing. */
export function answersSideBySide(outgoing: ServerResponse): void {
  sideBySide.add(outgoing);
}

/** To be called once per request, before it is handled. */
export function lingerAfterRefusal(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const writeHead = outgoing.writeHead.bind(outgoing) as (...args: unknown[]) => ServerResponse;
  const end = outgoing.end.bind(outgoing) as (...args: unknown[]) => ServerResponse;
  const small = (declaredSize(incoming) ?? Number.POSITIVE_INFINITY) <= SMALL_BYTES;
  const refusedUnread = incoming.headers.expect !== undefined;
  let lingers = false;
  outgoing.writeHead = ((...args: unknown[]) => {
    lingers = !incoming.complete;
    if (lingers && (!small || refusedUnread) && !sideBySide.has(outgoing)) outgoing.shouldKeepAlive = false;
    return writeHead(...args);
  }) as typeof outgoing.writeHead;
  outgoing.end = ((...args: unknown[]) => {
    if (!lingers || incoming.complete || incoming.destroyed) return end(...args);
    lingers = false;
    const [chunk, encoding] = args;
    if (typeof chunk === "string" || chunk instanceof Uint8Array)
      outgoing.write(chunk, (encoding as BufferEncoding | undefined) ?? "utf8");
    drain(incoming, () => end());
    return outgoing;
  }) as typeof outgoing.end;
}

function drain(incoming: IncomingMessage, done: () => void): void {
  let bytes = 0;
  const finish = (): void => {
    clearTimeout(timer);
    incoming.off("data", onData).off("end", finish).off("close", finish);
    incoming.pause();
    done();
    if (!incoming.complete) incoming.socket.destroySoon();
  };
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > DRAIN_BYTES) finish();
  };
  const timer = setTimeout(finish, DRAIN_MS);
  incoming
    .on("data", onData)
    .on("end", finish)
    .on("close", finish)
    .on("error", () => {});
  incoming.resume();
}
