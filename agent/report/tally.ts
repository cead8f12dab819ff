/** Facts counted and remembered as far as `status` shows them. */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { Fact } from "../facts.ts";

export interface Tally {
  readonly trouble: { readonly code: ProblemCode; readonly detail: string; readonly since: string } | null;
  readonly refused: string | null;
  readonly delivered: number;
  readonly bytes: number;
}

export const EMPTY_TALLY: Tally = { trouble: null, refused: null, delivered: 0, bytes: 0 };

/** The tally after this fact. */
export function tallied(tally: Tally, fact: Fact, now: Date): Tally {
  switch (fact.kind) {
    case "ReceiverLost":
    case "AgentStopped":
      return { ...tally, trouble: { code: fact.code, detail: fact.detail, since: now.toISOString() } };
    case "ReceiverBack":
      return { ...tally, trouble: null };
    case "ConfigurationRefused":
      return { ...tally, refused: fact.detail };
    case "ConfigurationTaken":
      return { ...tally, refused: null };
    case "ParcelDelivered":
      return { ...tally, delivered: tally.delivered + 1, bytes: tally.bytes + fact.size };
    default:
      return tally;
  }
}
