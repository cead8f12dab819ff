/**
 * What holds back more than one path: a client that is suspended or has used up its quota, a source that is away. Of
 * such a place one parcel at a time is tried, so that ten thousand that wait for the same thing are not ten thousand
 * requests; after three failures in a row only when the time that the problem named is over. The first two are tried
 * at once: where a large file does not fit into what is left of a quota, the small ones behind it may.
 */
import type { ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import type { Parcel } from "../queue/queue.ts";
import { backoffMs } from "./retry.ts";

type Place = Pick<Parcel, "client" | "source">;

/** A place that is held now. Times in ms since 1970. */
export interface Held {
  readonly client: string;
  /** null: the whole client. */
  readonly source: string | null;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly since: number;
  readonly until: number;
}

interface Hold extends Held {
  readonly failures: number;
  /** captureId of the one parcel that is being tried. */
  readonly probe: string | undefined;
}

const SUSPECT = 3;

export class Holds {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #holds = new Map<string, Hold>();

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
  }

  /** Whether this parcel may be tried now. Where its place is held, a yes makes it the one that is tried. */
  admit(captureId: string, place: Place): boolean {
    const holds = this.#of(place);
    if (holds.some(([, { probe, until }]) => probe !== undefined || until > this.#now())) return false;
    for (const [key, hold] of holds) this.#holds.set(key, { ...hold, probe: captureId });
    return true;
  }

  /** The parcel failed for a reason that it shares with all of its client, or of its source. */
  failed(parcel: Parcel, reach: "client" | "source", problem: ProblemError): void {
    const key = reach === "client" ? clientKey(parcel) : sourceKey(parcel);
    const before = this.#holds.get(key);
    // Those that were on their way when it began say nothing new.
    if (before !== undefined && before.probe !== parcel.captureId) return;
    this.ended(parcel.captureId);
    const failures = (before?.failures ?? 0) + 1;
    const now = this.#now();
    const waitMs =
      failures < SUSPECT ? 0 : backoffMs(failures - SUSPECT + 1, problem.retryAfter, this.#random);
    this.#holds.set(key, {
      client: parcel.client,
      source: reach === "client" ? null : parcel.source,
      code: problem.code,
      detail: problem.message,
      since: before?.since ?? now,
      until: now + waitMs,
      failures,
      probe: undefined,
    });
  }

  /** The parcel got through: what it was tried for is over. */
  passed(captureId: string): void {
    for (const [key, { probe }] of this.#holds) if (probe === captureId) this.#holds.delete(key);
  }

  /** The parcel ended in a way that says nothing about its place: the next one is tried. */
  ended(captureId: string): void {
    for (const [key, hold] of this.#holds)
      if (hold.probe === captureId) this.#holds.set(key, { ...hold, probe: undefined });
  }

  /** A source of this name may be there again: one of its parcels is tried at once. */
  sourceBack(name: string): void {
    for (const [key, hold] of this.#holds)
      if (hold.source === name) this.#holds.set(key, { ...hold, until: this.#now() });
  }

  /** ms at which the next place may be tried; undefined: nothing is held, or it may be tried already. */
  nextAt(): number | undefined {
    const now = this.#now();
    const times = [...this.#holds.values()].map(({ until }) => until).filter((until) => until > now);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Places that wait for their time, for `status`. */
  list(): readonly Held[] {
    return [...this.#holds.values()]
      .filter(({ failures }) => failures >= SUSPECT)
      .map(({ client, source, code, detail, since, until }) => ({
        client,
        source,
        code,
        detail,
        since,
        until,
      }));
  }

  #of(place: Place): [string, Hold][] {
    const found: [string, Hold][] = [];
    for (const key of [clientKey(place), sourceKey(place)]) {
      const hold = this.#holds.get(key);
      if (hold !== undefined) found.push([key, hold]);
    }
    return found;
  }
}

const clientKey = ({ client }: Place): string => client;
const sourceKey = ({ client, source }: Place): string => `${client}/${source}`;
