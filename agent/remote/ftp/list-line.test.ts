import { describe, expect, test } from "vitest";
import { readListLine } from "./list-line.ts";
import { byListLine, readingBy } from "./listing.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-27T12:00:00Z");
const read = (line: string, now = NOW) => {
  const found = readListLine(line, now);
  if (typeof found !== "object") return found;
  return [found.kind, found.name, found.size, new Date(found.listedMs).toISOString().slice(0, 16)];
};

describe("a line of LIST", () => {
  test.for<[string, unknown]>([
    // ProFTPD, vsftpd, Pure-FTPd, OpenBSD and what others made of them
    [
      "-rw-r--r--   1 partner  0               5 Nov 27 18:25 a.csv",
      ["file", "a.csv", 5, "2026-11-27T18:25"],
    ],
    [
      "-rw-r--r--    1 1001     1001   5000000000 Nov 02  2024 big",
      ["file", "big", 5_000_000_000, "2024-11-02T00:00"],
    ],
    ["-rw-rw-r--   1 0 0 5 Nov 27 18:25  lead", ["file", " lead", 5, "2026-11-27T18:25"]],
    ["-rw-rw-r--   1 0 0 5 Nov  7 08:25 trail ", ["file", "trail ", 5, "2026-11-07T08:25"]],
    ["-rw-r--r--+  1 domain users group of all 17 Jan  3 00:00 x y", ["file", "x y", 17, "2026-01-03T00:00"]],
    [
      "-rw-r--r--. 1 u g 17 Jan  3 00:00 12 Feb  3 01:00 x",
      ["file", "12 Feb  3 01:00 x", 17, "2026-01-03T00:00"],
    ],
    ["-r--r--r-- 1 ftp 17 Jan  3 00:00 no group", ["file", "no group", 17, "2026-01-03T00:00"]],
    ["-rw------- 1 u g 1 3 Jan 00:00 day first", ["file", "day first", 1, "2026-01-03T00:00"]],
    ["-rw-r--r-- 1 u g 9 2026-03-04 05:06 iso", ["file", "iso", 9, "2026-03-04T05:06"]],
    ["-rw-r--r-- 1 u g 9 2026-03-04 05:06:07.000000000 +0100 full", ["file", "full", 9, "2026-03-04T05:06"]],
    ["drwxr-xr-x   3 partner  0            4096 Nov 27 18:25 d", ["folder", "d", 4096, "2026-11-27T18:25"]],
    ["drwxrwsrwt   3 partner  0            4096 Nov 27 18:25 ..", "skip"],
    [
      "lrwxrwxrwx   1 partner  0               1 Nov 27 18:25 lnk -> a -> b",
      ["link", "lnk", 0, "2026-11-27T18:25"],
    ],
    ["brw-rw----   1 root disk 8, 0 Nov 27 18:25 sda", ["device", "sda", 8, "2026-11-27T18:25"]],
    ["prw-r--r-- 1 u g 0 Nov 27 18:25 p", ["pipe", "p", 0, "2026-11-27T18:25"]],
    ["total 12", "skip"],
    ["", "skip"],
    // IIS
    ["11-27-26  05:03PM       <DIR>          my Dir", ["folder", "my Dir", 0, "2026-11-27T17:03"]],
    ["11-27-26  12:03AM       <DIR>            lead", ["folder", "  lead", 0, "2026-11-27T00:03"]],
    [
      "11-27-2026  12:03PM           4294967297  lead.csv",
      ["file", " lead.csv", 4_294_967_297, "2026-11-27T12:03"],
    ],
    ["02-29-24  17:03                  1 x", ["file", "x", 1, "2024-02-29T17:03"]],
    [
      "11-27-26  05:03PM       <JUNCTION>     there [C:\\elsewhere]",
      ["link", "there [C:\\elsewhere]", 0, "2026-11-27T17:03"],
    ],
    // what is none of these is never left out in silence
    ["-rw-r--r-- 1 u g 9 Okt  4 05:06 german", undefined],
    ["-rw-r--r-- 1 u g 9 Feb 30 05:06 no such day", undefined],
    ["+i8388621.29609,m824255902,/,\tdev", undefined],
    ["b", undefined],
  ])("%s", ([line, expected]) => expect(read(line)).toEqual(expected));

  test("a name in bytes stays in bytes, and a line that was two files is not one", () => {
    const f = "-rw-r--r-- 1 u g 9 Nov 27 18:25";
    const reading = (...portions: string[][]) => {
      const all = readingBy(byListLine(NOW));
      const entries = portions.flatMap((lines) => all.take(lines));
      return { entries: [...entries, ...all.end()], strange: all.strange() };
    };
    const [entry] = reading([`${f} f\xfcr`]).entries;
    expect(entry).toMatchObject({ kind: "file", name: Buffer.from([0x66, 0xfc, 0x72]) });
    expect(reading([`${f} n\nl`])).toMatchObject({ entries: [{ kind: "refused" }], strange: undefined });
    expect(reading([`${f} n\n${f} m`])).toMatchObject({ entries: [], strange: `${f} n\n${f} m` });
    expect(reading([`${f} a/b`]).entries).toMatchObject([{ kind: "refused" }]);
    // CR LF in a name, at the edge of a portion too: it is refused, and is no file of a shorter name.
    for (const portions of [[[`${f} a`, "b", `${f} c`]], [[`${f} a`], ["b"], [`${f} c`]]])
      expect(reading(...portions)).toMatchObject({
        entries: [
          { kind: "refused", name: Buffer.from("a") },
          { kind: "file", name: Buffer.from("c") },
        ],
        strange: undefined,
      });
    expect(reading([`${f} a`], [`-rw-r--r-- 1 u g 9 Okt 27 18:25 b`]).strange).toContain("Okt");
    expect(reading(["ls: trouble", `${f} a`]).strange).toBe("ls: trouble");
  });
});

