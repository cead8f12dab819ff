/** How far this host's clock is from the receiver's. The agent signs with the receiver's time, so this only warns. */
import { formatDuration } from "@tributary/shared/units.ts";
import { type Finding, ok, warn } from "./finding.ts";

/** Below this nobody is confused by the times in the history. */
const TOLERATED_MS = 60_000;

/** `date`: the receiver's Date header, or undefined when it sent none. */
export function checkClock(date: string | undefined, now: number): Finding {
  const theirs = date === undefined ? Number.NaN : Date.parse(date);
  if (Number.isNaN(theirs))
    return warn(
      "clock",
      "the receiver's answer carries no time to compare with",
      "look at what stands between this host and the receiver: a proxy removes the Date header",
    );
  const skew = now - theirs;
  const side = skew > 0 ? "ahead of" : "behind";
  if (Math.abs(skew) <= TOLERATED_MS)
    return ok(
      "clock",
      `this host's clock is right (within ${formatDuration(Math.max(1000, Math.abs(skew)))})`,
    );
  return warn(
    "clock",
    `this host's clock is ${formatDuration(Math.abs(skew))} ${side} the receiver's; the agent makes up for it`,
    "switch on time synchronisation on this host, so that the times of files are right",
  );
}
