/** What becomes of one capture: the rules of the ledger as a pure function over what the commit knows. */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import {
  type BearerRow,
  type ClientRow,
  type Head,
  type HeldCapture,
  type KnownCapture,
  standingOf,
  type UsageRow,
} from "./batch.ts";
import { isHeld, type LeaseRow, lostLease } from "./leases.ts";
import type { Capture, InQuarantine, VersionCapture } from "./ledger.ts";
import type { Newer } from "./newer.ts";

/** In bytes; null is no bound. What a client has no quota of its own for. */
export interface Quotas {
  readonly stored: number | null;
  readonly day: number | null;
  readonly file: number | null;
}

export interface Situation {
  /** What this captureId made before. */
  readonly known: KnownCapture | undefined;
  /** Its content is in quarantine, or was and is discarded. */
  readonly held: HeldCapture | undefined;
  /** Of a release: what its path has got since it came. */
  readonly newer: Newer | undefined;
  readonly client: ClientRow | undefined;
  readonly head: Head | undefined;
  readonly usage: UsageRow | undefined;
  /** Who brings it: its own limits and what it brought, undefined when there is neither. */
  readonly bearer: BearerRow | undefined;
  /** Of its source; looked up where the capture comes under one. */
  readonly lease: LeaseRow | undefined;
  readonly defaults: Quotas;
  /** Time of the commit, ms. */
  readonly now: number;
}

interface Refused {
  readonly kind: "refused";
  readonly code: ProblemCode;
  readonly detail: string;
  readonly retryAfter?: number;
}

export type Decision =
  | { readonly kind: "new" | "needs-bytes" }
  /** To be put into quarantine. */
  | { readonly kind: "hold"; readonly finding: string }
  | InQuarantine
  | { readonly kind: "unchanged"; readonly versionId: string }
  | { readonly kind: "repeated"; readonly receipt: string }
  | Refused;

/** `hash` is the path's. */
export function decide(capture: Capture, hash: string, situation: Situation): Decision {
  const { known, held, client, head } = situation;
  const content = capture.kind === "version" ? capture : { sha256: null, size: null };
  const again = { ...content, kind: capture.kind, source: capture.source, path_hash: hash };
  if (known !== undefined)
    return sameCapture(known, again) ? { kind: "repeated", receipt: known.receipt } : conflict(capture);
  const release = capture.kind === "version" ? capture.release : undefined;
  if (release !== undefined && (held?.id !== capture.versionId || held.state !== "held"))
    return { kind: "refused", code: "not-found", detail: `${capture.versionId} is not in quarantine` };
  if (held !== undefined && release === undefined)
    return sameCapture(held, again) ? standingOf(held) : conflict(capture);
  // What is known already changes nothing; anything else of an agent that was paused, and lost its lease meanwhile, would.
  if (
    capture.lease !== undefined &&
    !isHeld(situation.lease, { agentId: capture.bearer.id, term: capture.lease })
  )
    return { kind: "refused", code: "lease-lost", detail: lostLease(capture) };
  if (client === undefined)
    return {
      kind: "refused",
      code: "client-not-allowed",
      detail: `there is no client "${capture.client}"`,
    };
  if (client.suspended_at !== null)
    return {
      kind: "refused",
      code: "client-suspended",
      detail: `the client "${capture.client}" is suspended; nothing was recorded`,
      retryAfter: 15,
    };
  if (capture.kind === "removal") {
    if (head?.kind === "version") return { kind: "new" };
    // Told to others, it would say whether somebody's path is there.
    if (!capture.hearsOfNothing && head?.bearer !== capture.bearer.id) return { kind: "new" };
    return { kind: "unchanged", versionId: head?.version_id ?? capture.versionId };
  }
  if (head !== undefined && equals(head, capture)) return { kind: "unchanged", versionId: head.version_id };
  if (capture.key === null) return { kind: "needs-bytes" };
  // Its bytes count since they came into quarantine.
  if (release !== undefined) return overNewer(capture, situation.newer) ?? { kind: "new" };
  const { finding } = capture;
  return (
    quotaFault(capture, client, situation) ??
    (finding === undefined ? { kind: "new" } : { kind: "hold", finding })
  );
}

/** To release an old state over a newer one is seldom meant. */
function overNewer({ release, versionId }: VersionCapture, newer: Newer | undefined): Refused | undefined {
  return newer === undefined || release?.overNewer === true ? undefined : newerFault(versionId, newer);
}

