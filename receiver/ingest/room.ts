/**
 * Room for what comes in: a quota per client, and a reserve of disk that is never used up. Asked before the first
 * byte where the size is declared, and again while bytes arrive. Always: look (which waits), then decide and count
 * in one step, so that of many at once none decides by what another has taken already. For whole files the ledger
 * decides the quota finally, inside the commit; for parts nobody does after us.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Principal } from "../identity/principal.ts";
import { AGREED_ANEW_SECONDS } from "../ledger/decide.ts";
import { Gauge, type Reading } from "./gauge.ts";

/** Limits in bytes, undefined: none; and what the ledger counts as used of them. */
export interface Allowance {
  readonly file: number | undefined;
  readonly day: number | undefined;
  readonly stored: number | undefined;
  readonly usedToday: number;
  readonly usedStored: number;
}

/** Whose bytes are counted: a client's, and those of one agent, key or account where it has bounds of its own. */
export interface Payer {
  readonly kind: "client" | Principal["kind"];
  /** The client's name, or the id of the agent, key or account. */
  readonly name: string;
}

/** What room needs to know of a payer. */
export type AllowanceOf = (payer: Payer) => Promise<Allowance>;

/** For whom bytes come, and who brings them. */
export interface Bringer {
  readonly client: string;
  readonly principal: Pick<Principal, "kind" | "id" | "limits">;
}

/** The disks that may fill up. Bytes; undefined: not ours to guard. */
export interface Disks {
  /** Where bodies lie. */
  readonly bodies: () => Promise<number | undefined>;
  /** Where the ledger grows. */
  readonly ledger: () => Promise<number | undefined>;
  /** Lets go of what is kept there for speed alone; how many bytes that was. */
  readonly relieve: () => Promise<number>;
}

/** One body's claim on the room. `release` ends it, always. */
export interface Claim {
  /** Counts bytes as they arrive; throws `quota-file`, `quota-day`, `quota-stored` or `disk-reserve`. */
  arrived(bytes: number): Promise<void>;
  /** All that arrived is on the disk, as whoever looks at the disk sees. */
  landed(): void;
  /** From now on the ledger counts them against the quota: here they count until it is next asked. */
  recorded(): void;
  release(): void;
}

const LOOK_EVERY_MS = 1000;
const MOST_PAYERS = 10_000;
/** What a body may have in memory: bytes that arrived, and that no look at the disk sees. */
const IN_MEMORY = 512 * 2 ** 10;
/** When only others of the same client that are under way stand in between. */
const SOON_SECONDS = 2;

interface Free {
  readonly bodies: number | undefined;
  readonly ledger: number | undefined;
}

interface Account {
  readonly payer: Payer;
  readonly gauge: Gauge<Allowance>;
  /** Claimed, and not yet recorded. */
  open: number;
}

export class Room {
  readonly #disks: Disks;
  readonly #allowanceOf: AllowanceOf;
  readonly #reserve: number;
  readonly #now: () => number;
  readonly #age: () => number;
  readonly #free: Gauge<Free>;
  readonly #accounts = new Map<string, Account>();
  /** Claimed, and not yet where a look at the disk sees it. */
  #expected = 0;

  constructor(
    disks: Disks,
    allowanceOf: AllowanceOf,
    reserve: number,
    { now = Date.now, age = () => performance.now() }: { now?: () => number; age?: () => number } = {},
  ) {
    this.#disks = disks;
    this.#allowanceOf = allowanceOf;
    this.#reserve = reserve;
    this.#now = now;
    this.#age = age;
    const look = async (): Promise<Free> => {
      const [bodies, ledger] = await Promise.all([disks.bodies(), disks.ledger()]);
      return { bodies, ledger };
    };
    this.#free = new Gauge(look, LOOK_EVERY_MS, age);
  }

  /** Throws when these bytes cannot be taken. Nothing is held. */
  async check(bringer: Bringer, size: number): Promise<void> {
    await this.#take(this.#accountsOf(bringer), { whole: size, disk: size, quota: size }, () => {});
  }

