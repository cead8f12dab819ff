/**
 * What the console shows of a file before anybody downloads it: its first rows. The files come from strangers, so
 * whatever reads them does that in a process of its own, with bounds on time, memory and bytes
 * (docs/decisions/0033-previews.md). Nothing in a file is executed, evaluated or followed.
 */
import type { Readable } from "node:stream";

/** A file, as far as a preview needs it; `read` is the lake's, both ends of a range inclusive. */
export interface PreviewFile {
  /** For reading, with its extension; the last part of a path will do. */
  readonly name: string;
  readonly size: number;
  read(range?: { readonly start: number; readonly end: number }): Promise<Readable | undefined>;
}

export interface PreviewWish {
  /** At most 1,000; of text it is lines. */
  readonly rows: number;
  /** At most 500. */
  readonly columns: number;
  readonly signal?: AbortSignal;
}

export interface Column {
  readonly name: string;
  /** As the file names it; formats without types have none. */
  readonly type?: string;
}

export interface Table {
  readonly kind: "table";
  readonly format: "csv" | "json" | "ndjson" | "parquet" | "xlsx";
  readonly columns: readonly Column[];
  /** Exactly as written, at most 500 characters of each, with `…` behind what was cut. As many in each row as there are columns. */
  readonly rows: readonly (readonly string[])[];
  /** There are more rows than these. */
  readonly more: boolean;
  /** Sentences for people: delimiter, encoding, sheets, row groups, what was left out. */
  readonly notes: readonly string[];
}

export interface Text {
  readonly kind: "text";
  readonly encoding: string;
  readonly lines: readonly string[];
  readonly more: boolean;
  readonly notes: readonly string[];
}

export interface Json {
  readonly kind: "json";
  /** Indented, numbers and strings as they are written. */
  readonly text: string;
  readonly more: boolean;
  readonly notes: readonly string[];
}

export interface None {
  readonly kind: "none";
  /** A sentence for people. */
  readonly why: string;
  /** The first 256 bytes, 16 a line, of what is binary. */
  readonly hex?: readonly string[];
}

export type Preview = Table | Text | Json | None;

export interface Previews {
  /**
   * Whatever the file is, there is an answer. Rejects with the reason of `signal`, with `busy` when too many wait, and
   * with what the lake says when it cannot be read.
   */
  preview(file: PreviewFile, wish: PreviewWish): Promise<Preview>;
}
