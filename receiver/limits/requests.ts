/** Requests of a client, an agent, an API key or an SFTP account in a window of time that goes along with them. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Frequency, formatDuration } from "@tributary/shared/units.ts";
import { Budget, type Standing } from "./budget.ts";
import type { Counts } from "./counts.ts";
import { called, keyOf, type Subject } from "./subject.ts";

/** How one limit stands after a request: for the headers of its answer. */
export interface Limited {
  readonly subject: Subject<Frequency>;
  readonly standing: Standing;
}

/** Budgets of those who asked last. */
const MOST_BUDGETS = 10_000;

export class RequestLimits {
  readonly #counts: Pick<Counts, "take">;
  readonly #now: () => number;
  readonly #budgets = new Map<string, Budget>();

  constructor(counts: Pick<Counts, "take">, now: () => number = () => performance.now()) {
    this.#counts = counts;
    this.#now = now;
  }

  /** Counts one request of all of these. A request that one of them refuses costs the others nothing. */
  async take(subjects: readonly Subject<Frequency>[]): Promise<readonly Limited[]> {
    const taken: Limited[] = [];
    for (const subject of subjects) {
      const standing = await this.#budgetOf(subject).take(subject.most);
      taken.push({ subject, standing });
      if (standing.granted) continue;
      for (const other of taken) if (other.standing.granted) this.#budgetOf(other.subject).giveBack();
      break;
    }
    return taken;
  }

  #budgetOf(subject: Subject<Frequency>): Budget {
    const key = `${keyOf(subject)} ${subject.most.perMs}`;
    const budget = this.#budgets.get(key) ?? new Budget(keyOf(subject), this.#counts, this.#now);
    this.#budgets.delete(key);
    this.#budgets.set(key, budget);
    if (this.#budgets.size > MOST_BUDGETS) this.#budgets.delete(this.#budgets.keys().next().value as string);
    return budget;
  }
}

/** Undefined while all of them let the request pass. */
export function refusalOf(limits: readonly Limited[]): ProblemError | undefined {
  const refused = limits.find(({ standing }) => !standing.granted);
  if (refused === undefined) return undefined;
  const { subject, standing } = refused;
  return new ProblemError(
    "limit-requests",
    `${called(subject)} may make ${inWords(subject.most)}, and has made them; the next ones are taken in ${formatDuration(standing.moreInMs)}`,
    { retryAfter: secondsOf(standing) },
  );
}

const inWords = ({ count, perMs }: Frequency): string =>
  `${count} request${count === 1 ? "" : "s"} a ${perMs === 1000 ? "second" : "minute"}`;

/** Never before there is more. */
export function secondsOf({ moreInMs }: Standing): number {
  return Math.max(1, Math.ceil(moreInMs / 1000));
}
