/** Which of a file's versions stands open when it is opened. */
import type { Moment } from "../../../../timeline/timeline.ts";

export interface Opened {
  /** Undefined: none of those loaded; never the newest instead of what was asked for. */
  readonly versionId: string | undefined;
  /** It was asked for, and is further back than what is loaded. */
  readonly further: boolean;
}

type Known = Pick<Moment, "versionId" | "receivedAt">;

/** `version`, `at`: as the address has them, "" for none. `moments`: newest first. */
export function openedOf(
  moments: readonly Known[],
  { version, at, more }: { readonly version: string; readonly at: string; readonly more: boolean },
): Opened {
  const instant = at === "" ? Number.NaN : Date.parse(at);
  if (version === "" && Number.isNaN(instant)) return { versionId: moments[0]?.versionId, further: false };
  const found =
    version === ""
      ? moments.find(({ receivedAt }) => Date.parse(receivedAt) <= instant)
      : moments.find(({ versionId }) => versionId === version);
  return { versionId: found?.versionId, further: found === undefined && more };
}
