/**
 * Room for what comes in: a quota per client, and a reserve of disk that is never used up. Asked before the first
 * byte where the size is declared, and again while bytes arrive. The quota is decided finally inside the commit;
 * here it only saves the transfer.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { LakeHealth } from "../lake/lake.ts";

/** Limits in bytes, undefined: none; and what is used of them. */
export interface Allowance {
  readonly file: number | undefined;
  readonly day: number | undefined;
  readonly stored: number | undefined;
  readonly usedToday: number;
  readonly usedStored: number;
}

/** What room needs to know of a client. */
export type AllowanceOf = (client: string) => Promise<Allowance>;

/** One body's claim on the room. `release` ends it, always. */
export interface Claim {
  /** Counts bytes as they arrive; throws `quota-file`, `quota-day`, `quota-stored` or `disk-reserve`. */
  arrived(bytes: number): Promise<void>;
  release(): void;
}

const FREE_FOR_MS = 1000;
const LOOK_EVERY_BYTES = 8 * 2 ** 20;

export class Room {
  readonly #free: LakeHealth["free"];
  readonly #allowanceOf: AllowanceOf;
  readonly #reserve: number;
  readonly #now: () => number;
  /** Declared, not yet arrived: what `free` does not know of. */
  #expected = 0;
  #freeAt = Number.NEGATIVE_INFINITY;
  #freeNow: Promise<number | undefined> = Promise.resolve(undefined);

  constructor(
    free: LakeHealth["free"],
    allowanceOf: AllowanceOf,
    reserve: number,
    now: () => number = Date.now,
  ) {
    this.#free = free;
    this.#allowanceOf = allowanceOf;
    this.#reserve = reserve;
    this.#now = now;
  }

  /** Throws when these bytes cannot be taken; `size` undefined when nobody said. Nothing is reserved. */
  async check(client: string, size: number | undefined): Promise<Allowance> {
    const allowance = await this.#allowanceOf(client);
    this.#requireQuota(client, allowance, size ?? 0);
    await this.#requireDisk(size ?? 0);
    return allowance;
  }

  /** As `check`, and holds the room until it is released. */
  async claim(client: string, size: number | undefined): Promise<Claim> {
    const allowance = await this.check(client, size);
    let open = size ?? 0;
    let total = 0;
    let looked = 0;
    this.#expected += open;
    const settle = (bytes: number): void => {
      const known = Math.min(open, bytes);
      open -= known;
      this.#expected -= known;
    };
    return {
      arrived: async (bytes) => {
        total += bytes;
        settle(bytes);
        if (size !== undefined && total <= size) return;
        if (allowance.file !== undefined && total > allowance.file)
          this.#requireQuota(client, allowance, total);
        if (total - looked < LOOK_EVERY_BYTES) return;
        looked = total;
        this.#requireQuota(client, allowance, total);
        await this.#requireDisk(0);
      },
      release: () => settle(open),
    };
  }

  #requireQuota(client: string, allowance: Allowance, size: number): void {
    const { file, day, stored, usedToday, usedStored } = allowance;
    if (file !== undefined && size > file)
      throw new ProblemError(
        "quota-file",
        `the largest file that ${client} may send is ${formatBytes(file)}; this one has ${formatBytes(size)} or more`,
      );
    if (stored !== undefined && usedStored + size > stored)
      throw new ProblemError(
        "quota-stored",
        `${client} has stored ${formatBytes(usedStored)} of its ${formatBytes(stored)}`,
        { retryAfter: 3600 },
      );
    if (day !== undefined && usedToday + size > day)
      throw new ProblemError(
        "quota-day",
        `${client} has sent ${formatBytes(usedToday)} of its ${formatBytes(day)} for today (UTC)`,
        { retryAfter: Math.ceil((86_400_000 - (this.#now() % 86_400_000)) / 1000) },
      );
  }

  async #requireDisk(size: number): Promise<void> {
    if (this.#now() - this.#freeAt >= FREE_FOR_MS) {
      this.#freeAt = this.#now();
      this.#freeNow = this.#free();
      this.#freeNow.catch(() => {
        this.#freeAt = Number.NEGATIVE_INFINITY;
      });
    }
    const free = await this.#freeNow;
    if (free === undefined || free - this.#expected - size >= this.#reserve) return;
    throw new ProblemError(
      "disk-reserve",
      `the receiver has ${formatBytes(free)} free and keeps ${formatBytes(this.#reserve)} of them; nothing was recorded, the file is welcome when there is room again`,
      { retryAfter: 60 },
    );
  }
}
