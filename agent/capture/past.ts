/** Which of the versions that a source keeps of a path comes next: all of them are brought, in their order, ends included. */
import { ENDED, type Seen } from "../queue/queue.ts";
import { sameState } from "../source/same-state.ts";
import type { FileState, Past } from "../source/state.ts";

export interface Next {
  readonly state: FileState;
  /** It is an end: the path was deleted then. */
  readonly deleted: boolean;
}

/** Undefined: all that is there was brought. `past` oldest first; `seen`: what was brought last. */
export function nextOf(past: Past, seen: Seen | undefined): Next | undefined {
  // An end of what never began here, or has ended, is none.
  if (seen === undefined) return past.find(({ deleted }) => !deleted);
  const ended = seen.missed === ENDED;
  const at = past.findLastIndex(({ state, deleted }) => deleted === ended && sameState(state, seen.state));
  return past.find(({ state, deleted }, i) => {
    if (ended && deleted) return false;
    // What was brought last is kept no more, or is told in another way: its time says what is younger.
    return at === -1 ? state.mtimeNs > seen.state.mtimeNs : i > at;
  });
}

/** Whether what is there now was brought: a version, or the end. */
export function isBrought(past: Past, seen: Seen | undefined): boolean {
  if (nextOf(past, seen) !== undefined) return false;
  return past.at(-1)?.deleted === (seen === undefined || seen.missed === ENDED);
}
