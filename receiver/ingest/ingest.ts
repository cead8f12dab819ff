/**
 * Ingest: the only way from a door to the lake. The order never changes: bytes durable in the lake -> ledger rows,
 * many in one transaction -> a manifest segment that covers them -> receipts.
 */
import type { ProblemError } from "@tributary/shared/problems.ts";
import type {
  DeliveryAnswer,
  PartAnswer,
  RemovalRequest,
  UploadCreated,
  UploadRequest,
  UploadState,
} from "@tributary/shared/protocol.ts";
import type { Principal } from "../identity/principal.ts";

/** What every delivery says about itself. `client` is already one of the principal's. */
export interface Delivery {
  readonly principal: Principal;
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
  readonly captureId: string;
  readonly modifiedAt: string | null;
  readonly sealedAt: string | null;
  /** How it came: "push" (an agent's PUT), "api", "parts", … */
  readonly channel: string;
  /** The term of the principal's lease of the source, where it brings it under one. */
  readonly lease?: number;
}

/** A body with what was declared of it. Undefined: not declared. */
export interface Body {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly size: number | undefined;
  readonly sha256: string | undefined;
}

/** Most bytes of a file that may come with others through `files`. */
export const SMALL_FILE = 256 * 2 ** 10;

/** A file of at most SMALL_FILE bytes that is here already, whole and in memory. */
export interface SmallFile {
  readonly delivery: Delivery;
  /** Taken over: not to be written to any more. */
  readonly bytes: Buffer;
  /** As declared; undefined: not declared. */
  readonly sha256: string | undefined;
}

/**
 * Throws the reason when the principal may not go on any more: revoked, forked, its client suspended. Asked right
 * before anything is recorded, since bytes may take long from their last one to there.
 */
export type StillAllowed = () => void;

/** What doors need of ingest. Every call but `files` rejects with a ProblemError and has then recorded nothing. */
export interface Ingest {
  file(delivery: Delivery, body: Body, stillAllowed: StillAllowed): Promise<DeliveryAnswer>;
  /**
   * Many at once, with one look into the ledger, one round of syncs and one commit for all: what became of each, in
   * their order. No path and no captureId may be twice among all that is under way from one sender.
   */
  files(
    files: readonly SmallFile[],
    stillAllowed: StillAllowed,
  ): Promise<readonly (DeliveryAnswer | ProblemError)[]>;
  removal(
    principal: Principal,
    client: string,
    request: RemovalRequest,
    channel: string,
    lease?: number,
  ): Promise<DeliveryAnswer>;
}

/** The same for large files in parts. Only the principal that created an upload sees it. */
export interface Uploads {
  create(
    principal: Principal,
    client: string,
    request: UploadRequest,
    lease?: number,
  ): Promise<UploadCreated>;
  state(principal: Principal, uploadId: string): Promise<UploadState>;
  /** Whose file it is. Throws `upload-unknown`. */
  clientOf(principal: Principal, uploadId: string): Promise<string>;
  part(
    principal: Principal,
    uploadId: string,
    number: number,
    body: Body,
    stillAllowed: StillAllowed,
  ): Promise<PartAnswer>;
  complete(
    principal: Principal,
    uploadId: string,
    stillAllowed: StillAllowed,
    lease?: number,
  ): Promise<DeliveryAnswer>;
  abort(principal: Principal, uploadId: string): Promise<void>;
}
