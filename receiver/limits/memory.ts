/** Counts of a site with one receiver, which is all there is on SQLite. */
import type { Counts } from "./counts.ts";
import { type Taking, takeOf } from "./takings.ts";

/** Whoever has not asked for the longest is forgotten first. */
const MOST_SUBJECTS = 10_000;

export function memoryCounts(now: () => number = () => performance.now()): Counts {
  const subjects = new Map<string, readonly Taking[]>();
  return {
    async take(subject, frequency, wanted) {
      const key = `${subject} ${frequency.perMs}`;
      const { takings, taken } = takeOf(subjects.get(key) ?? [], frequency, wanted, now());
      subjects.delete(key);
      subjects.set(key, takings);
      if (subjects.size > MOST_SUBJECTS) subjects.delete(subjects.keys().next().value as string);
      return taken;
    },
    hold: async (_subject, wanted, most) => Math.min(wanted, most),
  };
}
