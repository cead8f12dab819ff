/** What is on its way, how much of it has left, and how fast: counted as it goes, remembered for ten seconds. */
import type { Parcel } from "../queue/queue.ts";
import type { SourceDelivered } from "../queue/status.ts";
import { type Sending, sourceKey } from "./pipe.ts";

const SECONDS = 10;

interface Way {
  readonly client: string;
  readonly source: string;
  /** By captureId: bytes that left in this try. */
  readonly underway: Map<string, number>;
  /** By second: bytes that left in it. */
  readonly left: Map<number, number>;
}

export class Traffic {
  readonly #now: () => number;
  readonly #ways = new Map<string, Way>();
  readonly #of = new Map<string, Way>();

  /** `now`: ms of a clock that never jumps. */
  constructor(now: () => number) {
    this.#now = now;
  }

  begins({ captureId, client, source }: Parcel): void {
    const key = sourceKey(client, source);
    const way = this.#ways.get(key) ?? { client, source, underway: new Map(), left: new Map() };
    this.#ways.set(key, way);
    this.#of.set(captureId, way);
    way.underway.set(captureId, 0);
  }

  /** So many bytes of it leave now. */
  readonly left = (captureId: string, bytes: number): void => {
    const way = this.#of.get(captureId);
    if (way === undefined) return;
    const second = this.#second();
    way.underway.set(captureId, (way.underway.get(captureId) ?? 0) + bytes);
    way.left.set(second, (way.left.get(second) ?? 0) + bytes);
    if (way.left.size > SECONDS + 1) this.#forget(way);
  };

  ends({ captureId }: Parcel): void {
    this.#of.get(captureId)?.underway.delete(captureId);
    this.#of.delete(captureId);
  }

  /** Of the sources of which something is on its way, or left within the last ten seconds. */
  sending(): readonly Sending[] {
    const all: Sending[] = [];
    for (const [key, way] of this.#ways) {
      this.#forget(way);
      const { client, source, underway, left } = way;
      if (underway.size === 0 && left.size === 0) this.#ways.delete(key);
      else
        all.push({
          ...{ client, source, files: underway.size, bytes: sum(underway) },
          bytesPerSecond: Math.round(sum(left) / SECONDS),
        });
    }
    return all;
  }

  #second(): number {
    return Math.floor(this.#now() / 1000);
  }

  #forget({ left }: Way): void {
    const oldest = this.#second() - SECONDS;
    for (const second of left.keys()) if (second <= oldest) left.delete(second);
  }
}

const sum = (all: ReadonlyMap<unknown, number>): number =>
  [...all.values()].reduce((total, one) => total + one, 0);

/** What was delivered on this UTC day by the host's clock: what the queue's log knows of it, and what came since. */
export class Today {
  readonly #now: () => number;
  #day: string;
  #sources = new Map<string, SourceDelivered>();

  /** `since`: versions that left since then (ms), as the queue's log has them. */
  constructor(now: () => number, since: (at: number) => readonly SourceDelivered[]) {
    this.#now = now;
    this.#day = this.#today();
    for (const one of since(Date.parse(`${this.#day}T00:00:00.000Z`)))
      this.#sources.set(sourceKey(one.client, one.source), one);
  }

  delivered(parcel: Parcel): void {
    if (parcel.kind !== "version") return;
    this.#turn();
    const { client, source, state } = parcel;
    const key = sourceKey(client, source);
    const before = this.#sources.get(key) ?? { client, source, files: 0, bytes: 0 };
    const [files, bytes] = [before.files + 1, before.bytes + state.size];
    this.#sources.set(key, { client, source, files, bytes });
  }

  all(): { readonly day: string; readonly sources: readonly SourceDelivered[] } {
    this.#turn();
    return { day: this.#day, sources: [...this.#sources.values()] };
  }

  #turn(): void {
    const today = this.#today();
    if (today !== this.#day) this.#sources.clear();
    this.#day = today;
  }

  #today(): string {
    return new Date(this.#now()).toISOString().slice(0, 10);
  }
}
