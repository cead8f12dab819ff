/**
 * The ledger: the append-only record of what the lake holds and who brought it. One implementation in Kysely over
 * two dialects (`sqlite.ts`, `postgres.ts`). Invariants:
 *  - `seq` is given under one lock held to the commit, so a reader that follows from its cursor never misses an entry;
 *  - `receivedAt` is the database's time at the commit, made monotone: it is the order that `asOf` means;
 *  - one captureId per client has one content, for ever; its receipt's text is stored and given back unchanged;
 *  - entries are never changed or deleted.
 */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { Entry, ManifestLine } from "@tributary/shared/protocol.ts";
import type { ReceiptClaims } from "@tributary/shared/receipt.ts";

/** Who brought a capture: an agent, an API key or an SFTP account. `seesAll`: it may read others' content of this source. */
export interface Bearer {
  readonly id: string;
  readonly seesAll: boolean;
}

interface CaptureBase {
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
  readonly captureId: string;
  /** Made by the receiver, UUIDv7; becomes the entry's id if this capture makes one. */
  readonly versionId: string;
  /** RFC 3339 as the sender said. */
  readonly sealedAt: string | null;
  /** RFC 3339: when the file was last changed, or vanished, as the sender said. */
  readonly modifiedAt: string | null;
  readonly channel: string;
  readonly bearer: Bearer;
  /** The term of its bearer's lease of the source, where it brings it under one: it must have that at the commit. */
  readonly lease?: number;
}

/** A version whose bytes are durable in the lake at `key`, or (`key: null`) known to equal the newest version. */
export interface VersionCapture extends CaptureBase {
  readonly kind: "version";
  readonly size: number;
  readonly sha256: string;
  readonly key: string | null;
  /** What inspection found: its bytes lie in quarantine at `key`, and no entry is made of them. */
  readonly finding?: string;
  /** It is the held one of this versionId, on its way out of quarantine: its bytes lie at `key` now. */
  readonly release?: Release;
}

/** Who lets a file out of quarantine, and why. */
export interface Release {
  readonly by: string;
  readonly reason: string;
  /** Also when its path has got a newer entry since it came. */
  readonly overNewer: boolean;
}

export interface RemovalCapture extends CaptureBase {
  readonly kind: "removal";
  /** Its bearer may hear that there was nothing to remove, though another brought it or removed it. */
  readonly hearsOfNothing: boolean;
}

export type Capture = VersionCapture | RemovalCapture;

/** What is said of a capture that is held, or was discarded. */
export type InQuarantine =
  | { readonly kind: "held"; readonly id: string; readonly finding: string }
  | { readonly kind: "discarded"; readonly id: string; readonly finding: string; readonly reason: string };

/**
 * What the commit made of one capture.
 *  - `committed`: a new entry; `entry` and its receipt are durable;
 *  - `unchanged`: no new entry (equal bytes; or a removal of what is not there); remembered with its receipt;
 *  - `repeated`: this captureId with this content was committed before: the receipt of then;
 *  - `held`: these bytes, under this captureId, are in quarantine as `id`: put there just now when that is the capture's
 *    versionId, else before;
 *  - `discarded`: they were, and an operator discarded them;
 *  - `needs-bytes`: `key` was null, but the newest version is no longer equal: put the bytes and come again;
 *  - `refused`: nothing was recorded.
 */
export type Outcome =
  | { readonly kind: "committed"; readonly entry: Entry; readonly receipt: string }
  | { readonly kind: "unchanged" | "repeated"; readonly receipt: string; readonly claims: ReceiptClaims }
  | InQuarantine
  | { readonly kind: "needs-bytes" }
  | {
      readonly kind: "refused";
      readonly code: ProblemCode;
      readonly detail: string;
      readonly retryAfter?: number;
    };

