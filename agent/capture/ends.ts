/** Ends of paths that a source keeps among their versions: a removal at its place in the order, and what comes behind it is looked for. */
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Report } from "../facts.ts";
import { ENDED, type Intake, type Seen } from "../queue/queue.ts";
import { key } from "../source/bytes.ts";
import type { Source } from "../source/source.ts";
import type { FileState } from "../source/state.ts";
import type { Batch } from "./batch.ts";
import { removalOf, TAKEN_BY_US } from "./removals.ts";
import type { Clocks } from "./sealer.ts";

export interface EndsParts {
  readonly source: Pick<Source, "name">;
  readonly intake: Intake;
  readonly batch: Batch;
  readonly report: Report;
  readonly clocks: Clocks;
  readonly makeUuid: MakeUuid;
  /** Whether removals are reported at all. */
  readonly told: boolean;
  /** Files are taken away once they are delivered, by this agent or another one that has the source. */
  readonly taken: boolean;
  readonly lookAgain: (path: Buffer, ms: number) => void;
}

export class Ends {
  readonly #parts: EndsParts;
  /** On their way into the queue. */
  readonly #ending = new Set<string>();

  constructor(parts: EndsParts) {
    this.#parts = parts;
  }

  /** `seen`: the version before it, which is sealed. */
  async end(path: Buffer, state: FileState, seen: Seen): Promise<void> {
    const { intake, batch, report, source, clocks, told, taken, lookAgain } = this.#parts;
    const at = key(path);
    if (this.#ending.has(at)) return;
    this.#ending.add(at);
    const standing = intake.standing(path);
    const holds = standing.delivered || standing.waiting === "spooled" || standing.waiting === "in-place";
    const ours = seen.missed === TAKEN_BY_US || (taken && standing.current);
    const parcel = told && holds && !ours ? removalOf(this.#parts, path, state.mtimeNs) : undefined;
    const ended = { ...seen, state, sealedAt: clocks.wall(), missed: ENDED };
    const stored = await batch.put({ parcel, seen: ended, ended: true });
    this.#ending.delete(at);
    if (!stored) return;
    if (parcel !== undefined)
      report({ kind: "RemovalSealed", source: source.name, path, captureId: parcel.captureId });
    lookAgain(path, 0);
  }
}
