/** Limits on the command line: how they are asked for, and how they are shown. One form for clients and all who bring files. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { list } from "@tributary/shared/terminal.ts";
import { formatBytes, formatFrequency, parseFrequency, parseSize } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import { type BearerLimits, bearerStates, type Changes, type Limits, NO_LIMITS } from "../ledger/limits.ts";
import type { Database } from "../ledger/schema.ts";

export interface LimitOptions extends SiteOptions {
  readonly requests?: string;
  readonly uploads?: string;
}

export interface BearerLimitOptions extends LimitOptions {
  readonly largest?: string;
  readonly day?: string;
}

export function withRateLimits(command: Command): Command {
  return command
    .option("--requests <frequency>", "requests, such as 600/m or 10/s")
    .option("--uploads <number>", "uploads under way at once, over all receivers");
}

/** An agent, key or SFTP account has its own part of its client's quotas too. */
export function withBearerLimits(command: Command): Command {
  return withRateLimits(command)
    .option("--largest <size>", "its largest file, such as 1GiB")
    .option("--day <size>", "bytes brought on one UTC day");
}

/** Throws `usage`. */
export function rateLimits({ requests, uploads }: LimitOptions): Changes<Limits> {
  return {
    requests: read("requests", requests, parseFrequency, "a frequency such as 600/m or 10/s"),
    uploads: read("uploads", uploads, parseUploads, "a number of 1 or more"),
  };
}

/** As `rateLimits`. */
export function bearerLimits(options: BearerLimitOptions): Changes<BearerLimits> {
  const size = "a size such as 20MB or 1GiB";
  return {
    ...rateLimits(options),
    file: read("largest", options.largest, parseSize, size),
    day: read("day", options.day, parseSize, size),
  };
}

/** Undefined: not named. */
function read<T>(
  option: string,
  text: string | undefined,
  parse: (text: string) => T | undefined,
  expected: string,
): T | null | undefined {
  if (text === undefined) return undefined;
  if (text === "default") return null;
  const value = parse(text);
  if (value !== undefined) return value;
  throw new ProblemError("usage", `--${option} "${text}": expected ${expected}, or default`);
}

function parseUploads(text: string): number | undefined {
  return /^[1-9]\d{0,6}$/.test(text) ? Number(text) : undefined;
}

/** For `--json`: a frequency as it is written everywhere. */
export function viewOfLimits<L extends Limits>(limits: L) {
  return { ...limits, requests: limits.requests && formatFrequency(limits.requests) };
}

/** For people; `none` where there are no limits. */
export function limitWords(limits: Limits & Partial<BearerLimits>, none: string | null): string | null {
  const { requests, uploads, day = null, file = null } = limits;
  const words = [
    requests === null ? [] : [`requests ${formatFrequency(requests)}`],
    uploads === null ? [] : [`uploads ${uploads}`],
    day === null ? [] : [`day ${formatBytes(day)}`],
    file === null ? [] : [`largest ${formatBytes(file)}`],
  ].flat();
  return words.length === 0 ? none : words.join(", ");
}

export async function showBearerLimits(db: Database, id: string): Promise<void> {
  const state = (await bearerStates(db, [id])).get(id);
  const limits = limitWords(state?.limits ?? NO_LIMITS, "only its client's");
  list([{ id, limits, today: formatBytes(state?.dayBytes ?? 0) }], false, ["id", "limits", "today"]);
}
