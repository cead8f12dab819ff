/**
 * Passwords of SFTP accounts: argon2id (RFC 9106) by Node's own OpenSSL, on its thread pool, kept as PHC strings:
 *   $argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>      base64 without padding
 * One takes 19 MiB and tens of ms, so a few are looked at at a time, and right ones are remembered for an hour: who
 * logs in again and again costs nothing, and does not wait behind a stranger's guesses.
 */
import { argon2, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { FairQueue, type FairQueueBounds } from "./fair-queue.ts";

/** OWASP's password storage cheat sheet: m=19456 (19 MiB), t=2, p=1. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,})\$([A-Za-z0-9+/]{16,})$/;

/** More is nobody's password. */
export const LONGEST_PASSWORD = 1024;
const BOUNDS: FairQueueBounds = { atOnce: 2, each: 256, all: 512 };
const REMEMBERED_MS = 3_600_000;
const MOST_REMEMBERED = 10_000;

/** A PHC string, each time another. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return phc(salt, await digest(password, salt, COST, TAG_BYTES));
}

/** Of no password: to look at one takes as long as at any other. */
const NOBODYS = phc(randomBytes(SALT_BYTES), randomBytes(TAG_BYTES));

export interface Asked {
  /** The account's id, or what stands for an unknown one. */
  readonly id: string;
  /** Undefined where there is none to be right. */
  readonly hash: string | undefined;
  readonly password: string;
}

/** Of one password that waits to be looked at. */
export interface Judging {
  /** Asked when its turn has come; may throw. */
  begin(): void;
  /** Before the next one's turn. */
  judged(right: boolean): void;
}

/** One look at a password, for all who ask the same. */
interface Look {
  readonly answer: Promise<boolean>;
  /** Aborted when nobody waits for it any more. */
  readonly nobody: AbortController;
  waiting: number;
  begun: boolean;
}

export class Passwords {
  readonly #queue: FairQueue;
  readonly #now: () => number;
  /** Never leaves the process, so what is remembered is worth nothing to whoever reads it. */
  readonly #key = randomBytes(32);
  readonly #right = new Map<string, number>();
  readonly #underWay = new Map<string, Look>();

  constructor(now: () => number = () => performance.now(), bounds: FairQueueBounds = BOUNDS) {
    this.#now = now;
    this.#queue = new FairQueue(bounds);
  }

  /** Stands for these credentials, and tells nothing of them. Another hash of the same account makes another name. */
  nameOf({ id, hash, password }: Asked): string {
    return createHmac("sha256", this.#key)
      .update(JSON.stringify([id, hash ?? "", password]))
      .digest("base64url");
  }

  /** Whether it was right within the last hour. */
  remembers(asked: Asked): boolean {
    const name = this.nameOf(asked);
    const until = this.#right.get(name);
    if (asked.hash === undefined || until === undefined || until <= this.#now()) return false;
    this.#remember(name);
    return true;
  }

  /**
   * Whether the password is right. The same one, asked from the same place meanwhile, is looked at once. When all who
   * asked it are `gone` before its turn it is not looked at; one that is being looked at is judged all the same.
   * Throws `busy`.
   */
  check(asked: Asked, place: string, judging: Judging, gone?: AbortSignal): Promise<boolean> {
    const both = `${place} ${this.nameOf(asked)}`;
    const look = this.#underWay.get(both) ?? this.#look(both, asked, place, judging);
    look.waiting += 1;
    const leave = (): void => {
      look.waiting -= 1;
      if (look.waiting > 0 || look.begun) return;
      // Now, so that the next one who asks the same does not get the answer that nobody waited for.
      if (this.#underWay.get(both) === look) this.#underWay.delete(both);
      look.nobody.abort();
    };
    if (gone?.aborted) leave();
    else gone?.addEventListener("abort", leave, { once: true });
    return look.answer;
  }

  #look(both: string, asked: Asked, place: string, judging: Judging): Look {
    const nobody = new AbortController();
    const work = async (): Promise<boolean> => {
      look.begun = true;
      judging.begin();
      const right = (await verify(asked.password, asked.hash ?? NOBODYS)) && asked.hash !== undefined;
      if (right) this.#remember(this.nameOf(asked));
      judging.judged(right);
      return right;
    };
    const answer = Promise.resolve()
      .then(() => this.#queue.run(place, work, nobody.signal))
      .finally(() => {
        if (this.#underWay.get(both) === look) this.#underWay.delete(both);
      });
    const look: Look = { answer, nobody, waiting: 0, begun: false };
    this.#underWay.set(both, look);
    return look;
  }

  #remember(name: string): void {
    this.#right.delete(name);
    this.#right.set(name, this.#now() + REMEMBERED_MS);
    if (this.#right.size > MOST_REMEMBERED) this.#right.delete(this.#right.keys().next().value as string);
  }
}

async function verify(password: string, text: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt, tag] = PHC.exec(text) ?? [];
  if (salt === undefined || tag === undefined) return false;
  const expected = Buffer.from(tag, "base64");
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  return timingSafeEqual(
    await digest(password, Buffer.from(salt, "base64"), cost, expected.length),
    expected,
  );
}

function digest(password: string, nonce: Buffer, cost: typeof COST, tagLength: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2("argon2id", { message: password, nonce, ...cost, tagLength }, (error, tag) => {
      if (error) reject(error);
      else resolve(tag);
    });
  });
}

function phc(salt: Buffer, tag: Buffer): string {
  const text = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");
  const { memory, passes, parallelism } = COST;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${text(salt)}$${text(tag)}`;
}
