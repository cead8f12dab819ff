/** How both programs speak to people and scripts: results on stdout, everything said to people on stderr. */
import { ProblemError } from "./problems.ts";

/** Exit codes of every command: 0 done, 1 failed, 2 wrong usage; 3 of an installation: done, and something is not well. */
export const EXIT = { done: 0, failed: 1, usage: 2, unwell: 3 } as const;

export function result(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** One JSON object a line, or an aligned table when people read it. `columns` picks and orders the table's columns. */
export function list<T extends object>(
  rows: readonly T[],
  json: boolean,
  columns: readonly (keyof T & string)[],
): void {
  if (json) {
    for (const row of rows) result(JSON.stringify(row));
    return;
  }
  if (rows.length === 0) return;
  const cells = [
    columns.map((c) => c.toUpperCase()),
    ...rows.map((row) => columns.map((c) => printable(row[c]))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => (line[i] as string).length)));
  for (const line of cells)
    result(
      line
        .map((cell, i) => cell.padEnd(widths[i] as number))
        .join("  ")
        .trimEnd(),
    );
}

/** A name may hold newlines and escape sequences; a terminal must never obey them. */
export function printable(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  const text = Array.isArray(value)
    ? value.join(",")
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Prints what failed and returns the exit code. A named problem is explained, what the system refused too; anything else is a fault of ours and shows its stack. `words`: what may be said of a text. */
export function fail(program: string, error: unknown, words = (text: string): string => text): number {
  const told = (line: string): void => say(words(line));
  if (error instanceof ProblemError) {
    told(`${program}: ${error.message}`);
    return error.code === "usage" || error.code === "config-invalid" ? EXIT.usage : EXIT.failed;
  }
  const ofCommander = error as { readonly code?: unknown; readonly exitCode?: unknown } | undefined;
  // commander has printed it already: help and version end with 0, everything else was typed wrongly.
  if (String(ofCommander?.code).startsWith("commander."))
    return ofCommander?.exitCode === 0 ? EXIT.done : EXIT.usage;
  const ofSystem = systemRefusal(error);
  if (ofSystem === undefined)
    told(`${program}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  else told(`${program}: ${ofSystem}`);
  return EXIT.failed;
}

const SYSTEM_ADVICE: Readonly<Record<string, string>> = {
  EACCES:
    "this account may not do that: run it as the account that the folder belongs to, or give this one the right",
  EPERM:
    "this account may not do that: run it as the account that the folder belongs to, or give this one the right",
  ENOENT: "there is no such file or folder: correct the path, or make it",
  ENOTDIR: "a part of the path is a file, not a folder: correct the path",
  EISDIR: "that is a folder: name a file",
  EROFS: "the file system is mounted read-only: name a folder on another",
  ENOSPC: "the disk is full: free some space",
  EDQUOT: "this account's share of the disk is used up: free some space",
  EMFILE: "too many files are open: raise the limit (ulimit -n)",
};

/** What the operating system refused, with what to do; its message names the file. A stack helps nobody there. */
function systemRefusal(error: unknown): string | undefined {
  const { code, path, message } = (error ?? {}) as NodeJS.ErrnoException;
  const advice = SYSTEM_ADVICE[String(code)];
  return advice === undefined || path === undefined ? undefined : `${message}; ${advice}`;
}

/** Progress of a long command: one line rewritten on a terminal, a plain line every few seconds in a pipe. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #everyMs: number;
  #last = 0;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
    this.#everyMs = stream.isTTY ? 100 : 5000;
  }

  show(text: () => string): void {
    const now = performance.now();
    if (now - this.#last < this.#everyMs) return;
    this.#last = now;
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[2K${text()}` : `${text()}\n`);
  }

  end(text: string): void {
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`);
  }
}
