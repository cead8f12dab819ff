/**
 * What ssh2 decrypts it puts into new buffers, and V8 counts them as memory outside its heap: every 40 MiB it looks
 * through the whole heap for what may go, which took a third of an upload's time. A look through the young generation
 * alone takes a millisecond, and finds all of them, if it comes before.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const EVERY_BYTES = 4 * 2 ** 20;

type Collect = (options: { readonly type: "minor" }) => void;

let collect: Collect | undefined;
let bytes = 0;

/** Tells of bytes that came, of whichever connection. */
export function cameIn(count: number): void {
  bytes += count;
  if (bytes < EVERY_BYTES) return;
  bytes = 0;
  collect ??= collector();
  collect({ type: "minor" });
}

/** V8's own, which it hands out only while this flag is set. */
function collector(): Collect {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  return typeof gc === "function" ? (gc as Collect) : () => {};
}
