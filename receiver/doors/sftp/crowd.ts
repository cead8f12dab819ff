/**
 * Who is connected. Places are bounded, in all and for each network, so that no stranger can take them all: whoever has
 * not logged in keeps his only while nobody from a network with fewer such strangers needs it.
 */
import { networkOf } from "../../identity/network.ts";

export interface CrowdBounds {
  readonly most: number;
  readonly perAddress: number;
}

interface Stranger {
  readonly address: string;
  readonly sendAway: () => void;
  readonly leave: () => void;
}

/** One who is connected. */
export interface Place {
  /** He has logged in: nobody takes his place any more. */
  known(): void;
  leave(): void;
}

/** How long it is not said again that a network is turned away: a flood of connections must not be one of log lines. */
const SAID_MS = 60_000;
const MOST_SAID = 1000;

export class Crowd {
  readonly #bounds: CrowdBounds;
  readonly #turnedAway: (address: string, again: boolean) => void;
  readonly #now: () => number;
  #count = 0;
  /** Connections of each network. */
  readonly #counts = new Map<string, number>();
  /** Of each network, who came first stands first. None has an empty set. */
  readonly #strangers = new Map<string, Set<Stranger>>();
  readonly #said = new Map<string, number>();

  /** `turnedAway` hears of everybody who was; `again`: its network was within the last minute. */
  constructor(
    bounds: CrowdBounds,
    turnedAway: (address: string, again: boolean) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#bounds = bounds;
    this.#turnedAway = turnedAway;
    this.#now = now;
  }

  /** Undefined: there is no place. `sendAway` is called when somebody else gets his. */
  enter(address: string, sendAway: () => void): Place | undefined {
    const network = networkOf(address);
    if ((this.#counts.get(network) ?? 0) >= this.#bounds.perAddress || !this.#hasPlace(network)) {
      this.#tell(address);
      return undefined;
    }
    this.#count += 1;
    this.#counts.set(network, (this.#counts.get(network) ?? 0) + 1);
    let there = true;
    const leave = (): void => {
      if (!there) return;
      there = false;
      this.#forget(network, stranger);
      this.#count -= 1;
      const left = (this.#counts.get(network) ?? 1) - 1;
      if (left > 0) this.#counts.set(network, left);
      else this.#counts.delete(network);
    };
    const stranger = { address, sendAway, leave };
    const own = this.#strangers.get(network) ?? new Set();
    this.#strangers.set(network, own.add(stranger));
    return { known: () => this.#forget(network, stranger), leave };
  }

  /** For a stop: what they have begun is nothing. */
  sendStrangersAway(): void {
    for (const own of [...this.#strangers.values()]) for (const { sendAway } of [...own]) sendAway();
  }

  #hasPlace(network: string): boolean {
    if (this.#count < this.#bounds.most) return true;
    let most: ReadonlySet<Stranger> = new Set();
    for (const own of this.#strangers.values()) if (own.size > most.size) most = own;
    const [first] = most;
    if (first === undefined || most.size <= (this.#strangers.get(network)?.size ?? 0) + 1) return false;
    this.#tell(first.address);
    // At once: a socket says only later that it is closed.
    first.leave();
    first.sendAway();
    return true;
  }

  #forget(network: string, stranger: Stranger): void {
    const own = this.#strangers.get(network);
    own?.delete(stranger);
    if (own?.size === 0) this.#strangers.delete(network);
  }

  #tell(address: string): void {
    const network = networkOf(address);
    const again = (this.#said.get(network) ?? Number.NEGATIVE_INFINITY) > this.#now() - SAID_MS;
    if (!again) {
      this.#said.delete(network);
      this.#said.set(network, this.#now());
      if (this.#said.size > MOST_SAID) this.#said.delete(this.#said.keys().next().value as string);
    }
    this.#turnedAway(address, again);
  }
}
