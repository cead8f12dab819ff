/** A time as a server's wall clock shows it -> the instant that it means. */
export function instantIn(zone: string, listedMs: number): number {
  // Twice: the first guess may lie on the other side of a change of summer time.
  const guess = listedMs - offset(zone, listedMs);
  return listedMs - offset(zone, guess);
}

/** ms that the zone is ahead of UTC at this instant. */
function offset(zone: string, atMs: number): number {
  const parts = formatOf(zone).formatToParts(atMs);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const shown = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
  return shown - Math.floor(atMs / 1000) * 1000;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const numeric = "numeric";
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  });
  formats.set(zone, made);
  return made;
}
