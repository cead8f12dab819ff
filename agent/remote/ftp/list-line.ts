/**
 * Lines of LIST: what `ls -l` or DOS's `dir` would show. Their times are the server's own zone's, and it does not say which:
 * here they are read as if they were UTC. They stand for a time, and tell that it changed; they are not one.
 */
export interface ListLine {
  readonly kind: "file" | "folder" | "link" | "device" | "pipe" | "socket" | "door";
  readonly name: string;
  readonly size: number;
  /** ms since 1970, as if UTC; 00:00 where the line tells no time of day. */
  readonly listedMs: number;
}

/** Unix: the rights, then anything (links, owner, group, with spaces or not at all), size, date, one space, the name. */
const UNIX =
  /^ *([-bcdlpsDf])[-rwxsStTlL]{9}[^\s\d]? *(.*?) (\d+|\d+, *\d+) +(?:(\d{4})-(\d\d)-(\d\d) +(\d\d):(\d\d)(?::\d\d(?:\.\d+)?)?(?: [-+]\d{4})?|([A-Za-z]{3}) +(\d{1,2}) +(?:(\d{1,2}):(\d\d)|(\d{4}))|(\d{1,2}) +([A-Za-z]{3}) +(?:(\d{1,2}):(\d\d)|(\d{4}))) (.+)$/s;
/** IIS: names begin in a fixed column, ten spaces behind `<DIR>`, one behind a size. */
const DOS =
  /^(\d\d)-(\d\d)-(\d{4}|\d\d) +(\d\d):(\d\d)([AP]M)? +(?:(<DIR>|<JUNCTION>|<SYMLINKD?>)(?: {10}| +)|(\d+) )(.+)$/is;

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const KINDS: Readonly<Record<string, ListLine["kind"]>> = {
  "-": "file",
  f: "file",
  d: "folder",
  l: "link",
  b: "device",
  c: "device",
  p: "pipe",
  s: "socket",
  D: "door",
};
/** A line of this length is none, and would take long to look at. */
const LONGEST = 8_192;

/**
 * "skip": it is of no file; undefined: it is not understood. `nowMs` decides nothing but the year of a date without one.
 */
export function readListLine(line: string, nowMs: number): ListLine | "skip" | undefined {
  if (line.trim() === "" || /^total +\d/i.test(line)) return "skip";
  if (line.length > LONGEST) return undefined;
  const read = unix(line, nowMs) ?? dos(line);
  if (read === undefined) return undefined;
  return read.name === "." || read.name === ".." ? "skip" : read;
}

function unix(line: string, nowMs: number): ListLine | undefined {
  const found = UNIX.exec(line);
  if (found === null) return undefined;
  const [, type = "", , size = "", isoYear, isoMonth, isoDay, isoHour, isoMinute] = found;
  const [month, day, hour, minute, year] = [
    found[9] ?? found[15],
    found[10] ?? found[14],
    found[11] ?? found[16],
    found[12] ?? found[17],
    found[13] ?? found[18],
  ];
  const listedMs =
    isoYear !== undefined
      ? date(Number(isoYear), Number(isoMonth) - 1, Number(isoDay), Number(isoHour), Number(isoMinute))
      : year !== undefined
        ? date(Number(year), monthOf(month), Number(day), 0, 0)
        : withoutYear(monthOf(month), Number(day), Number(hour), Number(minute), nowMs);
  const kind = KINDS[type];
  const name = found[19] as string;
  if (kind === undefined || listedMs === undefined) return undefined;
  if (kind !== "link") return { kind, name, size: Number.parseInt(size, 10), listedMs };
  return { kind, name: name.split(" -> ")[0] as string, size: 0, listedMs };
}

function dos(line: string): ListLine | undefined {
  const found = DOS.exec(line);
  if (found === null) return undefined;
  const [, month, day, year = "", hour, minute, half, mark, size, name = ""] = found;
  const hours =
    half === undefined ? Number(hour) : (Number(hour) % 12) + (half.toUpperCase() === "PM" ? 12 : 0);
  const whole = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 70 ? 2000 : 1900);
  const listedMs = date(whole, Number(month) - 1, Number(day), hours, Number(minute));
  if (listedMs === undefined) return undefined;
  const kind = mark === undefined ? "file" : mark.toUpperCase() === "<DIR>" ? "folder" : "link";
  return { kind, name, size: Number(size ?? 0), listedMs };
}

const monthOf = (name: string | undefined): number => MONTHS.indexOf((name ?? "").toLowerCase());

function date(year: number, month: number, day: number, hour: number, minute: number): number | undefined {
  if (hour > 23 || minute > 59) return undefined;
  const ms = Date.UTC(year, month, day, hour, minute);
  const back = new Date(ms);
  // There is no 29th of February in most years, and no month called "Okt".
  return back.getUTCMonth() === month && back.getUTCDate() === day ? ms : undefined;
}

/** A clock ahead of ours, and a zone ahead of UTC (14 h at most). */
const AHEAD_MS = 7 * 86_400_000;

/**
 * The newest year in which it is not later than a week from now. Servers leave the year out for the half year behind
 * them: such a line keeps its year from the day on which it is first shown until it is shown with one, at New Year too,
 * on every host whose clock is less than six days behind the server's, or five months ahead of it. Where a server never
 * tells years, a line changes its own after 51 weeks: the file counts as touched once a year.
 */
function withoutYear(
  month: number,
  day: number,
  hour: number,
  minute: number,
  nowMs: number,
): number | undefined {
  const latest = nowMs + AHEAD_MS;
  const year = new Date(latest).getUTCFullYear();
  for (let back = 0; back <= 8; back += 1) {
    const ms = date(year - back, month, day, hour, minute);
    if (ms !== undefined && ms <= latest) return ms;
  }
  return undefined;
}
