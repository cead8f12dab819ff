/** Where bytes come in: a place at this receiver, and inside the limits of whoever brings them at the whole site. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Principal } from "../identity/principal.ts";
import type { Limits } from "../ledger/limits.ts";
import { called, subjectsOf } from "../limits/subject.ts";
import type { UploadLimits } from "../limits/uploads.ts";
import type { ReportLimited } from "./admission.ts";
import type { Places } from "./places.ts";

/** Uploads are short, and others of the same sender end while it waits. */
const COME_AGAIN_S = 1;

export interface UploadPlacesParts {
  readonly places: Places;
  readonly uploads: UploadLimits;
  /** For clients that have no limits of their own. */
  readonly defaults: Limits;
  readonly report: ReportLimited;
}

export class UploadPlaces {
  readonly #parts: UploadPlacesParts;

  constructor(parts: UploadPlacesParts) {
    this.#parts = parts;
  }

  /** Throws `busy` or `limit-concurrent`, before a byte was read. */
  async hold<T>(principal: Principal, client: string, work: () => Promise<T>): Promise<T> {
    const { places, uploads, defaults, report } = this.#parts;
    return await places.hold(async () => {
      const subjects = subjectsOf("uploads", principal, client, defaults);
      if (subjects.length === 0) return await work();
      const taken = await uploads.take(subjects);
      if ("full" in taken) {
        const { full } = taken;
        report("uploads", full.kind);
        throw new ProblemError(
          "limit-concurrent",
          `${called(full)} may have ${full.most} upload${full.most === 1 ? "" : "s"} under way at once, and has; come again`,
          { retryAfter: COME_AGAIN_S },
        );
      }
      try {
        return await work();
      } finally {
        taken.release();
      }
    });
  }
}
