import type { Peers } from "./peers.ts";

/** What every measurement is given. */
export interface Bench {
  readonly dir: string;
  readonly peers: Peers;
  readonly rounds: number;
}
