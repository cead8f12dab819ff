export interface Fill {
  readonly kind: "sqlite" | "postgres";
  /** Of a new ledger: a file, or a URL. */
  readonly address: string;
  readonly versions: number;
  /** ms since 1970, to which the 90 days lead. */
  readonly now: number;
  readonly progress?: (words: string) => void;
}
/** Makes the ledger, and leaves it closed. Gives the entries that it has. */
export declare function fillLedger({ kind, address, versions, now, progress }: Fill): Promise<number>;
