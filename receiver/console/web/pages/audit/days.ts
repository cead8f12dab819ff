/** Days as a filter has them, in the viewer's zone: where the clocks are set, a day has 23 hours or 25. */

/** RFC 3339 of the midnight with which a day begins, or one so many days later; undefined: it is no day. */
export function midnightOf(day: string, later = 0): string | undefined {
  const date = new Date(`${day}T00:00`);
  if (Number.isNaN(date.getTime())) return undefined;
  date.setDate(date.getDate() + later);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
