/** What one check of `doctor` found. Every check is a small function that asks one question and never throws. */

export type Level = "ok" | "warn" | "fail";

export interface Finding {
  readonly check: string;
  readonly level: Level;
  /** One sentence: what was found, of what. */
  readonly says: string;
  /** What to do; absent when there is nothing to do. */
  readonly todo?: string;
}

export const ok = (check: string, says: string): Finding => ({ check, level: "ok", says });

export const warn = (check: string, says: string, todo: string): Finding => ({
  check,
  level: "warn",
  says,
  todo,
});

export const fail = (check: string, says: string, todo: string): Finding => ({
  check,
  level: "fail",
  says,
  todo,
});

/** Why something failed, in the words of the system. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(reasonOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