describe("the year that a line leaves out", () => {
  const line = (date: string) => `-rw-r--r-- 1 u g 9 ${date} x`;
  const yearAt = (date: string, now: string) =>
    String(read(line(date), Date.parse(now)))
      .split(",")
      .at(-1);

  test("stays the same on every day on which a server shows the line so, whatever its clock and zone", () => {
    // A file of each day of two years, looked at from each day of its half year, by hosts whose clocks are off.
    for (let file = Date.parse("2027-03-01T23:59Z"); file < Date.parse("2029-03-02"); file += 3 * DAY) {
      const at = new Date(file);
      const text = `${at.toUTCString().slice(8, 11)} ${at.getUTCDate()} 23:59`;
      for (let age = 0; age <= 184; age += 8)
        for (const skew of [-5, -1, 0, 1, 100])
          expect(read(line(text), file + (age + skew) * DAY)).toEqual([
            "file",
            "x",
            9,
            at.toISOString().slice(0, 16),
          ]);
    }
  });

  test.for([
    ["Dec 31 23:59", "2026-12-31T23:59:30Z", "2026-12-31T23:59"],
    ["Dec 31 23:59", "2027-01-01T00:00:30Z", "2026-12-31T23:59"],
    // The server has its New Year already.
    ["Jan  1 00:01", "2026-12-31T10:00:00Z", "2027-01-01T00:01"],
    ["Jan  1 00:01", "2027-01-01T10:00:00Z", "2027-01-01T00:01"],
    ["Jan  1 00:01", "2027-06-30T10:00:00Z", "2027-01-01T00:01"],
    ["Feb 29 10:00", "2027-01-01T00:00:00Z", "2024-02-29T10:00"],
    ["Feb 29 10:00", "2028-03-01T00:00:00Z", "2028-02-29T10:00"],
  ] as const)("%s, seen at %s: %s", ([date, now, expected]) => expect(yearAt(date, now)).toBe(expected));

  test("after six months the line has a year and no time of day: another state, of the same file", () => {
    expect(yearAt("Nov 27 10:15", "2027-05-20T00:00:00Z")).toBe("2026-11-27T10:15");
    expect(yearAt("Nov 27  2026", "2027-06-20T00:00:00Z")).toBe("2026-11-27T00:00");
  });
});
