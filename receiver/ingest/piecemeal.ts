/** One file that comes in pieces, as all who have it in their hands see it. */
import { randomUUID } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import type { Principal } from "../identity/principal.ts";
import type { NoteOf, UnfinishedFile } from "../lake/lake.ts";
import { lakeProblem } from "./answer.ts";
import type { Files } from "./files.ts";
import type { StillAllowed } from "./ingest.ts";
import type { Claim } from "./room.ts";

/** Whose it is, and where it goes. Nobody but its bearer sees it. */
export interface Whereabouts {
  readonly bearer: string;
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
}

/** What is written down beside a file that waits. */
export const note = z.object({
  bearer: z.string(),
  client: z.string(),
  source: z.string(),
  pathEncoded: z.string(),
  modifiedAt: z.string().nullable(),
  closed: z.boolean(),
});

/** All that are under way. */
interface Others {
  readonly parts: { readonly files: Pick<Files, "staged">; readonly now: () => number };
  find(at: Whereabouts): Piecemeal | undefined;
  move(one: Piecemeal, to: Whereabouts): Promise<void>;
  forget(one: Piecemeal): void;
}

/**
 * Several sessions of its bearer may have it in their hands, and who sweeps or stops: what is done to it
 * takes turns, and when its end has begun nothing more is done. Every call may throw what the lake or a limit says.
 */
export class Piecemeal {
  readonly #all: Others;
  readonly #file: UnfinishedFile;
  readonly #claim: Claim;
  #at: Whereabouts;
  /** Bytes that the claim knows of. */
  #counted = 0;
  /** As the sender said, RFC 3339. */
  modifiedAt: string | null = null;
  /** Its sender closed it, all of it written, and has written nothing since: only its name is not the last one yet. */
  closed = false;
  touchedAt: number;
  /** Its sender was cut off, or lost it to a later session, and nobody goes on with it yet: nobody has said that it is whole. */
  interrupted = false;
  /** Handles that have it open, all of one session. */
  users = 0;
  /** Counts the sessions that had it: who finds another number than its own has lost it to a later one. */
  turn = 0;
  /** Why something of it did not come in: then it can only be begun again. */
  failure: unknown;
  /** Resolves when it is recorded, refused or given up, and nobody finds it any more; undefined: it goes on. */
  ending: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    all: Others,
    at: Whereabouts,
    file: (note: NoteOf) => UnfinishedFile,
    claim: Claim,
    touchedAt: number,
  ) {
    this.#all = all;
    this.#at = at;
    this.#claim = claim;
    this.touchedAt = touchedAt;
    this.#file = file((whole) => {
      // What was removed or replaced while it was open must not come back at the next start.
      if (all.find(this.#at) !== this) return undefined;
      const { modifiedAt } = this;
      const closed = this.closed && whole;
      return JSON.stringify({ ...this.#at, modifiedAt, closed } satisfies z.infer<typeof note>);
    });
  }

  get at(): Whereabouts {
    return this.#at;
  }

  get size(): number {
    return this.#file.size;
  }

  get inMemory(): number {
    return this.#file.inMemory;
  }

  missing(): { readonly start: number; readonly end: number } | undefined {
    return this.#file.missing();
  }

  async write(bytes: Uint8Array, position: number | "end"): Promise<void> {
    await this.#change(async () => {
      const at = position === "end" ? this.size : position;
      await this.#grow(at + bytes.length);
      await this.#file.write(bytes, at);
    });
  }

  async resize(size: number): Promise<void> {
    await this.#change(async () => {
      await this.#grow(size);
      await this.#file.resize(size);
    });
  }

  async read(position: number, length: number): Promise<Buffer> {
    return await this.#inTurn(() => this.#file.read(position, length));
  }

  /** On the disk when it resolves, so that it may be gone on with after whatever happens. */
  async keep(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#file.keep();
      this.#claim.landed();
    });
  }

  /** Where it is found, if anywhere, is another than it was. */
  async noteAnew(): Promise<void> {
    await this.#inTurn(() => this.#file.noteAnew());
  }

  /** What was under way to that place is replaced. */
  async rename(source: string, pathEncoded: string): Promise<void> {
    if (this.ending !== undefined) throw this.failure ?? over();
    await this.#all.move(this, { ...this.#at, source, pathEncoded });
    await this.noteAnew();
  }

  moved(at: Whereabouts): void {
    this.#at = at;
  }

  /**
   * Removed by its bearer. `givenUp`: by the session that has it open, which cannot end it well any more. By another:
   * who still writes to it goes on for himself.
   */
  async remove(givenUp: boolean): Promise<void> {
    if (this.users === 0 || this.ending !== undefined) return await this.discard();
    if (givenUp)
      this.failure ??= new ProblemError(
        "upload-closed",
        "it was removed while it was being written; nothing was recorded",
      );
    this.#all.forget(this);
    await this.noteAnew();
  }

  /** It is over after this, whatever becomes of it. `to`: its last place, when that is another. */
  async commit(
    principal: Principal,
    stillAllowed: StillAllowed,
    to: Pick<Whereabouts, "source" | "pathEncoded"> = this.#at,
  ): Promise<DeliveryAnswer> {
    return await this.#end(async () => {
      if (to !== this.#at) await this.#all.move(this, { ...this.#at, ...to });
      if (this.failure !== undefined) throw this.failure;
      const staged = await this.#file.finish().catch((cause: unknown) => Promise.reject(lakeProblem(cause)));
      const { bearer: _bearer, ...at } = this.#at;
      const delivery = {
        ...at,
        principal,
        captureId: randomUUID(),
        modifiedAt: this.modifiedAt,
        sealedAt: null,
        channel: "sftp",
      };
      return await this.#all.parts.files.staged(delivery, staged, this.#claim, stillAllowed);
    });
  }

  /** When it is over already, it resolves when that has come to its end. */
  async discard(): Promise<void> {
    if (this.ending !== undefined) return await this.ending;
    await this.#end(async () => {});
  }

  async #end<T>(work: () => Promise<T>): Promise<T> {
    if (this.ending !== undefined) throw this.failure ?? over();
    const ended = Promise.withResolvers<void>();
    this.ending = ended.promise;
    const before = this.#turn;
    try {
      await before;
      return await work();
    } catch (error) {
      this.failure ??= error;
      throw error;
    } finally {
      this.#all.forget(this);
      this.#claim.release();
      await this.#file.discard().finally(ended.resolve);
    }
  }

  async #change(work: () => Promise<void>): Promise<void> {
    await this.#inTurn(async () => {
      if (this.failure !== undefined) throw this.failure;
      this.touchedAt = this.#all.parts.now();
      try {
        if (this.closed) {
          this.closed = false;
          await this.#file.noteAnew();
        }
        await work();
      } catch (error) {
        this.failure = lakeProblem(error);
        throw this.failure;
      }
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.ending !== undefined) throw this.failure ?? over();
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  /** Quota and disk are asked before the bytes are taken. */
  async #grow(size: number): Promise<void> {
    const more = size - this.#counted;
    if (more <= 0) return;
    this.#counted = size;
    await this.#claim.arrived(more);
  }
}

const over = () => new ProblemError("upload-closed", "it is under way no more: it was recorded or given up");
