/** Programs of the system that are run, waited for, and believed. */
import { spawnSync } from "node:child_process";
import { ProblemError } from "@tributary/shared/problems.ts";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs it to its end. Throws `usage` when the system has no such program. */
export function attempt(program: string, words: readonly string[], input = ""): Ended {
  const { status, stdout, stderr, error } = spawnSync(program, words, {
    encoding: "utf8",
    input,
    windowsHide: true,
    env: { ...process.env, LC_ALL: "C" },
  });
  if (error !== undefined)
    throw new ProblemError("usage", `cannot run ${program}: ${error.message}`, { cause: error });
  return { code: status ?? 1, out: stdout.trim(), err: stderr.trim() };
}

/** Its output. Throws `service-failed` with what it said when it did not end well. */
export function run(program: string, words: readonly string[], input = ""): string {
  const { code, out, err } = attempt(program, words, input);
  if (code === 0) return out;
  throw new ProblemError(
    "service-failed",
    `\`${[program, ...words].join(" ")}\` ended with ${code}: ${err || out || "it said nothing"}`,
  );
}
