/**
 * Files that were refused at their close, for programs that do not hear SFTP's answer, or tidy up behind it. paramiko
 * throws the answer away, and only looks whether a file of the right size is there, which an older version may be: so
 * the next look at it is refused with the same reason. rclone removes what it could not end: so that removal takes away
 * what was refused, and not the version that was to be replaced.
 */
interface At {
  readonly bearer: string;
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
}

interface Refused {
  readonly reason: unknown;
  readonly until: number;
  told: boolean;
}

const MOST = 10_000;
/** Programs do it at once, though over another connection; people come later, and mean what is there. */
export const TIDIED_WITHIN_MS = 20_000;

export class RefusedFiles {
  readonly #refused = new Map<string, Refused>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** `reason` undefined: it was given up, and there is nothing to tell. */
  add(at: At, reason: unknown): void {
    const now = this.#now();
    for (const [key, { until }] of this.#refused) {
      if (until > now && this.#refused.size < MOST) break;
      this.#refused.delete(key);
    }
    this.forget(at);
    this.#refused.set(keyOf(at), { reason, until: now + TIDIED_WITHIN_MS, told: reason === undefined });
  }

  /** It is sent again. */
  forget(at: At): void {
    this.#refused.delete(keyOf(at));
  }

  /** Throws the reason, once. */
  tell(at: At): void {
    const refused = this.#find(at);
    if (refused === undefined || refused.told) return;
    refused.told = true;
    throw refused.reason;
  }

  /** Whether that is what its sender removes. Once. */
  remove(at: At): boolean {
    const found = this.#find(at) !== undefined;
    this.forget(at);
    return found;
  }

  #find(at: At): Refused | undefined {
    const refused = this.#refused.get(keyOf(at));
    return refused !== undefined && refused.until > this.#now() ? refused : undefined;
  }
}

/** Neither names of clients and sources nor ids have a blank. */
const keyOf = ({ bearer, client, source, pathEncoded }: At): string =>
  `${bearer} ${client} ${source} ${pathEncoded}`;
