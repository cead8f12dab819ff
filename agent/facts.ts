/** What happened, as typed facts in the past tense; log, metrics, status and heartbeat derive from them. */
import type { ProblemCode } from "@tributary/shared/problems.ts";

export type Fact =
  | {
      readonly kind: "ScanFinished";
      readonly source: string;
      readonly files: number;
      readonly folders: number;
      readonly ms: number;
      readonly complete: boolean;
    }
  /** It is shared with other agents: whether it is looked through here. */
  | {
      readonly kind: "SourceShared";
      readonly client: string;
      readonly source: string;
      readonly detail: string;
    }
  /** Something that its administrator should know, such as a server without encryption. */
  | { readonly kind: "SourceWarned"; readonly source: string; readonly detail: string }
  | { readonly kind: "WatchFailed"; readonly source: string; readonly reason: string }
  | {
      readonly kind: "SourceHealthChanged";
      readonly source: string;
      readonly healthy: boolean;
      readonly reason: string;
    }
  /** Nothing is removed until it is accepted, or the folder of before is back. */
  | { readonly kind: "RootChanged"; readonly source: string; readonly detail: string }
  /** `accepted` by add-folder, or else the folder of before is back. */
  | { readonly kind: "RootTaken"; readonly source: string; readonly accepted: boolean }
  | {
      readonly kind: "FileHeldBack";
      readonly source: string;
      readonly path: Buffer;
      readonly code: ProblemCode;
      readonly detail: string;
    }
  | { readonly kind: "FileRecovered"; readonly source: string; readonly path: Buffer }
  /** It was sealed, but vanished before its bytes could be sent, and the receiver never had it: no removal follows. */
  | { readonly kind: "FileVanishedUnsent"; readonly source: string; readonly path: Buffer }
  | {
      readonly kind: "ParcelSealed";
      readonly source: string;
      readonly path: Buffer;
      readonly captureId: string;
      readonly size: number;
      readonly snapshot: boolean;
    }
  | {
      readonly kind: "RemovalSealed";
      readonly source: string;
      readonly path: Buffer;
      readonly captureId: string;
    }
  | {
      readonly kind: "ParcelDelivered";
      readonly what: "version" | "removal";
      readonly source: string;
      readonly path: Buffer;
      readonly captureId: string;
      readonly size: number;
      readonly status: string;
      readonly ms: number;
    }
  | {
      readonly kind: "ParcelPostponed";
      readonly source: string;
      readonly path: Buffer;
      readonly captureId: string;
      readonly code: ProblemCode;
      readonly detail: string;
      readonly forMs: number;
    }
  | {
      readonly kind: "ParcelSuperseded";
      readonly source: string;
      readonly path: Buffer;
      readonly captureId: string;
    }
  | {
      readonly kind: "ParcelSetAside";
      readonly source: string;
      readonly path: Buffer;
      readonly captureId: string;
      readonly code: ProblemCode;
      readonly detail: string;
      /** When it goes again by itself; undefined: never. */
      readonly forMs: number | undefined;
    }
  /** It was set aside, and a younger capture of its path is delivered: it is dropped with its copy. */
  | {
      readonly kind: "ParcelOvertaken";
      readonly source: string;
      readonly path: Buffer;
      readonly captureId: string;
    }
  | {
      readonly kind: "AfterActionDone";
      readonly source: string;
      readonly path: Buffer;
      readonly action: string;
    }
  | {
      readonly kind: "AfterActionSkipped";
      readonly source: string;
      readonly path: Buffer;
      readonly action: string;
      readonly reason: string;
    }
  /** The centre asked for it; `by` whom there. */
  | {
      readonly kind: "CommandDone";
      readonly command: string;
      readonly source: string | undefined;
      readonly by: string;
      readonly ok: boolean;
      readonly detail: string;
    }
  /** Nothing leaves from here on, as somebody at the centre wished. */
  | { readonly kind: "AgentPaused"; readonly by: string }
  | { readonly kind: "AgentResumed" }
  /** A fault of this program; `detail` with its stack. What it was doing goes on. */
  | { readonly kind: "FaultFound"; readonly where: string; readonly detail: string }
  | { readonly kind: "ReceiverLost"; readonly code: ProblemCode; readonly detail: string }
  | { readonly kind: "ReceiverBack" }
  | { readonly kind: "AgentStopped"; readonly code: ProblemCode; readonly detail: string }
  | { readonly kind: "ClockSkewed"; readonly skewMs: number }
  | { readonly kind: "ConfigurationTaken"; readonly sources: readonly string[] }
  | { readonly kind: "ConfigurationRefused"; readonly detail: string };

export type Report = (fact: Fact) => void;
