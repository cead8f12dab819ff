/** What is refused, as an SFTP client hears it: a status of version 3, and the reason in words. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { STATUS, type Status } from "@tributary/shared/sftp/words.ts";

/** An answer that is no success, and no failure of ours. */
export class Refusal extends Error {
  readonly status: Status;
  /** Programs ask for it in the course of their work and go on from the answer: no person needs to read of it. */
  readonly expected: boolean;

  constructor(status: Status, words: string, expected = false) {
    super(words);
    this.status = status;
    this.expected = expected;
  }
}

export const refuse = {
  absent: (what: string): Refusal => new Refusal(STATUS.noSuchFile, `there is no ${what}`),
  denied: (why: string): Refusal => new Refusal(STATUS.permissionDenied, why),
  failure: (why: string): Refusal => new Refusal(STATUS.failure, why),
  /** A folder that is there: who sends a tree makes each of its folders anew. */
  known: (what: string): Refusal => new Refusal(STATUS.failure, `${what} is there already`, true),
  unsupported: (what: string): Refusal => new Refusal(STATUS.unsupported, `${what} is not done here`),
  end: (): Refusal => new Refusal(STATUS.eof, "the end", true),
} as const;

const DENIED: readonly ProblemError["code"][] = [
  "forbidden",
  "source-not-allowed",
  "client-not-allowed",
  "client-suspended",
  "unauthenticated",
];

/** The code comes first, so that programs can tell problems apart here too. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const problem =
    error instanceof ProblemError
      ? error
      : new ProblemError("internal", "the receiver failed; nothing was recorded", { cause: error });
  const status = DENIED.includes(problem.code)
    ? STATUS.permissionDenied
    : problem.code === "not-found"
      ? STATUS.noSuchFile
      : STATUS.failure;
  return new Refusal(status, `${problem.code}: ${problem.message}`);
}
