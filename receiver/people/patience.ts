/**
 * Patience with wrong passwords and codes: counted by the place that they come from, by place and email, and by email
 * wherever they come from. What was right within the last hour passes the counts, so that a stranger's guesses do not
 * lock a person out who logs in as always.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { formatDuration } from "@tributary/shared/units.ts";
import type { Judging } from "../identity/passwords.ts";
import { Guesses } from "../limits/guesses.ts";

/** Different wrong ones in a minute. */
const MOST = { perPlace: 30, perPlaceAndEmail: 10, perEmail: 100 } as const;
/** Logins of one place that are begun in a minute; each leaves something in the ledger, for some minutes. */
const MOST_BEGUN = 60;

export interface Patience {
  /** Throws `limit-requests`, when asked and again when its turn has come. `email`: undefined where none is told. */
  about(place: string, email: string | undefined, credentials: string): Judging;
  /** A login begins that strangers may begin. Throws `limit-requests`. */
  begun(place: string): void;
}

export function openPatience(now?: () => number): Patience {
  const perPlace = new Guesses(now, MOST.perPlace);
  const perBoth = new Guesses(now, MOST.perPlaceAndEmail);
  const perEmail = new Guesses(now, MOST.perEmail);
  const begun = new Guesses(now, MOST_BEGUN);
  let beginnings = 0;
  return {
    begun(place) {
      beginnings += 1;
      const waitMs = begun.waitMs(place, `${beginnings}`);
      if (waitMs > 0) throw tooMany("logins begun", waitMs);
      begun.wasWrong(place, `${beginnings}`);
    },
    about(place, email, credentials) {
      const counts: readonly (readonly [Guesses, string])[] = [
        [perPlace, place],
        ...(email === undefined
          ? []
          : ([
              [perBoth, `${place} ${email}`],
              [perEmail, email],
            ] as const)),
      ];
      return {
        begin() {
          const waitMs = Math.max(...counts.map(([guesses, of]) => guesses.waitMs(of, credentials)));
          if (waitMs > 0) throw tooMany("wrong logins", waitMs);
        },
        judged(right) {
          for (const [guesses, of] of counts) {
            if (right) guesses.wasRight(credentials);
            else guesses.wasWrong(of, credentials);
          }
        },
      };
    },
  };
}

function tooMany(what: string, waitMs: number): ProblemError {
  const retryAfter = Math.ceil(waitMs / 1000);
  return new ProblemError(
    "limit-requests",
    `too many ${what}; try again in ${formatDuration(retryAfter * 1000)}`,
    { retryAfter },
  );
}
