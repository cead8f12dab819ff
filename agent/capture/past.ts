/** Which of the versions that a source keeps of a path comes next: all of them are brought, in their order, ends included. */
import { ENDED, type Seen } from "../queue/queue.ts";
import { sameState } from "../source/same-state.ts";
import type { FileState, Past } from "../source/state.ts";

export interface Next {
  readonly state: FileState;
  /** It is an end: the path was deleted then. */
  readonly deleted: boolean;
  /** Why each of the versions before it that were not brought cannot be had: they are passed over. Old versions may lie in an archive for ever, and what is newer must not wait for them. */
  readonly passed: readonly string[];
}

/** Undefined: all that can be had was brought. `past` oldest first; `seen`: what was brought last. */
export function nextOf(past: Past, seen: Seen | undefined): Next | undefined {
  // An end of what never began here, or has ended, is none.
  const none = seen === undefined || seen.missed === ENDED;
  // What was brought last is kept no more, or is told in another way: its time says what is younger.
  const isBehind = ((): ((i: number, state: FileState) => boolean) => {
    if (seen === undefined) return () => true;
    const at = past.findLastIndex(({ state, deleted }) => deleted === none && sameState(state, seen.state));
    return at === -1 ? (_, { mtimeNs }) => mtimeNs > seen.state.mtimeNs : (i) => i > at;
  })();
  const passed: string[] = [];
  for (const [i, { state, deleted, held }] of past.entries()) {
    if (!isBehind(i, state) || (none && deleted)) continue;
    if (held === undefined) return { state, deleted, passed };
    passed.push(held);
  }
  return undefined;
}

/** Whether what is there now was brought: a version, or the end. */
export function isBrought(past: Past, seen: Seen | undefined): boolean {
  if (nextOf(past, seen) !== undefined) return false;
  return past.at(-1)?.deleted === (seen === undefined || seen.missed === ENDED);
}
