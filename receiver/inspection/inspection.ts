/** Inspection: somebody else looks into a file's bytes before anybody can read them in the lake. */

/**
 * What came of it. `larger`: nobody looked, since it is more than the inspector takes. A `finding` is one line, in the
 * inspector's own words.
 */
export type Verdict =
  | { readonly kind: "clean" | "larger" }
  | { readonly kind: "found"; readonly finding: string };

export interface Inspector {
  /** Bytes of the largest file that it looks into. */
  readonly largest: number;
  /** Rejects with `inspection-unavailable` where there is no verdict, and with the bytes' own error. */
  inspect(bytes: AsyncIterable<Uint8Array>, size: number): Promise<Verdict>;
  /** Whether it would answer now, and who it is. Rejects with `inspection-unavailable`. */
  check(): Promise<string>;
}
