/**
 * Files that come in pieces, as SFTP brings them: written in any order, looked at again, cut off and gone on with,
 * renamed, and one day whole. Only `commit` makes a version of one. They lie at this receiver alone; what is left by a
 * sender who went away waits for it as long as an upload does.
 */
import { randomUUID } from "node:crypto";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import type { Principal } from "../identity/principal.ts";
import type { UnfinishedFile, UnfinishedLake } from "../lake/lake.ts";
import { lakeProblem } from "./answer.ts";
import type { Files } from "./files.ts";
import type { StillAllowed } from "./ingest.ts";
import type { Inspecting } from "./inspecting.ts";
import type { Bringer, Claim, Room } from "./room.ts";

/** Whose it is, and where it goes. Nobody but its bearer sees it. */
export interface Whereabouts {
  readonly bearer: string;
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
}

/** What is written down beside a file that waits. */
const note = z.object({
  bearer: z.string(),
  client: z.string(),
  source: z.string(),
  pathEncoded: z.string(),
  modifiedAt: z.string().nullable(),
  closed: z.boolean(),
});

/** What has nobody at it is written to the disk when more than this is in memory. */
const MOST_IN_MEMORY = 32 * 2 ** 20;

export interface UnfinishedParts {
  readonly lake: UnfinishedLake;
  readonly room: Room;
  readonly files: Pick<Files, "staged">;
  readonly inspecting: Inspecting;
  readonly now: () => number;
  /** Age in ms of what nobody came back for. */
  readonly abandonedAfter: number;
}

/** One of them. Calls follow one another. Every call may throw what the lake or a limit says. */
export class Piecemeal {
  readonly #all: UnfinishedUploads;
  readonly #file: UnfinishedFile;
  readonly #claim: Claim;
  #at: Whereabouts;
  /** Bytes that the claim knows of. */
  #counted = 0;
  /** As the sender said, RFC 3339. */
  modifiedAt: string | null = null;
  /** Its sender closed it, all of it written: only its name is not the last one yet. */
  closed = false;
  touchedAt: number;
  /** Its sender was cut off, and nothing has come of it since: nobody has said that it is whole. */
  interrupted = false;
  /** Handles that have it open, all of one session. */
  users = 0;
  /** Counts the sessions that had it: who finds another number than its own has lost it to a later one. */
  turn = 0;
  /** Why something of it did not come in: then it can only be begun again. */
  failure: unknown;

  constructor(
    all: UnfinishedUploads,
    at: Whereabouts,
    file: (note: () => string) => UnfinishedFile,
    claim: Claim,
    touchedAt: number,
  ) {
    this.#all = all;
    this.#at = at;
    this.#claim = claim;
    this.touchedAt = touchedAt;
    this.#file = file(() => {
      const { modifiedAt, closed } = this;
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

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.#change(async () => {
      await this.#grow(position + bytes.length);
      await this.#file.write(bytes, position);
    });
  }

  async resize(size: number): Promise<void> {
    await this.#change(async () => {
      await this.#grow(size);
      await this.#file.resize(size);
    });
  }

  async read(position: number, length: number): Promise<Buffer> {
    return await this.#file.read(position, length);
  }

  /** On the disk when it resolves, so that it may be gone on with after whatever happens. */
  async keep(): Promise<void> {
    await this.#file.keep();
  }

  /** What was under way to that place is replaced. */
  async rename(source: string, pathEncoded: string): Promise<void> {
    await this.#all.move(this, { ...this.#at, source, pathEncoded });
  }

  moved(at: Whereabouts): void {
    this.#at = at;
  }

  /** It is over after this, whatever becomes of it. */
  async commit(principal: Principal, stillAllowed: StillAllowed): Promise<DeliveryAnswer> {
    try {
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
    } finally {
      await this.discard();
    }
  }

  async discard(): Promise<void> {
    this.#all.forget(this);
    this.#claim.release();
    await this.#file.discard();
  }

  async #change(work: () => Promise<void>): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.closed = false;
    this.interrupted = false;
    this.touchedAt = this.#all.parts.now();
    try {
      await work();
    } catch (error) {
      this.failure = lakeProblem(error);
      throw this.failure;
    }
  }

  /** Quota and disk are asked before the bytes are taken. */
  async #grow(size: number): Promise<void> {
    const more = size - this.#counted;
    if (more <= 0) return;
    this.#counted = size;
    await this.#claim.arrived(more);
  }
}

export class UnfinishedUploads {
  readonly parts: UnfinishedParts;
  readonly #of = new Map<string, Map<string, Piecemeal>>();

