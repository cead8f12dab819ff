/** Which paths a source takes. Globs match the readable path; a glob that matches a folder means all that is in it. */
import { displayPath } from "@tributary/shared/path.ts";
import picomatch from "picomatch";
import { lastSegment, parent } from "./bytes.ts";
import { isOwnName } from "./own-name.ts";

export interface Rules {
  /** Why this file is left out, or undefined when it is taken. Its folders are looked at, too. */
  leavesOut(path: Buffer): string | undefined;
  /** Why nothing below this folder is taken; undefined: look inside. Only the folder's own name is judged. */
  leavesOutFolder(folder: Buffer): string | undefined;
}

/** `s`: a newline in a name is a character like any other. */
const OPTIONS = { dot: true, flags: "s", nonegate: true, windows: false };

export function rulesOf(include: readonly string[], exclude: readonly string[]): Rules {
  const included = include.length === 0 ? () => true : picomatch([...include], OPTIONS);
  const excludes = exclude.map((glob) => ({ glob, matches: picomatch(glob, OPTIONS) }));

  function excluded(path: Buffer): string | undefined {
    if (excludes.length === 0) return undefined;
    const text = displayPath(path);
    const rule = excludes.find(({ matches }) => matches(text));
    return rule && `excluded by "${rule.glob}"`;
  }

  return {
    leavesOutFolder: excluded,
    leavesOut(path) {
      if (isOwnName(lastSegment(path))) return "a temporary name of the agent";
      for (let at = path; at.length > 0; at = parent(at)) {
        const why = excluded(at);
        if (why !== undefined) return why;
        if (excludes.length === 0) break;
      }
      return included(displayPath(path)) ? undefined : "not among the included globs";
    },
  };
}
