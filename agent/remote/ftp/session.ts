/** The connections of one source, and whatever is asked over them. What was closed while nobody used it is no failure. */

import { RemoteError } from "../remote.ts";
import { type Refusal, refused } from "./failures.ts";
import { FTPError } from "./library.ts";
import { type Line, lost, openLine } from "./line.ts";
import { type Target, whereOf } from "./login.ts";
import { newPool } from "./pool.ts";
import { newServer, type Server } from "./server.ts";
import { said } from "./spelling.ts";

/** A path below what is captured, or (as `after:` has them) a whole one, or one from where the login lands. */
export interface At {
  readonly path: Buffer;
  readonly from: "root" | "login";
}

export interface Session extends AsyncDisposable {
  readonly where: string;
  readonly server: Server;
  /** `repeatable`: it may be said twice without harm, when nobody knows whether the first one arrived. */
  ask<T>(work: (line: Line) => Promise<T>, repeatable?: boolean): Promise<T>;
  /** `enter`: the folder that it happens in. */
  carry(command: (line: Line) => string, options?: CarryOptions): AsyncGenerator<Buffer, void, undefined>;
  /** What went wrong, with this path. */
  failure(error: unknown, at: At, what: string): RemoteError;
}

interface CarryOptions {
  readonly from?: number;
  readonly enter?: (line: Line) => string;
  readonly signal?: AbortSignal;
}

/** As latin1 text, whole. Throws for what FTP cannot say. */
export function whole(line: Pick<Line, "login" | "root">, { path, from }: At): string {
  const text = said(path);
  if (from === "login" && text.startsWith("/")) return text;
  const base = from === "login" ? line.login : line.root;
  return text === "" ? base : base.endsWith("/") ? base + text : `${base}/${text}`;
}

export function newSession(target: Target, connections: number): Session {
  const server = newServer();
  const where = whereOf(target);
  const pool = newPool(() => openLine(target, server), connections, target.patience.idle);

  return {
    where,
    server,
    async ask(work, repeatable = true) {
      for (let fresh = false; ; fresh = true) {
        const taken = await pool.take(fresh);
        try {
          return await work(taken.line);
        } catch (error) {
          if (!isAnswer(error)) taken.line.close();
          if (!(repeatable && taken.used && taken.line.broken) || fresh) throw error;
        } finally {
          taken.giveBack();
        }
      }
    },
    async *carry(command, { from = 0, enter, signal } = {}) {
      for (let fresh = false; ; fresh = true) {
        const taken = await pool.take(fresh);
        let begun = false;
        try {
          if (enter !== undefined) await taken.line.ask(`CWD ${enter(taken.line)}`);
          for await (const piece of taken.line.carry(command(taken.line), from, signal)) {
            begun = true;
            yield piece;
          }
          return;
        } catch (error) {
          if (!isAnswer(error)) taken.line.close();
          if (!begun && from > 0 && server.rest && refusesRestart(error)) {
            server.rest = false;
            continue;
          }
          if (!(taken.used && taken.line.broken) || fresh || begun || signal?.aborted === true) throw error;
        } finally {
          taken.giveBack();
        }
      }
    },
    failure(error, { path }, what) {
      if (error instanceof FTPError) return refused(error as Refusal, path.toString("latin1"), what, where);
      return lost(error, where);
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** The connection is as it was: the server said no, or it was not asked. */
function isAnswer(error: unknown): boolean {
  return error instanceof RemoteError || (error instanceof FTPError && error.code !== 421);
}

/** Some take REST, and refuse what follows. */
function refusesRestart(error: unknown): boolean {
  return error instanceof FTPError && /\brest(art)?\b/i.test(error.message.slice(4));
}

export const below = (path: Buffer): At => ({ path, from: "root" });
export const anywhere = (path: Buffer): At => ({ path, from: "login" });
