import { sameState } from "../source/same-state.ts";
import type { Source } from "../source/source.ts";
import type { FileState } from "../source/state.ts";
import type { SealResult } from "./seal.ts";

/**
 * Looks once more at what was sealed, for sources whose looks may be old (`Tells.staleMs`): a mount that remembers size
 * and times goes on telling them of a file that was replaced, gives bytes of the new one up to the old one's size, and
 * tells the same again after the last of them. Opened, as that asks the server where a look at the name may not.
 * Undefined: it is there as it was.
 */
export async function stillThere(
  source: Pick<Source, "open">,
  path: Buffer,
  state: FileState,
): Promise<Exclude<SealResult, { kind: "sealed" }> | undefined> {
  const opened = await source.open(path, state);
  if (opened.kind !== "open") return opened;
  await using file = opened.file;
  return sameState(file.state, state) ? undefined : { kind: "changed", state: file.state };
}
