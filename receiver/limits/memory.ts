/** Counts of a site with one receiver, which is all there is on SQLite. */
import type { Counts } from "./counts.ts";

interface Window {
  readonly number: number;
  readonly endsAt: number;
  taken: number;
}

/** Whoever has not asked for the longest is forgotten first. */
const MOST_SUBJECTS = 10_000;

export function memoryCounts(now: () => number = () => performance.now()): Counts {
  const windows = new Map<string, Window>();
  let opened = 0;
  return {
    async take(subject, { count, perMs }, wanted) {
      const key = `${subject} ${perMs}`;
      const at = now();
      const before = windows.get(key);
      const open = before !== undefined && before.endsAt > at;
      if (!open) opened += 1;
      const window = open ? before : { number: opened, endsAt: at + perMs, taken: 0 };
      windows.delete(key);
      windows.set(key, window);
      if (windows.size > MOST_SUBJECTS) windows.delete(windows.keys().next().value as string);
      const granted = Math.max(0, Math.min(wanted, count - window.taken));
      window.taken += granted;
      return {
        granted,
        left: Math.max(0, count - window.taken),
        window: window.number,
        endsInMs: window.endsAt - at,
      };
    },
    hold: async (_subject, wanted, most) => Math.min(wanted, most),
  };
}
