/** Instants as people read them: how long ago, and in full where the pointer rests. */
import { Text, Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { t } from "../texts.ts";

/** One clock for the page, so that a thousand rows do not have a timer each. */
const watchers = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function watch(changed: () => void): () => void {
  watchers.add(changed);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const one of watchers) one();
  }, 5000);
  return () => {
    watchers.delete(changed);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** ms since 1970, a few seconds coarse. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const utc = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long", timeZone: "UTC" });

const STEPS = [
  [60_000, 1000, "second"],
  [3_600_000, 60_000, "minute"],
  [86_400_000, 3_600_000, "hour"],
  [30 * 86_400_000, 86_400_000, "day"],
  [365 * 86_400_000, 30 * 86_400_000, "month"],
  [Number.POSITIVE_INFINITY, 365 * 86_400_000, "year"],
] as const;

/** "3 min ago", "in 2 hr". */
function ago(at: number, from: number): string {
  const away = at - from;
  if (Math.abs(away) < 5000) return t.justNow;
  const [, unit, name] = STEPS.find(([below]) => Math.abs(away) < below) ?? STEPS[5];
  return relative.format(Math.round(away / unit), name);
}

/** RFC 3339, or null for never. */
export function Time({
  at,
  never = t.never,
}: {
  readonly at: string | null | undefined;
  readonly never?: string;
}) {
  const from = useNow();
  if (at == null)
    return (
      <Text span inherit c="dimmed">
        {never}
      </Text>
    );
  const ms = Date.parse(at);
  return (
    <Tooltip
      label={
        <>
          {full.format(ms)}
          <br />
          {utc.format(ms)}
        </>
      }
    >
      <time dateTime={at}>{ago(ms, from)}</time>
    </Tooltip>
  );
}

/** The whole of it, in the viewer's zone. */
export function formatInstant(at: string): string {
  return full.format(Date.parse(at));
}
