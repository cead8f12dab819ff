import type { Target } from "./targets.ts";
/** What JOB.json says. Paths are absolute. */
export interface ExecutableJob {
  readonly target: Target;
  readonly nodeVersion: string;
  /** Node's program for the target. */
  readonly node: string;
  /** The bundle, CommonJS. */
  readonly main: string;
  readonly assets: Readonly<Record<string, string>>;
  /** Options of Node that the program always runs with. */
  readonly flags: readonly string[];
  readonly output: string;
  /** A folder of this run alone, for pkg's cache. */
  readonly scratch: string;
}
