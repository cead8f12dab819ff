/** An honest client beside what is done to the receiver: it sends and reads back all the while, and never waits long. */
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import type { Sftp, SftpSession } from "../site/sftp.ts";

/** A busy machine may take a while; a receiver that is stuck takes longer. */
const PATIENCE_MS = 5000;

export class Witness {
  /** What it was told is there. */
  readonly sent: string[] = [];
  readonly #connection: Sftp;
  readonly #session: SftpSession;
  readonly #over = new AbortController();
  #longest = 0;
  #going: Promise<void>;

  constructor(connection: Sftp, session: SftpSession) {
    this.#connection = connection;
    this.#session = session;
    this.#going = this.#go();
    this.#going.catch(() => {});
  }

  static async begin(connection: Sftp): Promise<Witness> {
    const session = await connection.session();
    await session.mkdir("/witness").catch(() => {});
    return new Witness(connection, session);
  }

  /** Throws what went wrong for it. */
  async end(): Promise<void> {
    this.#over.abort();
    await Promise.race([
      this.#going,
      pause(2 * PATIENCE_MS).then(() => Promise.reject(new Error("the witness waits for ever"))),
    ]);
    await this.#connection.close();
    expect(this.#longest).toBeLessThan(PATIENCE_MS);
  }

  async #go(): Promise<void> {
    const { signal } = this.#over;
    for (let i = 0; ; i += 1) {
      const from = performance.now();
      const bytes = Buffer.from(`${from} ${i}`);
      const words = await this.#session.put(`/witness/${i % 5}`, bytes);
      this.sent.push(words);
      expect(await this.#session.get(`/witness/${i % 5}`)).toEqual(bytes);
      this.#longest = Math.max(this.#longest, performance.now() - from);
      if (signal.aborted) return;
      await pause(100, undefined, { signal }).catch(() => {});
    }
  }
}
