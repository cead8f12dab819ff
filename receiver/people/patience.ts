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

export interface Patience {
  /** Throws `limit-requests`, when asked and again when its turn has come. `email`: undefined where none is told. */
  about(place: string, email: string | undefined, credentials: string): Judging;
}

export function openPatience(now?: () => number): Patience {
  const perPlace = new Guesses(now, MOST.perPlace);
  const perBoth = new Guesses(now, MOST.perPlaceAndEmail);
  const perEmail = new Guesses(now, MOST.perEmail);
  return {
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
          if (waitMs > 0) throw tooMany(waitMs);
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

function tooMany(waitMs: number): ProblemError {
  const retryAfter = Math.ceil(waitMs / 1000);
  return new ProblemError(
    "limit-requests",
    `too many wrong logins; try again in ${formatDuration(retryAfter * 1000)}`,
    { retryAfter },
  );
}
