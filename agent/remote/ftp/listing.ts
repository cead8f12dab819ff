/** What the lines of a listing say, whichever kind of listing the server has. */
import type { Entry } from "../remote.ts";
import { entryOfFacts, notOneName, readFacts } from "./facts.ts";
import { type ListLine, readListLine } from "./list-line.ts";
import { readable, unsayable } from "./spelling.ts";

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

/** A listing that is being read. The newest entry is held back until the line after it has come. */
export interface Reading {
  take(lines: readonly string[]): readonly Entry[];
  end(): readonly Entry[];
  /** The first line that could not be read: something is there that is not among the entries. */
  strange(): string | undefined;
}

/** How a line of any listing begins, whether it is understood or not. */
const BEGINS = /^ *[-a-zA-Z][-rwxsStTlL]{9}|^\d{2,4}[-/.]\d\d[-/.]|^\+|^[\w.-]+=/;

export function readingBy(read: Read): Reading {
  let held: Entry | undefined;
  let strange: string | undefined;
  return {
    take(lines) {
      const entries: Entry[] = [];
      for (const line of lines) {
        const entry = read(line);
        // Two lines that were taken for one with an LF in its name would hide a file.
        if (typeof entry === "object" && holdsAnother(line, read)) strange ??= line;
        else if (typeof entry === "object") {
          if (held !== undefined) entries.push(held);
          held = entry;
        } else if (entry === undefined) {
          // The rest of a name with CR LF in it: what came before is no file that could be asked for.
          if (held !== undefined && !BEGINS.test(line)) held = broken(held, line);
          else strange ??= line;
        }
      }
      return entries;
    },
    end: () => (held === undefined ? [] : [held]),
    strange: () => strange,
  };
}

const holdsAnother = (line: string, read: Read): boolean =>
  line.includes("\n") &&
  line
    .split("\n")
    .slice(1)
    .some((part) => typeof read(part) === "object");

/** Under the name that its line told: should there be a file of that name, it does not count as removed. */
function broken({ name }: Entry, line: string): Entry {
  const reason = `its line in the server's listing is followed by "${readable(line)}", which is none: a name with a line break, which FTP cannot tell`;
  return { kind: "refused", name, reason };
}
