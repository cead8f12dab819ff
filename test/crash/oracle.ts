/**
 * The oracle of the kill tests: given what was really done to the files (truth) and what both sides say came of it
 * (found), it lists every broken promise. It knows nothing of how Tributary works inside.
 */
import type { Entry, ManifestLine } from "@tributary/shared/protocol.ts";

/** One thing that was done to one path, in order. `settled`: it stood long enough, with both sides up, to be owed. */
export interface Deed {
  /** SHA-256 of the content, or null: the file was removed. */
  readonly sha256: string | null;
  readonly settled: boolean;
}

/** pathEncoded -> deeds in the order they were done. */
export type Truth = ReadonlyMap<string, readonly Deed[]>;

export interface Acknowledged {
  readonly pathEncoded: string;
  readonly captureId: string;
  readonly versionId: string;
  readonly status: string;
  readonly sha256: string | null;
}

export interface Found {
  /** In commit order. */
  readonly ledger: readonly Entry[];
  readonly manifest: readonly ManifestLine[];
  /** Lake key -> digest of the bytes that lie there. */
  readonly lake: ReadonlyMap<string, string>;
  /** Every receipt that the agent holds. */
  readonly receipts: readonly Acknowledged[];
}

export interface Violation {
  readonly kind: "lost" | "invented" | "doubled" | "order" | "early-receipt" | "manifest" | "bytes";
  readonly detail: string;
}

export function judge(truth: Truth, found: Found): Violation[] {
  return [...histories(truth, found), ...receipts(found), ...manifest(found), ...bytes(found)];
}

function histories(truth: Truth, found: Found): Violation[] {
  const violations: Violation[] = [];
  const byPath = Map.groupBy(found.ledger, (entry) => entry.pathEncoded);
  for (const path of new Set([...truth.keys(), ...byPath.keys()])) {
    const deeds = truth.get(path) ?? [];
    const entries = byPath.get(path) ?? [];
    const known = new Set(deeds.map((deed) => deed.sha256));
    const invented = entries.filter((entry) => !known.has(contentOf(entry)));
    for (const entry of invented)
      violations.push({ kind: "invented", detail: `${path}: ${contentOf(entry)} was never there` });
    for (let i = 1; i < entries.length; i += 1) {
      const [before, entry] = [entries[i - 1] as Entry, entries[i] as Entry];
      if (contentOf(before) === contentOf(entry))
        violations.push({
          kind: "doubled",
          detail: `${path}: ${entry.versionId} repeats ${before.versionId}`,
        });
    }
    if (invented.length > 0 || explains(deeds, entries.map(contentOf))) continue;
    const owed = deeds.filter((deed) => deed.settled && deed.sha256 !== null);
    const missing = owed.filter((deed) => !entries.some((entry) => contentOf(entry) === deed.sha256));
    violations.push(
      missing.length > 0
        ? {
            kind: "lost",
            detail: `${path}: ${missing.map((deed) => deed.sha256).join(", ")} settled and is not in the ledger`,
          }
        : {
            kind: "order",
            detail: `${path}: done ${deeds.map(short).join(" ")}, in the ledger ${entries.map((e) => short({ sha256: contentOf(e), settled: false })).join(" ")}`,
          },
    );
  }
  return violations;
}

const contentOf = (entry: Entry): string | null => (entry.kind === "removal" ? null : entry.sha256);
const short = (deed: Deed): string => `${deed.sha256?.slice(0, 8) ?? "removed"}${deed.settled ? "!" : ""}`;

/**
 * Whether the entries are the deeds with some left out: in order, each deed at most once, and no settled deed left
 * out unless the ledger then already said the same of this path.
 */
function explains(deeds: readonly Deed[], entries: readonly (string | null)[]): boolean {
  // reachable[i]: the deeds so far can have made exactly the first i entries.
  let reachable = new Set([0]);
  for (const deed of deeds) {
    const next = new Set<number>();
    for (const i of reachable) {
      const newest = i === 0 ? null : (entries[i - 1] as string | null);
      if (i < entries.length && entries[i] === deed.sha256) next.add(i + 1);
      if (!deed.settled || newest === deed.sha256) next.add(i);
    }
    reachable = next;
  }
  return reachable.has(entries.length);
}

function receipts(found: Found): Violation[] {
  const violations: Violation[] = [];
  const byVersion = new Map(found.ledger.map((entry) => [entry.versionId, entry]));
  const captures = new Map<string, number>();
  for (const entry of found.ledger) captures.set(entry.captureId, (captures.get(entry.captureId) ?? 0) + 1);
  for (const [captureId, times] of captures) {
    if (times > 1)
      violations.push({ kind: "doubled", detail: `captureId ${captureId} has ${times} entries` });
  }
  for (const receipt of found.receipts) {
    const entry = byVersion.get(receipt.versionId);
    // A removal of what never arrived changes nothing and names no entry.
    if (receipt.status === "unchanged" && receipt.sha256 === null) continue;
    if (
      entry === undefined ||
      contentOf(entry) !== receipt.sha256 ||
      entry.pathEncoded !== receipt.pathEncoded
    ) {
      violations.push({
        kind: "early-receipt",
        detail: `${receipt.pathEncoded}: receipt for ${receipt.versionId}, which the ledger does not hold so`,
      });
    } else if (receipt.status !== "unchanged" && entry.captureId !== receipt.captureId) {
      violations.push({
        kind: "early-receipt",
        detail: `${receipt.pathEncoded}: receipt of capture ${receipt.captureId}, entry of ${entry.captureId}`,
      });
    }
  }
  return violations;
}

function manifest(found: Found): Violation[] {
  const violations: Violation[] = [];
  const lines = new Map(found.manifest.map((line) => [line.versionId, line]));
  if (lines.size !== found.manifest.length)
    violations.push({ kind: "manifest", detail: "a version stands in the manifest twice" });
  for (const entry of found.ledger) {
    const line = lines.get(entry.versionId);
    if (line === undefined)
      violations.push({
        kind: "manifest",
        detail: `${entry.versionId} is in the ledger, not in the manifest`,
      });
    else if ((Object.keys(entry) as (keyof Entry)[]).some((key) => line[key] !== entry[key])) {
      violations.push({ kind: "manifest", detail: `${entry.versionId} differs between ledger and manifest` });
    }
    lines.delete(entry.versionId);
  }
  for (const versionId of lines.keys())
    violations.push({ kind: "manifest", detail: `${versionId} is in the manifest, not in the ledger` });
  const bySeq = [...found.manifest].sort((a, b) => a.seq - b.seq).map((line) => line.versionId);
  if (violations.length === 0 && bySeq.join() !== found.ledger.map((entry) => entry.versionId).join()) {
    violations.push({ kind: "manifest", detail: "the manifest's seq gives another order than the ledger" });
  }
  return violations;
}

function bytes(found: Found): Violation[] {
  return found.ledger.flatMap((entry): Violation[] => {
    if (entry.kind === "removal") return [];
    const digest = found.lake.get(entry.key ?? "");
    if (digest === entry.sha256) return [];
    return [
      {
        kind: "bytes",
        detail: `${entry.versionId}: ${digest === undefined ? "no object" : `object has ${digest}`} at ${entry.key}`,
      },
    ];
  });
}
