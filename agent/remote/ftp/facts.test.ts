import { expect, test } from "vitest";
import { instant } from "./facts.ts";
import { byFacts } from "./listing.ts";
import { readFeatures } from "./server.ts";
import { answersFor, folderOf } from "./spelling.ts";
import { instantIn } from "./zone.ts";

const ns = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;
const file = (name: string, size: number, time: string) => ({
  kind: "file",
  name: Buffer.from(name, "latin1"),
  state: { size, mtimeNs: ns(time), ctimeNs: 0n, fileId: undefined },
});

test.for<[string, unknown]>([
  ["type=file;size=5;modify=20261127182519; a b.csv", file("a b.csv", 5, "2026-11-27T18:25:19Z")],
  [
    "Modify=20261127182519.250;Size=5000000000;Type=FILE;  lead; =x ",
    file(" lead; =x ", 5e9, "2026-11-27T18:25:19.250Z"),
  ],
  ["type=dir;modify=20261127182519; d", { kind: "folder", name: Buffer.from("d") }],
  ["type=cdir;modify=20261127182519; .", "skip"],
  ["type=pdir;modify=20261127182519; ..", "skip"],
  [
    "type=OS.unix=symlink;size=1;modify=20261127182519; l",
    { kind: "other", name: Buffer.from("l"), what: "a link: links are not followed" },
  ],
  [
    "type=OS.unix=slink:/etc;size=1; l",
    { kind: "other", name: Buffer.from("l"), what: "a link: links are not followed" },
  ],
  ["type=file;modify=20261127182519; x", expect.objectContaining({ kind: "refused" })],
  ["type=file;size=1; x", expect.objectContaining({ kind: "refused" })],
  ["type=file;size=1;modify=20261127182519; n\nl", expect.objectContaining({ kind: "refused" })],
  ["type=file;size=1;modify=20261127182519; a/b", expect.objectContaining({ kind: "refused" })],
  ["size=1;modify=20261127182519; untyped", undefined],
  ["second half of a name", undefined],
  ["", "skip"],
])("MLSD: %s", ([line, expected]) => expect(byFacts(line)).toEqual(expected));

test("times that are none are none", () => {
  expect(instant("2026112718251")).toBeUndefined();
  expect(instant("20261127182519.5")).toBe(ns("2026-11-27T18:25:19.5Z"));
});

test("what a server says that it can", () => {
  const all = "211-Features:\n MDTM\n MLST Type*;Size*;Modify*;Perm;\n UTF8\n211 End";
  expect(readFeatures(all)).toEqual({ mlsd: true, factsAsked: false, utf8: true, mdtm: true });
  expect(readFeatures(all.replace("Size*", "Size"))).toMatchObject({ mlsd: true, factsAsked: true });
  expect(readFeatures(all.replace("Modify*;", ""))).toMatchObject({ mlsd: false });
  expect(readFeatures("211 none")).toEqual({ mlsd: false, factsAsked: true, utf8: false, mdtm: false });
});

test("a quoted folder, and an answer for another name", () => {
  expect(folderOf('257 "/a ""b"" c" is the "current" one')).toBe('/a "b" c');
  expect(folderOf("257 /a")).toBeUndefined();
  expect(answersFor(Buffer.from("in/x "), "/in/x ")).toBe(true);
  expect(answersFor(Buffer.from("in/x "), "/in/x")).toBe(false);
  expect(answersFor(Buffer.from("in/d"), "/in/d/")).toBe(true);
});

test.for([
  ["America/New_York", "2026-06-01T08:00Z", "2026-06-01T12:00Z"],
  ["America/New_York", "2026-12-01T08:00Z", "2026-12-01T13:00Z"],
  ["Europe/Berlin", "2026-03-29T01:59Z", "2026-03-29T00:59Z"],
  ["Europe/Berlin", "2026-03-29T03:00Z", "2026-03-29T01:00Z"],
  ["Asia/Kathmandu", "2026-03-29T05:45Z", "2026-03-29T00:00Z"],
  ["UTC", "2026-03-29T05:45Z", "2026-03-29T05:45Z"],
] as const)("%s: a wall clock at %s means %s", ([zone, wall, means]) =>
  expect(instantIn(zone, Date.parse(wall))).toBe(Date.parse(means)),
);
