/**
 * To settle is to decide that a file has held still: size, mtime, ctime and (where trusted) file id equal at two looks
 * at least `settleMs` apart. Pure: (before, what was seen, now, rules) -> what to keep and what to do. Times are ms of
 * a clock that never jumps.
 */
import { sameState } from "../source/same-state.ts";
import { COARSE_MS, type FileState, type Tells } from "../source/state.ts";

export interface SettleRules {
  readonly settleMs: number;
  /** A file that moves for this long is captured as it is; undefined: never. */
  readonly snapshotMs: number | undefined;
  /** A file that moves for this long is reported. */
  readonly restlessMs: number;
}

/** One file that is being waited for. */
export interface Settling {
  readonly state: FileState;
  /** Since when this state is seen. */
  readonly since: number;
  /** Since when the file is waited for, in whatever state. */
  readonly first: number;
  readonly reported: boolean;
}

export interface Step {
  readonly next: Settling;
  /** `settled`: seal it when it is still in this state. `snapshot`: seal it as it is. */
  readonly act: "wait" | "settled" | "snapshot";
  /** When to look again; only for `wait`. */
  readonly due: number;
  /** It became restless with this look: say so once. */
  readonly restless: boolean;
}

export function settle(before: Settling | undefined, seen: FileState, now: number, rules: SettleRules): Step {
  const still = before !== undefined && sameState(before.state, seen);
  const since = still ? before.since : now;
  const first = before?.first ?? now;
  const settled = still && now - since >= rules.settleMs;
  const waited = now - first;
  const restless = !settled && before?.reported !== true && waited >= rules.restlessMs;
  // Not while it holds still: then it settles.
  const snapshot = !still && rules.snapshotMs !== undefined && waited >= rules.snapshotMs;
  return {
    next: { state: seen, since, first, reported: restless || before?.reported === true },
    act: settled ? "settled" : snapshot ? "snapshot" : "wait",
    due: since + rules.settleMs,
    restless,
  };
}

/**
 * Whether a change after the sealing could have left no trace, so that the bytes must be read once more. `sealedAt`: ms of
 * the host's clock when the reading began. Only where the times are the host's: elsewhere see `settleTime`.
 */
export function mayHaveChangedUnseen(tells: Tells, state: FileState, sealedAt: number): boolean {
  if (!tells.hostTimes) return false;
  const changed = Number((state.mtimeNs > state.ctimeNs ? state.mtimeNs : state.ctimeNs) / 1_000_000n);
  return Math.abs(sealedAt - changed) < COARSE_MS;
}

/** How long files must hold still, ms; nothing can be in the middle of a change where the content has an id. */
export function settleTime(settleMs: number, tells: Tells): number {
  return tells.contentIds && tells.coarseMs === 0 ? 0 : Math.max(settleMs, tells.coarseMs);
}

/** What is remembered of a file that was read while it moved. Where no clock tells whether it moved on, it equals nothing, and is read again. */
export function stateAfterSnapshot(tells: Tells, state: FileState): FileState {
  return tells.hostTimes ? state : { ...state, size: -1 };
}