export function newerFault(id: string, { kind, version_id }: Newer): Refused {
  const what =
    version_id !== null
      ? `the path of ${id} has got a newer ${kind} (${version_id}) since it came`
      : kind === "version"
        ? `since ${id} came, its path was found with the content of its newest version again`
        : `since ${id} came, its path was found to be gone`;
  return {
    kind: "refused",
    code: "path-newer",
    detail: `${what}; released, the older content would be its newest: if that is meant, add --over-newer`,
  };
}

/** Whether the newest entry of the path has these bytes and this bearer may know that. */
export function equals(
  head: Pick<Head, "kind" | "sha256" | "size" | "bearer">,
  capture: Pick<VersionCapture, "sha256" | "size" | "bearer">,
): boolean {
  return (
    head.kind === "version" &&
    head.sha256 === capture.sha256 &&
    head.size === capture.size &&
    (capture.bearer.seesAll || head.bearer === capture.bearer.id)
  );
}

type Content = Pick<KnownCapture, "source" | "path_hash" | "kind" | "sha256" | "size">;

/** Whether a captureId comes again with the content it had. */
export function sameCapture(known: Content, again: Content): boolean {
  return (
    known.source === again.source &&
    known.path_hash === again.path_hash &&
    known.kind === again.kind &&
    known.sha256 === again.sha256 &&
    known.size === again.size
  );
}

export function conflict(capture: Pick<Capture, "client" | "captureId">): Refused {
  return {
    kind: "refused",
    code: "capture-conflict",
    detail: `the captureId "${capture.captureId}" of the client "${capture.client}" was used with other content; nothing was recorded: give every capture an id of its own`,
  };
}

/** Retry-After of a quota that nothing changes before somebody agrees on another one. */
export const AGREED_ANEW_SECONDS = 3600;

function quotaFault(
  capture: VersionCapture,
  client: ClientRow,
  { usage, bearer, defaults, now }: Situation,
): Refused | undefined {
  const refused = (code: ProblemCode, detail: string, retryAfter?: number): Refused => ({
    kind: "refused",
    code,
    detail: `${detail}; this file has ${formatBytes(capture.size)}; nothing was recorded`,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
  const narrower = bearer?.quota_file ?? null;
  if (narrower !== null && capture.size > narrower)
    return refused(
      "quota-file",
      `the largest file that the agent, key or account "${capture.bearer.id}" may bring is ${formatBytes(narrower)}`,
      AGREED_ANEW_SECONDS,
    );
  const file = client.quota_file ?? defaults.file;
  if (file !== null && capture.size > file)
    return refused(
      "quota-file",
      `the largest file of the client "${client.name}" is ${formatBytes(file)}`,
      AGREED_ANEW_SECONDS,
    );
  const today = new Date(now).toISOString().slice(0, 10);
  const tomorrow = Math.ceil((Date.parse(today) + 86_400_000 - now) / 1000);
  const broughtBytes = bearer?.day === today ? bearer.day_bytes : 0;
  const overDay = (who: string, brought: number, most: number): Refused =>
    capture.size > most
      ? refused(
          "quota-day",
          `${who} may bring ${formatBytes(most)} a day (UTC), and no day takes more`,
          AGREED_ANEW_SECONDS,
        )
      : refused(
          "quota-day",
          `${who} has brought ${formatBytes(brought)} of ${formatBytes(most)} for today (UTC)`,
          tomorrow,
        );
  const ownDay = bearer?.quota_day ?? null;
  if (ownDay !== null && broughtBytes + capture.size > ownDay)
    return overDay(`the agent, key or account "${capture.bearer.id}"`, broughtBytes, ownDay);
  const dayBytes = usage?.day === today ? usage.day_bytes : 0;
  const day = client.quota_day ?? defaults.day;
  if (day !== null && dayBytes + capture.size > day)
    return overDay(`the client "${client.name}"`, dayBytes, day);
  const stored = client.quota_stored ?? defaults.stored;
  const storedBytes = usage?.stored_bytes ?? 0;
  if (stored !== null && storedBytes + capture.size > stored)
    return refused(
      "quota-stored",
      `the client "${client.name}" has stored ${formatBytes(storedBytes)} of ${formatBytes(stored)}`,
      AGREED_ANEW_SECONDS,
    );
  return undefined;
}
