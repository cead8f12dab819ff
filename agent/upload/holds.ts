/**
 * What holds back more than one path: a client that is suspended or has used up its quota, a source that is away. Of
 * such a place one parcel at a time is tried, so that ten thousand that wait for the same thing are not ten thousand
 * requests; after three failures in a row only when the time that the problem named is over; of a limit, that the receiver has
 * counted, after the first. A quota holds back what is
 * as large as the smallest that it refused: the small files behind a large one go.
 */
import type { ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import type { Admission, Parcel } from "../queue/queue.ts";
import { backoffMs, KNOWN_UNTIL } from "./retry.ts";

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
  /** The one parcel that is being tried, and since when. */
  readonly probe: { readonly captureId: string; readonly since: number } | undefined;
  /** Bytes of the smallest parcel that was refused for its size; 0: size does not matter. */
  readonly least: number;
}

const SUSPECT = 3;
/**
 * A parcel that is on its way for so long answers nothing soon: it may be a hundred gigabytes that get through, or a share
 * that hangs. The next one is tried beside it; were the place set free at once, a share that hangs would have them all.
 */
const PATIENCE_MS = 30_000;
const QUOTAS: readonly ProblemCode[] = ["quota-day", "quota-stored"];

export class Holds {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #holds = new Map<string, Hold>();

  constructor(now: () => number, random: () => number) {
    this.#now = now;
    this.#random = random;
  }

  /** Whether this parcel, of `size` bytes, may be tried now. Where its place is held, a yes makes it the one that is tried. */
  admit(captureId: string, place: Place, size: number): Admission {
    this.#forgetSlow();
    const holds = this.#of(place).filter(([, { least }]) => size >= least);
    const bars = holds.filter(([, { probe, until }]) => probe !== undefined || until > this.#now());
    if (bars.length > 0) return bars.every(([, { least }]) => least > 0) ? { below: leastOf(bars) } : "no";
    const probe = { captureId, since: this.#now() };
    for (const [key, hold] of holds) this.#holds.set(key, { ...hold, probe });
    return "yes";
  }

  /** The parcel failed for a reason that it shares with all of its client, or of its source. */
  failed(parcel: Parcel, reach: "client" | "source", problem: ProblemError): void {
    const key = reach === "client" ? clientKey(parcel) : sourceKey(parcel);
    const before = this.#holds.get(key);
    const tried = before?.probe?.captureId === parcel.captureId;
    this.ended(parcel.captureId);
    const size = sizeOf(parcel);
    const least = QUOTAS.includes(problem.code) ? Math.min(size, before?.least ?? size) : 0;
    // Those that were on their way when it began say nothing new, but how small is too large.
    if (before !== undefined && !tried) {
      if (least < before.least) this.#holds.set(key, { ...before, least });
      return;
    }
    const failures = (before?.failures ?? 0) + 1;
    const now = this.#now();
    const waitMs =
      failures < SUSPECT && !KNOWN_UNTIL.includes(problem.code)
        ? 0
        : backoffMs(Math.max(1, failures - SUSPECT + 1), problem.retryAfter, this.#random);
    this.#holds.set(key, {
      client: parcel.client,
      source: reach === "client" ? null : parcel.source,
      code: problem.code,
      detail: problem.message,
      since: before?.since ?? now,
      until: now + waitMs,
      failures,
      probe: undefined,
      least,
    });
  }

  /** The parcel got through: what it was tried for is over. */
  passed(captureId: string): void {
    for (const [key, { probe }] of this.#holds) if (probe?.captureId === captureId) this.#holds.delete(key);
  }

  /** The parcel ended in a way that says nothing about its place: the next one is tried. */
  ended(captureId: string): void {
    for (const [key, hold] of this.#holds)
      if (hold.probe?.captureId === captureId) this.#holds.set(key, { ...hold, probe: undefined });
  }

  /** A source of this name may be there again: one of its parcels is tried at once. */
  sourceBack(name: string): void {
    for (const [key, hold] of this.#holds)
      if (hold.source === name) this.#holds.set(key, { ...hold, until: this.#now() });
  }

  /** ms at which the next place may be tried; undefined: nothing is held, or it may be tried already. */
  nextAt(): number | undefined {
    const now = this.#now();
    const times = [...this.#holds.values()]
      .map(({ until, probe }) => (probe === undefined ? until : probe.since + PATIENCE_MS))
      .filter((until) => until > now);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Places that wait for their time, for `status`. */
  list(): readonly Held[] {
    const now = this.#now();
    return [...this.#holds.values()]
      .filter(({ failures, code }) => failures >= SUSPECT || KNOWN_UNTIL.includes(code))
      .filter(({ until, probe }) => until > now || probe !== undefined)
      .map(({ client, source, code, detail, since, until }) => ({
        client,
        source,
        code,
        detail,
        since,
        until,
      }));
  }

  #forgetSlow(): void {
    for (const [key, hold] of this.#holds)
      if (hold.probe !== undefined && this.#now() - hold.probe.since >= PATIENCE_MS)
        this.#holds.set(key, { ...hold, probe: undefined });
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

const leastOf = (holds: readonly (readonly [string, Hold])[]): number =>
  Math.min(...holds.map(([, { least }]) => least));
const sizeOf = (parcel: Parcel): number => (parcel.kind === "version" ? parcel.state.size : 0);
const clientKey = ({ client }: Place): string => client;
const sourceKey = ({ client, source }: Place): string => `${client}/${source}`;
