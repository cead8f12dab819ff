/** Times of day and week in cron's five fields. */
import { Cron } from "croner";

/** The next time after `from`, ms since 1970; undefined: there is none. `timeZone`: without it the host's own. */
export function nextTime(expression: string, timeZone: string | undefined, from: number): number | undefined {
  return cronOf(expression, timeZone).nextRun(new Date(from))?.getTime();
}

/** What is wrong with an expression, in words; undefined: nothing. */
export function cronFault(expression: string): string | undefined {
  try {
    if (cronOf(expression, undefined).nextRun() === null) return "there is no such time";
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error);
    return `expected five fields (minute, hour, day, month, day of the week), such as "30 2 * * mon-fri": ${why}`;
  }
}

function cronOf(expression: string, timeZone: string | undefined): Cron {
  const zone = timeZone === undefined ? {} : { timezone: timeZone };
  return new Cron(expression, { paused: true, mode: "5-part", ...zone });
}
