/**
 * Who works on a ledger as a whole. `serve` holds it shared, `rebuild` and `restore` alone: they must not run beside
 * a receiver. The lock dies with its process, however that ends.
 */
export interface SiteLock {
  /** For `serve`. Throws `ledger-refused` when it cannot run here now. `lost` is called once if the lock goes and cannot be had again. */
  share(lost: (why: Error) => void): Promise<Held>;
  /** For a command that may run beside receivers, but never beside a rebuild or restore: `sweep`. Throws `ledger-refused`. */
  beside(): Promise<Held>;
  /** For `rebuild` and `restore`. Throws `ledger-refused` while a receiver runs. */
  alone(): Promise<Held>;
}

export interface Held {
  release(): Promise<void>;
}
