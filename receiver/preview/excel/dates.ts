/** How Excel writes times: days since 1900 (or 1904) as a number, which only the format of the cell makes a date. */

export type Moment = "date" | "duration" | undefined;

/** ECMA-376 part 1, 18.8.30: the formats that are not written out. 27-36 and 50-58 are dates in East Asia. */
export function momentOfBuiltIn(id: number): Moment {
  if (id === 46) return "duration";
  const date =
    (id >= 14 && id <= 22) || id === 45 || id === 47 || (id >= 27 && id <= 36) || (id >= 50 && id <= 58);
  return date ? "date" : undefined;
}

/** What a format code makes of a number; texts in quotes, colours, conditions and fillers say nothing. */
export function momentOfCode(code: string): Moment {
  if (/\[(h+|m+|s+)\]/i.test(code)) return "duration";
  const bare = code.split(";", 1)[0]?.replace(/"[^"]*"|\\.|_.|\*.|\[[^\]]*\]/g, "");
  return bare !== undefined && !/general/i.test(bare) && /[dmyhs]/i.test(bare) ? "date" : undefined;
}

const DAY_MS = 86_400_000;
const two = (value: number): string => String(value).padStart(2, "0");

/** `2024-03-01`, `2024-03-01 12:30:00`, `12:30:00`; the number itself where it is no date. */
export function dateOf(written: string, since1904: boolean): string {
  const serial = Number(written);
  if (written.trim() === "" || !(serial >= 0) || serial >= 2_958_466) return written;
  // Excel's calendar has a 29 February 1900, which never was.
  const days = since1904 ? serial + 1_462 : serial < 60 ? serial + 1 : serial;
  const ms = Math.round((days - 25_569) * DAY_MS);
  const iso = new Date(ms).toISOString();
  const time = iso.slice(11, iso.endsWith(".000Z") ? 19 : 23);
  if (!since1904 && serial >= 60 && serial < 61) return "1900-02-29";
  if (serial < 1) return time;
  return Number.isInteger(serial) ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${time}`;
}

/** `26:30:00`. */
export function durationOf(written: string): string {
  const days = Number(written);
  if (written.trim() === "" || !(days >= 0 && days < 1e6)) return written;
  const seconds = Math.round(days * 86_400);
  return `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
