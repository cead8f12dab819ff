/** One connection to the server, logged in: it does one thing at a time. */

import { RemoteError } from "../remote.ts";
import { type Carried, carried } from "./carried.ts";
import { Control, NotProven } from "./control.ts";
import { aboutAll, reasonOf } from "./failures.ts";
import { FTPError, type FTPResponse } from "./library.ts";
import { loggedIn, type Target, whereOf } from "./login.ts";
import type { Server } from "./server.ts";
import { readable } from "./spelling.ts";

/** Folders and commands as latin1 text. */
export interface Line {
  /** Where the login landed. */
  readonly login: string;
  /** What is captured: a whole path. */
  readonly root: string;
  /** It is over, or nobody knows what it would answer next. */
  readonly broken: boolean;
  /** Throws `FTPError` for a refusal, and what happened to the connection otherwise. */
  ask(command: string): Promise<FTPResponse>;
  carry(command: string, from: number, signal?: AbortSignal): Carried;
  close(): void;
}

export async function openLine(target: Target, server: Server): Promise<Line> {
  const where = whereOf(target);
  const control = new Control(target.patience.silent, "latin1");
  let expire: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    expire = setTimeout(() => {
      reject(new Error(`no connection and login within ${target.patience.connect / 1000} s`));
    }, target.patience.connect);
  });
  try {
    const { login, root } = await Promise.race([loggedIn(control, target, server, where), expired]);
    return {
      login,
      root,
      get broken() {
        return control.closed;
      },
      ask: (command) => control.ask(command),
      carry: (command, from, signal) => carried(control, server, target.patience, command, from, signal),
      close: () => control.close(),
    };
  } catch (error) {
    control.close();
    throw asAway(error, where);
  } finally {
    clearTimeout(expire);
  }
}

/** Whatever went wrong before the login was done: nothing can be had of the place. */
function asAway(error: unknown, where: string): RemoteError {
  if (error instanceof RemoteError) return error;
  if (error instanceof NotProven)
    return new RemoteError(
      "away",
      `${where} does not prove who it is: ${error.message}. Name its authority (or its own certificate, if it is self-signed) in \`ca\`, or the name in the certificate in \`serverName\`; if that is your company's proxy, it intercepts this connection`,
      { cause: error },
    );
  if (error instanceof FTPError)
    return (
      aboutAll(error, where) ??
      new RemoteError("away", `${where} refuses the connection: "${readable(error.message)}"`, {
        cause: error,
      })
    );
  return lost(error, where);
}

/** Something happened to the connection: nobody knows what of the place is as it was. */
export function lost(error: unknown, where: string): RemoteError {
  if (error instanceof RemoteError) return error;
  return new RemoteError("away", `the connection to ${where} failed: ${reasonOf(error)}`, { cause: error });
}
