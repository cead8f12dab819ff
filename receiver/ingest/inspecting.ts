/** Inspection as ingest uses it: which files it concerns, what becomes of those that are too large for it, and what is told of it. */
import { formatBytes } from "@tributary/shared/units.ts";
import type { Inspector, Verdict } from "../inspection/inspection.ts";
import type { Report } from "./facts.ts";
import { Gauge } from "./gauge.ts";
import { SMALL_FILE } from "./ingest.ts";

export interface Inspecting {
  /** Whether a file of this size must not be seen in the lake before there is a finding, or none. */
  concerns(size: number): boolean;
  /** Before many bytes are taken in for nothing (`size` undefined: nobody said). Rejects with `inspection-unavailable`. */
  ready(size: number | undefined): Promise<void>;
  /** Why the file is to be held; undefined: it may be published. Rejects with `inspection-unavailable`. */
  finding(bytes: AsyncIterable<Uint8Array>, size: number): Promise<string | undefined>;
}

/** Nobody looks into anything. */
export const uninspected: Inspecting = {
  concerns: () => false,
  ready: async () => {},
  finding: async () => undefined,
};

const LOOK_EVERY_MS = 1000;

/** `larger`: what becomes of files that the inspector does not look into. */
export function inspecting(inspector: Inspector, larger: "quarantine" | "pass", report: Report): Inspecting {
  const { largest } = inspector;
  const passes = (size: number): boolean => larger === "pass" && size > largest;
  const answers = new Gauge(
    () => inspector.check(),
    LOOK_EVERY_MS,
    () => performance.now(),
  );
  return {
    concerns: (size) => !passes(size),

    async ready(size) {
      if (size === undefined || (size > SMALL_FILE && size <= largest)) await answers.look();
    },

    async finding(bytes, size) {
      const from = performance.now();
      let verdict: Verdict;
      try {
        verdict = await inspector.inspect(bytes, size);
      } catch (error) {
        report({ kind: "InspectionFailed", error });
        throw error;
      }
      report({ kind: "Inspected", verdict: verdict.kind, bytes: size, ms: performance.now() - from });
      if (verdict.kind === "found") return verdict.finding;
      if (verdict.kind === "clean" || larger === "pass") return undefined;
      return `too large to be inspected (${formatBytes(size)})`;
    },
  };
}
