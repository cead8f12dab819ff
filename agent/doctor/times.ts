/** When a source is looked through that nothing tells of: an expression of cron is easily another time than was meant. */
import { formatDuration } from "@tributary/shared/units.ts";
import { nextTime } from "../source/cron.ts";
import { type Finding, ok } from "./finding.ts";

export interface Timed {
  readonly name: string;
  /** ms. */
  readonly every?: number | undefined;
  readonly cron?: string | undefined;
  readonly timeZone?: string | undefined;
}

const EVERY_MS = 300_000;

export function checkTimes({ name, every, cron, timeZone }: Timed, now = Date.now()): Finding {
  const check = `times ${name}`;
  if (cron === undefined) return ok(check, `it is looked through every ${formatDuration(every ?? EVERY_MS)}`);
  const next = nextTime(cron, timeZone, now);
  const at =
    next === undefined
      ? "never"
      : new Date(next).toLocaleString("sv", timeZone === undefined ? {} : { timeZone });
  return ok(check, `it is looked through next at ${at}${timeZone === undefined ? "" : ` (${timeZone})`}`);
}
