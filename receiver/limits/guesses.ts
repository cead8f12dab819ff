/**
 * Patience with wrong credentials, by the address that they come from: guessing is slow. The same wrong credentials
 * again are no new guess, so a program with a mistyped key locks out itself alone; and whoever has shown right ones
 * lately is let in whatever others at its address do (many may share one). Each receiver counts by itself.
 */
import { hash } from "node:crypto";

/** Different wrong credentials of one address in a minute, and how often each of them is looked at. */
const MOST_GUESSES = 30;
const MOST_REPEATS = 10;
const WINDOW_MS = 60_000;
/** How long right credentials are remembered. */
const KNOWN_MS = 3_600_000;
const MOST_REMEMBERED = 10_000;

interface Wrong {
  readonly endsAt: number;
  readonly repeats: Map<string, number>;
}

export class Guesses {
  readonly #now: () => number;
  readonly #most: number;
  readonly #known = new Map<string, number>();
  readonly #wrong = new Map<string, Wrong>();

  /** `most`: different wrong credentials of one address in a minute. */
  constructor(now: () => number = () => performance.now(), most = MOST_GUESSES) {
    this.#now = now;
    this.#most = most;
  }

  /** ms until these credentials are looked at; 0: now. */
  waitMs(address: string, credentials: string): number {
    const wrong = this.#wrong.get(address);
    const now = this.#now();
    if (wrong === undefined || wrong.endsAt <= now) return 0;
    const name = nameOf(credentials);
    if ((this.#known.get(name) ?? Number.NEGATIVE_INFINITY) > now - KNOWN_MS) return 0;
    const repeats = wrong.repeats.get(name);
    const spent = repeats === undefined ? wrong.repeats.size >= this.#most : repeats >= MOST_REPEATS;
    return spent ? wrong.endsAt - now : 0;
  }

  wasRight(credentials: string): void {
    remember(this.#known, nameOf(credentials), this.#now());
  }

  wasWrong(address: string, credentials: string): void {
    const now = this.#now();
    const before = this.#wrong.get(address);
    const wrong =
      before !== undefined && before.endsAt > now ? before : { endsAt: now + WINDOW_MS, repeats: new Map() };
    const name = nameOf(credentials);
    wrong.repeats.set(name, (wrong.repeats.get(name) ?? 0) + 1);
    remember(this.#wrong, address, wrong);
  }
}

/** Nothing that could let anybody in is kept. */
const nameOf = (credentials: string): string => hash("sha256", credentials, "base64url");

/** The oldest go first. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MOST_REMEMBERED) map.delete(map.keys().next().value as string);
}