  constructor(parts: UnfinishedParts) {
    this.parts = parts;
  }

  /** A new one, in the place of what was under way there; who still writes to that one goes on for himself. */
  async begin(principal: Principal, at: Omit<Whereabouts, "bearer">): Promise<Piecemeal> {
    const { lake, room, inspecting, now } = this.parts;
    await inspecting.ready(undefined);
    const claim = await room.claim({ client: at.client, principal }, undefined);
    const made = new Piecemeal(
      this,
      { ...at, bearer: principal.id },
      (text) => lake.unfinished(text),
      claim,
      now(),
    );
    await this.#put(made);
    return made;
  }

  find(at: Whereabouts): Piecemeal | undefined {
    return this.#of.get(groupOf(at))?.get(at.pathEncoded);
  }

  /** All that this bearer has under way in this source. */
  of(bearer: string, client: string, source: string): Iterable<Piecemeal> {
    return this.#of.get(groupOf({ bearer, client, source }))?.values() ?? [];
  }

  /** Sources into which it has something under way. */
  sourcesOf(bearer: string, client: string): string[] {
    const head = groupOf({ bearer, client, source: "" });
    return [...this.#of.keys()].filter((key) => key.startsWith(head)).map((key) => key.slice(head.length));
  }

  /** Nobody is at it any more: it waits, for its next name or for its sender. What was replaced meanwhile waits for nothing. */
  async leave(one: Piecemeal): Promise<void> {
    if (this.find(one.at) !== one) {
      await one.discard();
      return;
    }
    let inMemory = 0;
    const idle: Piecemeal[] = [];
    for (const group of this.#of.values())
      for (const other of group.values()) {
        if (other.users > 0 || other.inMemory === 0) continue;
        inMemory += other.inMemory;
        idle.push(other);
      }
    if (!one.closed && one.users === 0) await one.keep();
    for (const other of idle) {
      if (inMemory <= MOST_IN_MEMORY) break;
      inMemory -= other.inMemory;
      await other.keep();
    }
  }

  /** What earlier processes left; once, before anybody comes. Gives their number. */
  async goOn(): Promise<number> {
    let count = 0;
    for await (const kept of this.parts.lake.kept()) {
      const { modifiedAt, closed, ...at } = note.parse(JSON.parse(kept.note));
      const one = new Piecemeal(this, at, kept.open, await this.#claimAgain(at), kept.touchedAt);
      one.modifiedAt = modifiedAt;
      one.closed = closed;
      one.interrupted = !closed;
      await this.#put(one);
      count += 1;
    }
    return count;
  }

  /** It lies here already: where there is no room for it any more, its sender is told when there is more of it. */
  async #claimAgain({ bearer, client }: Whereabouts): Promise<Claim> {
    const bringer: Bringer = { client, principal: { kind: "account", id: bearer } };
    return await this.parts.room.claim(bringer, undefined).catch(() => NO_CLAIM);
  }

  /** Takes away what nobody came back for. */
  async sweep(): Promise<number> {
    const before = this.parts.now() - this.parts.abandonedAfter;
    let count = 0;
    for (const group of [...this.#of.values()])
      for (const one of [...group.values()]) {
        if (one.users > 0 || one.touchedAt > before) continue;
        await one.discard();
        count += 1;
      }
    return count;
  }

  /** For a graceful stop. */
  async keepAll(): Promise<void> {
    for (const group of [...this.#of.values()]) for (const one of [...group.values()]) await one.keep();
  }

  async move(one: Piecemeal, to: Whereabouts): Promise<void> {
    this.forget(one);
    one.moved(to);
    await this.#put(one);
  }

  forget(one: Piecemeal): void {
    const group = this.#of.get(groupOf(one.at));
    if (group?.get(one.at.pathEncoded) !== one) return;
    group.delete(one.at.pathEncoded);
    if (group.size === 0) this.#of.delete(groupOf(one.at));
  }

  async #put(one: Piecemeal): Promise<void> {
    const before = this.find(one.at);
    const group = this.#of.get(groupOf(one.at)) ?? new Map<string, Piecemeal>();
    group.set(one.at.pathEncoded, one);
    this.#of.set(groupOf(one.at), group);
    if (before !== undefined && before !== one && before.users === 0) await before.discard();
  }
}

const NO_CLAIM: Claim = { arrived: async () => {}, recorded: () => {}, release: () => {} };

/** Neither names of clients and sources nor ids have a blank. */
const groupOf = ({ bearer, client, source }: Omit<Whereabouts, "pathEncoded">): string =>
  `${bearer} ${client} ${source}`;
