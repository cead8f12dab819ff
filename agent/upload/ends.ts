/** Ends of parcels, gathered for a few milliseconds and stored in one commit: fsync decides how many small files leave in a second. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Report } from "../facts.ts";
import type { Outbox, Parcel, ParcelEnd } from "../queue/queue.ts";

const GATHER_MS = 20;
const AT_MOST = 1024;
/** Where the disk takes long for a commit, more is gathered for the next. */
const COMMITS_LONG = 4;
const MOST_GATHER_MS = 100;

interface Gathered {
  readonly parcel: Parcel;
  readonly end: ParcelEnd;
  readonly ms: number;
}

export class Ends {
  readonly #outbox: Pick<Outbox, "endAll">;
  readonly #report: Report;
  readonly #stored: () => void;
  #gathered: Gathered[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** What the commit before took. */
  #commitMs = 0;

  /** `stored` is told after each commit: younger parcels of the same paths may go now. */
  constructor(outbox: Pick<Outbox, "endAll">, report: Report, stored: () => void) {
    this.#outbox = outbox;
    this.#report = report;
    this.#stored = stored;
  }

  add(parcel: Parcel, end: ParcelEnd, ms: number): void {
    this.#gathered.push({ parcel, end, ms });
    if (this.#gathered.length >= AT_MOST) this.flush();
    else
      this.#timer ??= setTimeout(
        () => this.flush(),
        Math.min(MOST_GATHER_MS, Math.max(GATHER_MS, this.#commitMs * COMMITS_LONG)),
      );
  }

  /** Stores what was gathered. Without room on the disk nothing ended: the parcels wait again, and bring the same receipts. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const gathered = this.#gathered;
    this.#gathered = [];
    if (gathered.length === 0) return;
    const from = performance.now();
    try {
      this.#outbox.endAll(gathered.map(({ parcel, end }) => ({ captureId: parcel.captureId, end })));
      this.#commitMs = performance.now() - from;
      for (const one of gathered) this.#tell(one);
    } catch (cause) {
      if (!(cause instanceof ProblemError)) throw cause;
      for (const { parcel } of gathered)
        this.#report({
          kind: "ParcelPostponed",
          ...placeOf(parcel),
          code: cause.code,
          detail: cause.message,
          forMs: 0,
        });
    }
    this.#stored();
  }

  #tell({ parcel, end, ms }: Gathered): void {
    const place = placeOf(parcel);
    switch (end.kind) {
      case "delivered": {
        const size = parcel.kind === "version" ? parcel.state.size : 0;
        this.#report({
          kind: "ParcelDelivered",
          what: parcel.kind,
          ...place,
          size,
          status: end.status,
          ms: Math.round(ms),
        });
        return;
      }
      case "superseded":
        this.#report({ kind: "ParcelSuperseded", ...place });
        return;
      case "aside":
        this.#report({
          kind: "ParcelSetAside",
          ...{ ...place, code: end.code, detail: end.detail },
          forMs: end.until === undefined ? undefined : end.until - end.at,
        });
        return;
      case "overtaken":
        // Told by whoever hears the queue's ends: no courier brings it here.
        return;
    }
  }
}

export function placeOf(parcel: Parcel): { source: string; path: Buffer; captureId: string } {
  return { source: parcel.source, path: parcel.path, captureId: parcel.captureId };
}
