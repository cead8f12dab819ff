/**
 * Private names that an interrupted `after:` action left: each gets its own name back, and takes its turn again. With or
 * without an `after:` in the configuration by now: the file is the client's.
 */
import type { Intake, Seen, SourceBook } from "../queue/queue.ts";
import type { AfterRule } from "../source/after.ts";
import { fromKey, parent } from "../source/bytes.ts";
import { inWords } from "../source/disk.ts";
import type { Listing, Source } from "../source/source.ts";
import type { Clocks } from "./sealer.ts";

export interface AsidesParts {
  readonly source: Pick<Source, "after">;
  /** `after:` as it is configured now; undefined: keep. */
  readonly rule: AfterRule | undefined;
  readonly intake: Intake;
  readonly book: SourceBook;
  readonly clocks: Clocks;
  readonly lookAgain: (path: Buffer, ms: number) => void;
}

const UNKNOWN = "it is not one that was delivered";

export class Asides {
  readonly #parts: AsidesParts;

  constructor(parts: AsidesParts) {
    this.#parts = parts;
  }

  /** `missing`: keys of the known files that the listing did not meet. */
  async recover(listing: Listing, missing: readonly string[]): Promise<void> {
    if (listing.own === undefined || !listing.complete) return;
    const { intake } = this.#parts;
    const known = missing.flatMap((path) => intake.seen(fromKey(path)) ?? []);
    for (const aside of listing.own) await this.#recover(aside, known);
  }

  async #recover(aside: Buffer, missing: readonly Seen[]): Promise<void> {
    const { source, rule, book, intake, lookAgain } = this.#parts;
    try {
      const recovered = await source.after.recover(aside, missing, rule, (size) =>
        intake.deliveredIn(parent(aside), size),
      );
      if (recovered.kind === "unknown") return this.#left(aside, UNKNOWN);
      book.recovered(aside);
      if (recovered.kind !== "back") return;
      // It is there again: sealed as if it had come back it would leave a second time.
      intake.missed([recovered.path], 0);
      lookAgain(recovered.path, 0);
    } catch (error) {
      this.#left(aside, inWords(error));
    }
  }

  #left(aside: Buffer, why: string): void {
    const detail = `an interrupted after: action left this file, and ${why}; look at it and rename it`;
    this.#parts.book.problem(aside, "after-failed", detail, this.#parts.clocks.wall());
  }
}
