/**
 * Exchanging keys costs us milliseconds of the only thread there is, and the other side nothing if it sends the same
 * again. RFC 4253, 9 allows it at any time; programs do it once in a gigabyte, or an hour, and none before it is in.
 */
import type { Socket } from "node:net";
import type { Connection } from "ssh2";

/** Quick ones that a connection may have: one more within so many bytes and ms of the one before. */
const MOST_QUICK = 16;
const QUICK_BYTES = 2 ** 20;
const QUICK_MS = 10_000;

/** `cut` ends the connection, and says why. */
export function boundExchanges(
  connection: Connection,
  socket: Socket,
  isIn: () => boolean,
  cut: (why: string) => void,
): void {
  let [at, bytes, quick] = [Number.NEGATIVE_INFINITY, 0, 0];
  connection.on("rekey", () => {
    const [now, through] = [performance.now(), socket.bytesRead + socket.bytesWritten];
    if (now - at < QUICK_MS && through - bytes < QUICK_BYTES) quick += 1;
    [at, bytes] = [now, through];
    if (!isIn() || quick > MOST_QUICK) cut("it exchanged keys again and again");
  });
}
