/** A source from which no more is read in a second than it was allowed. */
import type { OpenFile, Source } from "./source.ts";

/** Waits until so many of these bytes may be used; resolves to how many that are, at least one. */
export interface Pace {
  take(most: number, signal: AbortSignal): Promise<number>;
}

/** `ended`: what waits ends with its reason. */
export function paced(source: Source, pace: Pace, ended: AbortSignal): Source {
  return {
    ...source,
    get tells() {
      return source.tells;
    },
    async open(path, state) {
      const opened = await source.open(path, state);
      return opened.kind === "open" ? { kind: "open", file: pacedFile(opened.file, pace, ended) } : opened;
    },
    // What is read while everything waits waits for nothing itself.
    readNow: undefined,
  };
}

/** What was read counts once it is there: how much that will be nobody knows before. */
function pacedFile(file: OpenFile, pace: Pace, ended: AbortSignal): OpenFile {
  return {
    state: file.state,
    ...(file.modifiedNs === undefined ? {} : { modifiedNs: file.modifiedNs }),
    recheck: () => file.recheck(),
    async read(into, position) {
      const got = await file.read(into, position);
      for (let left = got; left > 0; ) left -= await pace.take(left, ended);
      return got;
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}
