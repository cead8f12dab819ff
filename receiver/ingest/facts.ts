/** What happened in ingest, past tense: the log and the metrics derive from it, so that neither is woven into the work. */
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";

export type Fact =
  | {
      readonly kind: "Delivered";
      readonly channel: string;
      readonly status: DeliveryAnswer["status"];
      readonly bytes: number;
      readonly ms: number;
    }
  | {
      readonly kind: "Inspected";
      /** `larger`: nobody looked into it. */
      readonly verdict: "clean" | "found" | "larger";
      readonly bytes: number;
      readonly ms: number;
    }
  | { readonly kind: "InspectionFailed"; readonly error: unknown }
  | {
      readonly kind: "Quarantined";
      readonly id: string;
      readonly client: string;
      readonly source: string;
      readonly pathEncoded: string;
      readonly finding: string;
    }
  | { readonly kind: "Committed"; readonly captures: number; readonly ms: number }
  | { readonly kind: "SegmentWritten"; readonly lines: number; readonly ms: number }
  | { readonly kind: "SegmentFailed"; readonly segment: string; readonly error: unknown }
  | { readonly kind: "SpareLeft"; readonly key: string; readonly error: unknown }
  /** One thing that the sweep could not take away; it is tried again the next time. */
  | { readonly kind: "SweepSkipped"; readonly what: string; readonly error: unknown }
  /** A whole sweep did not take place: the ledger does not know the whole lake, or one of them does not answer. */
  | { readonly kind: "SweepFailed"; readonly error: unknown }
  | {
      readonly kind: "Swept";
      readonly uploads: number;
      readonly multiparts: number;
      readonly objects: number;
      readonly skipped: number;
    };

export type Report = (fact: Fact) => void;
