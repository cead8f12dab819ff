/** Under which lease a request comes: what its holder was told as the term. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { Principal } from "../identity/principal.ts";
import { type DoorContext, header } from "./door.ts";

/** Undefined: under none. Throws `request-invalid`, and `forbidden` for whoever is no agent. */
export function termOf(c: DoorContext, principal: Principal): number | undefined {
  const text = header(c, HEADER.lease);
  if (text === undefined) return undefined;
  if (principal.kind !== "agent")
    throw new ProblemError("forbidden", "only agents have leases: leave Tributary-Lease out");
  const term = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(term)) return term;
  throw new ProblemError("request-invalid", `Tributary-Lease: expected a term, not "${text.slice(0, 50)}"`);
}

/** As a delivery or a capture has it: the field is there, or it is not. */
export function underLease(c: DoorContext, principal: Principal): { readonly lease?: number } {
  const lease = termOf(c, principal);
  return lease === undefined ? {} : { lease };
}