/** A group commit's entries, to be written to the manifest before its receipts leave. */
export interface Segment {
  readonly id: string;
  /** UTC day, YYYY-MM-DD. */
  readonly date: string;
  readonly lines: readonly ManifestLine[];
}

export interface Committed {
  /** One per capture, in their order. */
  readonly outcomes: readonly Outcome[];
  /** Undefined when the commit made no entry. */
  readonly segment: Segment | undefined;
}

export type SignReceipt = (claims: Omit<ReceiptClaims, "iss">) => string;

/** What ingest needs of the ledger. */
export interface Ledger {
  /** One transaction for all captures, in their order. Rejects when nothing at all was recorded. */
  commit(captures: readonly Capture[], sign: SignReceipt): Promise<Committed>;
  /**
   * What each captureId made before, in their order; undefined: nothing. `refused` when it was other content
   * (`sha256: null` = not known yet, or a removal).
   */
  known(captures: readonly Naming[]): Promise<readonly (Outcome | undefined)[]>;
  /** Of each, whether the newest entry of its path is a version of these bytes that its bearer may know of. */
  unchanged(captures: readonly Comparing[]): Promise<readonly boolean[]>;
  /** Whether nobody has taken the lease over: what the commit asks again. */
  holds(lease: Holding): Promise<boolean>;
}

/** A lease as its holder names it. */
export interface Holding {
  readonly client: string;
  readonly source: string;
  readonly agentId: string;
  readonly term: number;
}

export interface Naming extends Pick<Capture, "client" | "source" | "pathEncoded" | "captureId"> {
  readonly kind: "version" | "removal";
  readonly sha256: string | null;
}

export type Comparing = Pick<
  VersionCapture,
  "client" | "source" | "pathEncoded" | "sha256" | "size" | "bearer"
>;

/** What the manifest needs: the segments whose objects are not known to be written. */
export interface Segments {
  /** Segments committed at least `olderThanMs` ago and not marked; all when 0. One at a time: there may be a day's. */
  unwritten(olderThanMs: number): AsyncIterable<Segment>;
  /** One of them; undefined when it is marked meanwhile. */
  read(id: string): Promise<Segment | undefined>;
  markWritten(ids: readonly string[]): Promise<void>;
}

/** Whose entries a reader sees. */
export interface Scope {
  readonly clients: readonly string[] | "all";
  readonly source?: string;
  /** Only what this agent, key or account brought. */
  readonly broughtBy?: string;
}

export interface HistoryQuery extends Scope {
  readonly pathEncoded?: string;
  /** Entries committed at or before this time (RFC 3339). */
  readonly asOf?: string;
  /** Only the newest entry of each path (as of `asOf`), and only where that is a version. */
  readonly latest?: boolean;
  /** With `latest`: also where it is a removal. */
  readonly removals?: boolean;
  /** Only entries with a higher seq: every page is a keyset on the commit order. */
  readonly after?: number;
  readonly limit: number;
}

export interface HistoryPage {
  readonly entries: readonly Entry[];
  /** Undefined when this was the last page. */
  readonly next: number | undefined;
}

/** What readers need: doors, console, `history`, `verify`. */
export interface History {
  page(query: HistoryQuery): Promise<HistoryPage>;
  /** An entry with its receipt. */
  version(versionId: string): Promise<ManifestLine | undefined>;
  /** Entries with seq > `after` in commit order, at most `limit`, of what the scope sees; never a gap that is filled later. */
  since(after: number, limit: number, scope?: Scope): Promise<readonly ManifestLine[]>;
  /** The highest committed seq, and the epoch that cursors carry. */
  position(): Promise<{ readonly epoch: string; readonly seq: number }>;
  /** Which of these versions have an entry (for the sweep). */
  named(versionIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** What tells whether the ledger knows all that the lake holds. */
export interface Coverage {
  /** Which of these segments the ledger has. */
  known(segmentIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** UTC day of the newest segment; undefined when there is none. */
  newestDay(): Promise<string | undefined>;
}
