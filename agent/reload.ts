/** `agent.yaml` while the agent runs: a change is taken up within seconds, a broken one is refused and told once, and the one before stays. */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type AgentSettings, loadAgentSettings } from "./config.ts";

const LOOK_MS = 2_000;
/** An editor may empty a file before it fills it: only what holds still for this long is read. */
const SETTLE_MS = 300;

/** Calls one of the two for each change. The file's events only make it quicker: editors and shares lose them. */
export function watchSettings(
  file: string,
  taken: (settings: AgentSettings) => void,
  refused: (detail: string) => void,
): { stop(): void } {
  let known = mark(file);
  let settling: NodeJS.Timeout | undefined;
  const look = (): void => {
    const now = mark(file);
    if (now === known) return;
    clearTimeout(settling);
    settling = setTimeout(() => (mark(file) === now ? take(now) : look()), SETTLE_MS);
  };
  const take = (now: string): void => {
    known = now;
    // Taken as empty it would end every source for a slip of the hand.
    if (now === ABSENT) {
      refused(`${file} is gone; put it back, or one without sources if that is meant`);
      return;
    }
    try {
      taken(loadAgentSettings(file, true));
    } catch (cause) {
      if (!(cause instanceof ProblemError)) throw cause;
      refused(cause.message);
    }
  };
  const timer = setInterval(look, LOOK_MS);
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(file), (_kind, name) => {
      if (name === null || name === basename(file)) look();
    });
    watcher.on("error", () => watcher?.close());
  } catch {
    // No events here: looking every two seconds is enough.
  }
  return {
    stop: () => {
      clearInterval(timer);
      clearTimeout(settling);
      watcher?.close();
    },
  };
}

const ABSENT = "absent";

/** Differs whenever the file was written. */
function mark(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? ABSENT : `${found.mtimeNs} ${found.size} ${found.ino}`;
}
