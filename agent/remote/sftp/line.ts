/**
 * The one connection of a source: made when somebody needs it and there is none, closed when nobody needed it for a
 * while. Nothing is tried again by itself: who asks next tries next.
 */
import { RemoteError } from "../remote.ts";
import type { Connection } from "./connection.ts";
import { doing } from "./refused.ts";
import { Session } from "./session.ts";
import type { Waits } from "./waits.ts";

/** A session, and where the source's root is in it. */
export interface Open {
  readonly session: Session;
  /** Without links, as the server says. */
  root: Buffer;
}

/** To be released once. */
export interface Hold {
  readonly open: Open;
  release(): void;
}

export interface LineOptions {
  /** What the server is called in messages. */
  readonly at: string;
  /** As agent.yaml has it. */
  readonly path: Buffer;
  readonly waits: Waits;
  connect(): Promise<Connection>;
}

interface Current {
  readonly open: Promise<Open>;
  end?: () => void;
}

export class Line {
  readonly #options: LineOptions;
  #current: Current | undefined;
  #holds = 0;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  async hold(): Promise<Hold> {
    if (this.#closed) throw this.#over();
    clearTimeout(this.#idle);
    this.#holds += 1;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      this.#holds -= 1;
      if (this.#holds === 0 && this.#current !== undefined)
        this.#idle = setTimeout(() => this.#end(), this.#options.waits.idle).unref();
    };
    try {
      this.#current ??= this.#connect();
      return { open: await this.#current.open, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async use<T>(work: (open: Open) => Promise<T>): Promise<T> {
    const { open, release } = await this.hold();
    try {
      return await work(open);
    } finally {
      release();
    }
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  #over(): RemoteError {
    return new RemoteError("away", `${this.#options.at}: the source is closed`);
  }

  #end(): void {
    clearTimeout(this.#idle);
    const current = this.#current;
    this.#current = undefined;
    current?.end?.();
  }

  #connect(): Current {
    const forget = (): void => {
      if (this.#current === current) this.#current = undefined;
    };
    const current: Current = { open: this.#open((end) => (current.end = end), forget) };
    current.open.catch(forget);
    return current;
  }

  async #open(endBy: (end: () => void) => void, forget: () => void): Promise<Open> {
    const { at, path, waits, connect } = this.#options;
    const connection = await connect();
    if (this.#closed) {
      connection.end();
      throw this.#over();
    }
    const session = new Session(connection.channel, at, waits);
    endBy(() => session.fail(new RemoteError("away", `${at}: the connection is closed`)));
    void connection.over.then((reason) => session.fail(reason));
    void session.over.then(() => {
      forget();
      connection.end();
    });
    await session.greet();
    try {
      return { session, root: await rootOf(session, path) };
    } catch (error) {
      session.fail(error as RemoteError);
      throw error;
    }
  }
}

/** Where the root is now. A root that is not there is no empty one: nothing can be had of the place. */
export async function rootOf(session: Session, path: Buffer): Promise<Buffer> {
  try {
    return withoutEnd(await doing("find", path, session.realPath(path)));
  } catch (error) {
    throw rootAway(error);
  }
}

/** `error` of something that was to be done with the root itself. */
export function rootAway(error: unknown): unknown {
  if (!(error instanceof RemoteError) || !["absent", "denied"].includes(error.failure)) return error;
  return new RemoteError("away", `${error.message}: check \`path\`, and what the account may see`, {
    cause: error,
  });
}

/** Some servers end folders in a slash. */
export function withoutEnd(path: Buffer): Buffer {
  let end = path.length;
  while (end > 1 && path[end - 1] === 0x2f) end -= 1;
  return path.subarray(0, end);
}
