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
  const passed: string[] = [];
  for (const { state, deleted, held } of behind(past, seen)) {
    if (held === undefined) return { state, deleted, passed };
    passed.push(held);
  }
  return undefined;
}

/** Where nothing comes next: why the last version that was not brought cannot be had. Undefined: all was brought. */
export function heldOf(past: Past, seen: Seen | undefined): string | undefined {
  return [...behind(past, seen)].findLast(({ held }) => held !== undefined)?.held;
}

/** What comes behind that which was brought last. An end of what never began here, or has ended, is none. */
function* behind(past: Past, seen: Seen | undefined): Generator<Past[number]> {
  const none = seen === undefined || seen.missed === ENDED;
  const at = seen && past.findLastIndex((one) => one.deleted === none && sameState(one.state, seen.state));
  for (const [i, one] of past.entries()) {
    if (none && one.deleted) continue;
    // What was brought last is kept no more, or is told in another way: its time says what is younger.
    if (seen === undefined || (at === -1 ? one.state.mtimeNs > seen.state.mtimeNs : i > (at ?? -1)))
      yield one;
  }
}

/** Whether what is there now was brought: a version, or the end. */
export function isBrought(past: Past, seen: Seen | undefined): boolean {
  if (nextOf(past, seen) !== undefined) return false;
  return past.at(-1)?.deleted === (seen === undefined || seen.missed === ENDED);
}
