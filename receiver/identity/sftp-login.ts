/**
 * Logging in at the SFTP door. Nobody learns who exists: an unknown user is refused as slowly, and in the same words,
 * as a wrong password. Nobody is locked out by a stranger: wrong passwords are counted by the place that they come
 * from and the user that they are for, and one that was right within the last hour passes whatever others do.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { formatDuration } from "@tributary/shared/units.ts";
import { writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { type Account, accountOf } from "./account.ts";
import { networkOf } from "./network.ts";
import { type Asked, LONGEST_PASSWORD, Passwords } from "./passwords.ts";
import { isUserName } from "./sftp-accounts.ts";
import { fingerprintOf } from "./ssh-fingerprint.ts";
import { type AccountStanding, accountStandings, passwordProof } from "./standing-rows.ts";

/** What the SFTP door needs of identity, besides `Gate.watch`. All throw `ledger-unavailable`. */
export interface SftpLogin {
  /**
   * The account when this public key (the SSH blob) is one of its; undefined otherwise. Asked before the signature is
   * verified, too: the account may go on, or the problem (`client-suspended`) be told, only after it.
   */
  byKey(user: string, blob: Buffer): Promise<Account | ProblemError | undefined>;
  /**
   * The account, or why not: `unauthenticated`, `client-suspended`, `limit-requests` (too many wrong ones), `busy`, also
   * when whoever asks is `gone` before it was looked at.
   */
  byPassword(
    user: string,
    password: string,
    address: string,
    gone?: AbortSignal,
  ): Promise<Account | ProblemError>;
  /** Remembers when and from where, to the minute. */
  loggedIn(account: Account, address: string): Promise<void>;
}

/** Patience with wrong ones, as `limits/guesses.ts` has it. */
export interface Patience {
  waitMs(of: string, credentials: string): number;
  wasRight(credentials: string): void;
  wasWrong(of: string, credentials: string): void;
}

export interface SftpLoginSettings {
  readonly db: Database;
  /** By place and user. */
  readonly perUser: Patience;
  /** By place alone: it must have more patience, for many users may share an address. */
  readonly perPlace: Patience;
  readonly passwords?: Passwords;
  readonly now?: () => number;
}

const LOGIN_KEPT_MS = 60_000;

export function openSftpLogin(settings: SftpLoginSettings): SftpLogin {
  const { db, perUser, perPlace, passwords = new Passwords(), now = Date.now } = settings;

  async function find(user: string): Promise<{ id: string; standing: AccountStanding } | undefined> {
    // Databases do not take every text: PostgreSQL fails at a NUL.
    if (!isUserName(user)) return undefined;
    const [first] = await accountStandings(db, { user });
    return first && { id: first[0], standing: first[1] };
  }

  /** Throws `unauthenticated`, `limit-requests`, `busy`. */
  async function prove(asked: Asked, user: string, address: string, gone?: AbortSignal): Promise<void> {
    if (passwords.remembers(asked)) return;
    const place = networkOf(address);
    const name = passwords.nameOf(asked);
    const patience: readonly (readonly [Patience, string, string])[] = [
      [perUser, `${place} ${user}`, `${address} for this user`],
      [perPlace, place, address],
    ];
    const look = (): void => {
      for (const [one, of, called] of patience) {
        const waitMs = one.waitMs(of, name);
        if (waitMs > 0) throw tooMany(called, waitMs);
      }
    };
    look();
    const judged = (right: boolean): void => {
      for (const [one, of] of patience) {
        if (right) one.wasRight(name);
        else one.wasWrong(of, name);
      }
    };
    // Looked at again when its turn has come: many guesses at once are judged one after the other.
    const right = await passwords.check(asked, place, { begin: look, judged }, gone);
    if (!right) throw new ProblemError("unauthenticated", "the user or the password is wrong");
  }

  return {
    async byKey(user, blob) {
      const found = await find(user);
      const fingerprint = fingerprintOf(blob);
      if (found?.standing.publicKeys.get(fingerprint) !== blob.toString("base64")) return undefined;
      return problemOr(() => accountOf(found.id, found.standing, fingerprint));
    },
    async byPassword(user, password, address, gone) {
      const found = await find(user);
      const hash = found?.standing.passwordHash;
      try {
        if (Buffer.byteLength(password) > LONGEST_PASSWORD)
          throw new ProblemError("unauthenticated", "the user or the password is wrong");
        await prove({ id: found?.id ?? `no account ${user}`, hash, password }, user, address, gone);
        // What was true when it was asked may not be any more when its turn had come.
        const still = await find(user);
        if (still?.standing.passwordHash === undefined || still.standing.passwordHash !== hash)
          throw new ProblemError("unauthenticated", "the user or the password is wrong");
        return accountOf(still.id, still.standing, passwordProof(hash));
      } catch (error) {
        if (error instanceof ProblemError && error.code !== "ledger-unavailable") return error;
        throw error;
      }
    },
    async loggedIn({ principal }, address) {
      const at = now();
      await writing(db, (trx) =>
        trx
          .updateTable("sftp_accounts")
          .set({ last_login_at: at, last_login_from: address })
          .where("id", "=", principal.id)
          .where((eb) =>
            eb.or([
              eb("last_login_at", "is", null),
              eb("last_login_at", "<=", at - LOGIN_KEPT_MS),
              // The clock was wrong then.
              eb("last_login_at", ">", at),
              eb("last_login_from", "<>", address),
            ]),
          )
          .execute(),
      );
    },
  };
}

function problemOr<T>(work: () => T): T | ProblemError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
}

function tooMany(called: string, waitMs: number): ProblemError {
  return new ProblemError(
    "limit-requests",
    `too many wrong passwords came from ${called}; the next ones are looked at in ${formatDuration(waitMs)}`,
    { retryAfter: Math.ceil(waitMs / 1000) },
  );
}
