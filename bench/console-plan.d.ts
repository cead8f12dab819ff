export type Rhythm = "hourly" | "office" | "daily" | "weekdays" | "weekly" | "monthly" | "stopped" | "new";
export interface PlannedFeed {
  readonly client: string;
  readonly source: string;
  readonly channel: string;
  readonly bearers: readonly string[];
  readonly rhythm: Rhythm;
  /** Of the UTC day, 0 to 23. */
  readonly atHour: number;
  /** 0: Sunday. */
  readonly weekday: number;
  /** How much it sends, as a part of what all send. */
  readonly weight: number;
}
export interface Plan {
  readonly clients: readonly string[];
  readonly agents: readonly {
    readonly id: string;
    readonly client: string;
    readonly name: string;
  }[];
  readonly keys: readonly {
    readonly id: string;
    readonly client: string;
    readonly name: string;
  }[];
  readonly accounts: readonly {
    readonly id: string;
    readonly client: string;
    readonly name: string;
  }[];
  readonly feeds: readonly PlannedFeed[];
}
/** The same numbers for the same seed (mulberry32). */
export declare function randomOf(seed: number): () => number;
/** So many clients with twice as many agents; the first client sends most (a power law). */
export declare function planSite(clientCount: number, seed: number): Plan;
/** Whether it sends in the UTC hour that begins at `hour`; `chance`, 0 to 1, lets it be late or forget at times. */
export declare function sendsAt(feed: PlannedFeed, hour: number, now: number, chance: number): boolean;
