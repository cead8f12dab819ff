/** What came in becomes a version, or is the newest one already: then its time is the one that its sender tells now. */
import type { Piecemeal } from "../../ingest/piecemeal.ts";
import type { Target } from "./sight.ts";
import type { Visit } from "./visit.ts";

/** The words of its answer. `to`: its last place, when that is another. Throws what refuses it. */
export async function record(visit: Visit, one: Piecemeal, to?: Target): Promise<string> {
  const { account, stillAllowed, rooms, view } = visit;
  const { modifiedAt } = one;
  const { status, versionId, source, pathEncoded } = await one.commit(account.principal, stillAllowed, to);
  // Who compares times would send it again for ever.
  if (status === "unchanged" && modifiedAt !== null)
    await rooms.trees.changes.setModified(view, source, pathEncoded, { versionId, modifiedAt });
  return `${status} ${versionId}`;
}
