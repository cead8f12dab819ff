/** What the lines of a listing say, whichever kind of listing the server has. */
import type { Entry } from "../remote.ts";
import { entryOfFacts, notOneName, readFacts } from "./facts.ts";
import { type ListLine, readListLine } from "./list-line.ts";
import { unsayable } from "./spelling.ts";

/** "skip": it is of no file; undefined: it is not understood. */
export type Read = (line: string) => Entry | "skip" | undefined;

export const byFacts: Read = (line) => {
  if (line === "") return "skip";
  const facts = readFacts(line);
  return facts === undefined ? undefined : entryOfFacts(facts);
};

export function byListLine(nowMs: number): Read {
  return (line) => {
    const read = readListLine(line, nowMs);
    return typeof read === "object" ? entryOfLine(read) : read;
  };
}

function entryOfLine({ kind, name, size, listedMs }: ListLine): Entry {
  const bytes = Buffer.from(name, "latin1");
  const reason = unsayable(name) ?? notOneName(name);
  if (reason !== undefined) return { kind: "refused", name: bytes, reason };
  if (kind === "folder") return { kind: "folder", name: bytes };
  if (kind !== "file")
    return {
      kind: "other",
      name: bytes,
      what: kind === "link" ? "a link: links are not followed" : `a ${kind}`,
    };
  const mtimeNs = BigInt(listedMs) * 1_000_000n;
  return { kind: "file", name: bytes, state: { size, mtimeNs, ctimeNs: 0n, fileId: undefined } };
}

export interface Portion {
  readonly entries: readonly Entry[];
  /** The first line that could not be read: something is there that is not among the entries. */
  readonly strange: string | undefined;
}

export function readPortion(lines: readonly string[], read: Read): Portion {
  const entries: Entry[] = [];
  let strange: string | undefined;
  for (const line of lines) {
    const entry = read(line);
    // Two lines that were taken for one with an LF in its name would hide a file.
    const two =
      typeof entry === "object" && line.includes("\n") && line.split("\n").slice(1).some(isEntry(read));
    if (entry === undefined || two) strange ??= line;
    else if (entry !== "skip") entries.push(entry);
  }
  return { entries, strange };
}

const isEntry =
  (read: Read) =>
  (part: string): boolean =>
    typeof read(part) === "object";
