/**
 * Whose a lake is: `.tributary.json` at its root, `{"site": …, "lake": …}` (a directory lake names its `host` too). The
 * ledger keeps the same random lake id, so that an empty mount point, another disk or another bucket is never taken
 * for the lake: a receipt for bytes that lie in the wrong place would be a lie. A field that is not there is ours to
 * fill in: claims of before had no lake id, and people who move a lake write only that.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { z } from "zod";

export const CLAIM = ".tributary.json";

const claim = z.object({
  host: z.string().optional(),
  site: z.string().optional(),
  lake: z.string().min(1).optional(),
});

export type Claim = z.output<typeof claim>;

/** Who opens a lake, and what its ledger knows of it. */
export interface LakeOwner {
  /** The site's UUID: a lake belongs to one site. */
  readonly site: string;
  /** The lake that the ledger belongs to; undefined when it has not met one. */
  readonly lake?: string | undefined;
  /** The ledger has entries, so there must be a lake already. */
  readonly begun?: boolean | undefined;
}

/** Throws `lake-unavailable` for what is no claim; `where` names the file or object. */
export function parseClaim(text: string, where: string): Claim {
  try {
    return claim.parse(JSON.parse(text));
  } catch (cause) {
    throw new ProblemError(
      "lake-unavailable",
      `${where} is damaged; put back a copy, or what the other receivers of the site have: {"lake":"ID"} is enough`,
      { cause },
    );
  }
}

/** Throws when the lake is another site's, or another lake than the ledger's. */
export function requireOurs(found: Claim, owner: LakeOwner, where: string): void {
  if (found.site !== undefined && found.site !== owner.site)
    throw new ProblemError(
      "lake-unavailable",
      `the lake in ${where} belongs to the site ${found.site}, this is ${owner.site}: give each site a lake of its own`,
    );
  if (owner.lake === undefined || found.lake === owner.lake) return;
  throw new ProblemError(
    "lake-unavailable",
    `${where} holds ${found.lake === undefined ? "a lake without an id" : `the lake ${found.lake}`}, but this ledger belongs to ` +
      `the lake ${owner.lake}: is the right disk mounted there, and is lake: in receiver.yaml right? ${howToMove(owner, where)}`,
  );
}

/** Says that what was the lake is so no more; `hint` is what to look at when nothing is there. */
export function strangeClaim(found: Claim | undefined, where: string, hint: string): string {
  return found === undefined
    ? `there is no lake in ${where} any more (no ${CLAIM}): ${hint}`
    : `the lake in ${where} is another one now (${found.lake}, of the site ${found.site})`;
}

/** Throws when the ledger knows that there must be a claim. `hint` says what to look at first. */
export function refuseAbsent(owner: LakeOwner, where: string, hint: string): void {
  if (owner.lake === undefined && owner.begun !== true) return;
  const known = owner.lake === undefined ? "has entries" : `belongs to the lake ${owner.lake}`;
  throw new ProblemError(
    "lake-unavailable",
    `there is no lake in ${where} (no ${CLAIM}), but this ledger ${known}: ${hint} Nothing was written. ${howToMove(owner, where)}`,
  );
}

function howToMove(owner: LakeOwner, where: string): string {
  const text = JSON.stringify(owner.lake === undefined ? {} : { lake: owner.lake });
  return `Only if all of the lake was moved there: write ${text} into ${CLAIM} in ${where}, and start again`;
}
