/**
 * Files that come in pieces, as SFTP brings them: written in any order, looked at again, cut off and gone on with,
 * renamed, and one day whole. Only `commit` makes a version of one. They lie at this receiver alone; what is left by a
 * sender who went away waits for it as long as an upload does.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Principal } from "../identity/principal.ts";
import type { UnfinishedLake } from "../lake/lake.ts";
import type { Files } from "./files.ts";
import type { Inspecting } from "./inspecting.ts";
import { note, Piecemeal, type Whereabouts } from "./piecemeal.ts";
import type { Bringer, Claim, Room } from "./room.ts";

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
  /** So many of one bearer may be under way or wait. */
  readonly most: number;
}

export class UnfinishedUploads {
  readonly parts: UnfinishedParts;
  readonly #of = new Map<string, Map<string, Piecemeal>>();
  readonly #counts = new Map<string, number>();
  /** With nobody at them: how much of each is in memory, the one that was left first in front. */
  readonly #left = new Map<Piecemeal, number>();
  #leftInMemory = 0;

  constructor(parts: UnfinishedParts) {
    this.parts = parts;
  }

  /** A new one, in the place of what was under way there; who still writes to that one goes on for himself. */
  async begin(principal: Principal, at: Omit<Whereabouts, "bearer">): Promise<Piecemeal> {
    const made = await this.prepare(principal, at);
    await this.show(made);
    return made;
  }

  /** One that nobody finds before it is shown. */
  async prepare(principal: Principal, at: Omit<Whereabouts, "bearer">): Promise<Piecemeal> {
    const { lake, room, inspecting, now } = this.parts;
    this.#requirePlace({ ...at, bearer: principal.id });
    await inspecting.ready(undefined);
    const claim = await room.claim({ client: at.client, principal }, undefined);
    return new Piecemeal(
      this,
      { ...at, bearer: principal.id },
      (text) => lake.unfinished(text),
      claim,
      now(),
    );
  }

  async show(one: Piecemeal): Promise<void> {
    await this.#put(one);
    await one.noteAnew();
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
    if (one.users > 0) return;
    if (!one.closed) return await one.keep();
    this.#unlist(one);
    this.#left.set(one, one.inMemory);
    this.#leftInMemory += one.inMemory;
    for (const other of this.#left.keys()) {
      if (this.#leftInMemory <= MOST_IN_MEMORY) break;
      this.#unlist(other);
      // Who leaves now does not learn of another's fault: its own sender does.
      if (other.users === 0) await other.keep().catch(() => {});
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
    // What one disk fault takes is sent again; the others are kept.
    for (const group of [...this.#of.values()])
      for (const one of [...group.values()]) await one.keep().catch(() => {});
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
    this.#count(one.at.bearer, -1);
    this.#unlist(one);
  }

  #requirePlace(at: Whereabouts): void {
    const count = this.#counts.get(at.bearer) ?? 0;
    if (count < this.parts.most || this.find(at) !== undefined) return;
    throw new ProblemError(
      "limit-concurrent",
      `${count} files of this sender wait for the rest of them or for their last name, and more may not: finish, rename or remove some`,
    );
  }

  #count(bearer: string, more: number): void {
    const count = (this.#counts.get(bearer) ?? 0) + more;
    if (count > 0) this.#counts.set(bearer, count);
    else this.#counts.delete(bearer);
  }

  #unlist(one: Piecemeal): void {
    this.#leftInMemory -= this.#left.get(one) ?? 0;
    this.#left.delete(one);
  }

  async #put(one: Piecemeal): Promise<void> {
    const before = this.find(one.at);
    const group = this.#of.get(groupOf(one.at)) ?? new Map<string, Piecemeal>();
    group.set(one.at.pathEncoded, one);
    this.#of.set(groupOf(one.at), group);
    if (before === undefined) this.#count(one.at.bearer, 1);
    else this.#unlist(before);
    if (before === undefined || before === one) return;
    if (before.users === 0) await before.discard();
    else await before.noteAnew().catch(() => {});
  }
}

const NO_CLAIM: Claim = {
  arrived: async () => {},
  landed: () => {},
  recorded: () => {},
  release: () => {},
};

/** Neither names of clients and sources nor ids have a blank. */
const groupOf = ({ bearer, client, source }: Omit<Whereabouts, "pathEncoded">): string =>
  `${bearer} ${client} ${source}`;