  /**
   * As `check`, and holds the room until it is released; `size` undefined when nobody said. `quota`: how many of them
   * the client's quota does not know of yet (a part that comes again counts already).
   */
  async claim(bringer: Bringer, size: number | undefined, quota = size): Promise<Claim> {
    const accounts = this.#accountsOf(bringer);
    let granted = 0;
    let total = 0;
    let onDisk = 0;
    let unrecorded = 0;
    const grow = (disk: number, charged: number, whole: number): Promise<void> =>
      this.#take(accounts, { whole, disk, quota: charged }, () => {
        granted += disk;
        unrecorded += charged;
        this.#expected += disk;
        for (const account of accounts) account.open += charged;
      });
    /** A look that begins from now on sees them on the disk. */
    const seen = (bytes: number): void => {
      onDisk += bytes;
      this.#expected -= bytes;
      this.#free.add(bytes);
    };
    const settleQuota = (): void => {
      for (const account of accounts) account.open -= unrecorded;
      unrecorded = 0;
    };
    await grow(size ?? 0, quota ?? 0, size ?? 0);
    return {
      arrived: async (bytes) => {
        total += bytes;
        if (total > granted) await grow(total - granted, total - granted, total);
        if (total - IN_MEMORY > onDisk) seen(total - IN_MEMORY - onDisk);
      },
      landed: () => seen(Math.min(total, granted) - onDisk),
      recorded: () => {
        for (const account of accounts) account.gauge.add(unrecorded);
        settleQuota();
      },
      release: () => {
        settleQuota();
        seen(Math.min(total, granted) - onDisk);
        this.#expected -= granted - onDisk;
        granted = onDisk;
      },
    };
  }

  /** Nothing may wait between the decision and `hold`. */
  async #take(
    accounts: readonly Account[],
    asked: { readonly whole: number; readonly disk: number; readonly quota: number },
    hold: () => void,
  ): Promise<void> {
    const { whole, disk, quota } = asked;
    const quotaProblem = ({ payer, open }: Account, reading: Reading<Allowance>): ProblemError | undefined =>
      this.#quotaProblem(payer, reading.value, open + reading.since(), quota, whole);
    const looks: (readonly [Account, Reading<Allowance>])[] = [];
    for (const account of accounts) {
      const allowance = await account.gauge.look();
      // What was recorded between two looks counts twice: nobody is refused for that.
      const soon = quotaProblem(account, allowance)?.retryAfter === SOON_SECONDS;
      looks.push([account, soon ? await account.gauge.lookAnew() : allowance]);
    }
    let free = await this.#free.look();
    if (this.#diskProblem(free, disk) !== undefined) {
      await this.#disks.relieve();
      free = await this.#free.lookAnew();
    }
    const refused = looks.map((look) => quotaProblem(...look)).find((one) => one !== undefined);
    const problem = refused ?? this.#diskProblem(free, disk);
    if (problem !== undefined) throw problem;
    hold();
  }

  #accountsOf({ client, principal: { kind, id, limits } }: Bringer): readonly Account[] {
    const own = (limits?.day ?? limits?.file ?? null) !== null;
    const payers: Payer[] = [{ kind: "client", name: client }, ...(own ? [{ kind, name: id }] : [])];
    return payers.map((payer) => this.#account(payer));
  }

  #account(payer: Payer): Account {
    const key = `${payer.kind} ${payer.name}`;
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    if (this.#accounts.size >= MOST_PAYERS)
      for (const [name, { open }] of this.#accounts) if (open === 0) this.#accounts.delete(name);
    const gauge = new Gauge(() => this.#allowanceOf(payer), LOOK_EVERY_MS, this.#age);
    const account = { payer, gauge, open: 0 };
    this.#accounts.set(key, account);
    return account;
  }

  #quotaProblem(
    { kind, name }: Payer,
    { file, day, stored, usedToday, usedStored }: Allowance,
    underWay: number,
    size: number,
    whole: number,
  ): ProblemError | undefined {
    // Who reads it at an SFTP program knows neither the account's id nor what to do with it.
    const whose = kind === "account" ? "this SFTP account" : `the ${kind} ${name}`;
    const who = kind === "client" ? name : whose;
    if (file !== undefined && whole > file)
      return new ProblemError(
        "quota-file",
        `the largest file that ${who} may send is ${formatBytes(file)}; this one has ${formatBytes(whole)} or more`,
        { retryAfter: AGREED_ANEW_SECONDS },
      );
    // What takes nothing of its own is not refused for what others take.
    const others = size === 0 ? 0 : underWay;
    const more = others > 0 ? `, and ${formatBytes(others)} are on their way` : "";
    if (stored !== undefined && usedStored + others + size > stored)
      return new ProblemError(
        "quota-stored",
        `${who} has stored ${formatBytes(usedStored)} of its ${formatBytes(stored)}${more}`,
        { retryAfter: usedStored + size > stored ? AGREED_ANEW_SECONDS : SOON_SECONDS },
      );
    if (day !== undefined && whole > day)
      return new ProblemError(
        "quota-day",
        `${who} may send ${formatBytes(day)} a day (UTC), and this one file has ${formatBytes(whole)} or more: no day takes it`,
        { retryAfter: AGREED_ANEW_SECONDS },
      );
    if (day !== undefined && usedToday + others + size > day)
      return new ProblemError(
        "quota-day",
        `${who} has sent ${formatBytes(usedToday)} of its ${formatBytes(day)} for today (UTC)${more}`,
        {
          retryAfter:
            usedToday + size > day
              ? Math.ceil((86_400_000 - (this.#now() % 86_400_000)) / 1000)
              : SOON_SECONDS,
        },
      );
    return undefined;
  }

  #diskProblem({ value, since }: Reading<Free>, size: number): ProblemError | undefined {
    const refused = (what: string, free: number): ProblemError =>
      new ProblemError(
        "disk-reserve",
        `the receiver has ${formatBytes(Math.max(0, free))} free ${what} and keeps ${formatBytes(this.#reserve)} of them; nothing was recorded, the file is welcome when there is room again`,
        { retryAfter: 60 },
      );
    // Bodies on their way do not lie where the ledger is, or that disk is looked at as theirs too.
    if (value.ledger !== undefined && value.ledger < this.#reserve)
      return refused("for its ledger", value.ledger);
    if (value.bodies === undefined) return undefined;
    const left = value.bodies - since() - this.#expected;
    return left - size < this.#reserve ? refused("for files", left) : undefined;
  }
}
