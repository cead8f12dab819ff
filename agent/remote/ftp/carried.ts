/** What comes over a data connection: a file or a listing, as it comes, and no faster than it is taken. */
import { PassThrough } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { RemoteError } from "../remote.ts";
import type { Control } from "./control.ts";
import {
  connectForPassiveTransfer,
  FTPError,
  type FTPResponse,
  parseEpsvResponse,
  parsePasvResponse,
} from "./library.ts";
import type { Patience } from "./patience.ts";
import type { Server } from "./server.ts";

export type Carried = AsyncGenerator<Buffer, void, undefined>;

const AT_ONCE = 256 * 1024;

/**
 * The last piece is only given once the server has said that this was all: whoever has it all knows that it is all. One
 * that is given up closes the connection, as the server could not be told otherwise in a way that all understand.
 */
export async function* carried(
  control: Control,
  server: Server,
  patience: Patience,
  command: string,
  from: number,
  signal?: AbortSignal,
): Carried {
  let transfer: Transfer | undefined;
  let held: Buffer | undefined;
  let over = false;
  const giveUp = (): void => {
    const error = new Error("it was given up");
    control.closeWithError(error);
    transfer?.cut(error);
  };
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    signal?.throwIfAborted();
    await openData(control, server, patience);
    let skip = from > 0 && !(await restarted(control, server, from)) ? from : 0;
    transfer = begin(control, patience, command);
    for await (const piece of transfer.pieces) {
      const wanted = skip === 0 ? piece : piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - wanted.length;
      if (wanted.length === 0) continue;
      if (held !== undefined) yield held;
      held = wanted;
    }
    const { message } = await transfer.ended();
    over = true;
    // vsftpd: an empty listing, and 226 all the same.
    if (/failed to open dir/i.test(message))
      throw new FTPError({ code: 550, message: `550 Permission denied: ${message}` });
    if (held !== undefined) yield held;
  } catch (error) {
    const words = error instanceof FTPError ? error : await transfer?.words();
    // Refused before it began: the connection is as before.
    if (words !== undefined && words.code !== 421 && held === undefined) over = true;
    throw words ?? error;
  } finally {
    transfer?.close();
    signal?.removeEventListener("abort", giveUp);
    if (over) control.dataSocket = undefined;
    else giveUp();
  }
}

interface Transfer {
  readonly pieces: AsyncIterable<Buffer>;
  cut(error: Error): void;
  /** What the server said at the end. Throws when it was not a good one. */
  ended(): Promise<FTPResponse>;
  /** Why the server broke it off, if it says so soon. */
  words(): Promise<FTPError | undefined>;
  close(): void;
}

/** A server that breaks off says why on the other connection, which may come a little later. */
const SOON_MS = 1_000;

function begin(control: Control, patience: Patience, command: string): Transfer {
  const socket = control.dataSocket;
  if (socket === undefined) throw new Error("the data connection is gone");
  const through = new PassThrough({ highWaterMark: AT_ONCE });
  const cut = (error: Error): void => void through.destroy(error);
  const closed = (): void => {
    if (!socket.readableEnded) cut(socket.errored ?? new Error("the data connection was cut"));
  };
  socket.once("close", closed);
  if (socket.destroyed) closed();
  const said = control.ask(command);
  said.catch(cut);
  socket.pipe(through);
  // While data comes the control connection is silent.
  control.socket.setTimeout(0);
  const watch = watchFor(
    patience.silent,
    () => (through.writableNeedDrain ? undefined : socket.bytesRead),
    () => {
      const error = new Error(`not a byte of data for ${patience.silent / 1000} s`);
      control.closeWithError(error);
      cut(error);
    },
  );
  return {
    pieces: through,
    cut,
    async ended() {
      clearInterval(watch);
      control.socket.setTimeout(patience.silent);
      const reply = await said;
      control.socket.setTimeout(0);
      return reply;
    },
    words() {
      const refusal = said.then(
        () => undefined,
        (error: unknown) => (error instanceof FTPError ? error : undefined),
      );
      return Promise.race([refusal, setTimeout(SOON_MS, undefined)]);
    },
    close: () => clearInterval(watch),
  };
}

/** Always to the host of the control connection: what PASV names is often the inside of a network, or somebody else. */
async function openData(control: Control, server: Server, patience: Patience): Promise<void> {
  const host = control.socket.remoteAddress;
  if (host === undefined) throw new Error("the connection is closed");
  const port = (server.epsv ? await extended(control, server) : undefined) ?? (await plain(control));
  // The library takes this for opening a data connection as well.
  Object.assign(control, { timeout: patience.connect });
  try {
    await connectForPassiveTransfer(host, port, control);
  } catch (error) {
    throw new RemoteError(
      "away",
      `the server's port ${port} cannot be reached, which it gave for data: ${(error as Error).message}. Its firewall, and all on the way, must let its passive ports through`,
      { cause: error },
    );
  } finally {
    Object.assign(control, { timeout: patience.silent });
  }
}

/** EPSV (RFC 2428); undefined: it does not know it. */
async function extended(control: Control, server: Server): Promise<number | undefined> {
  try {
    return parseEpsvResponse((await control.ask("EPSV")).message);
  } catch (error) {
    if (control.closed || (error instanceof FTPError && error.code < 500)) throw error;
    server.epsv = false;
    return undefined;
  }
}

async function plain(control: Control): Promise<number> {
  return parsePasvResponse((await control.ask("PASV")).message).port;
}

/** Whether the next transfer begins there: not all servers can. */
async function restarted(control: Control, server: Server, from: number): Promise<boolean> {
  if (!server.rest) return false;
  try {
    await control.ask(`REST ${from}`);
    return true;
  } catch (error) {
    if (!(error instanceof FTPError) || error.code < 500) throw error;
    server.rest = false;
    return false;
  }
}

const LOOKS = 10;

/**
 * `seen`: bytes so far; undefined while it is we who let the other wait. Counted in looks and not in time: neither a clock
 * that jumps nor a host that slept makes a server silent.
 */
function watchFor(silentMs: number, seen: () => number | undefined, onSilence: () => void): NodeJS.Timeout {
  let last: number | undefined;
  let same = 0;
  const watch = setInterval(() => {
    const now = seen();
    same = now !== undefined && now === last ? same + 1 : 0;
    last = now;
    if (same < LOOKS) return;
    clearInterval(watch);
    onSilence();
  }, silentMs / LOOKS);
  return watch;
}
