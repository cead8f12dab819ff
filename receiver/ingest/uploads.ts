/**
 * Large files in parts. versionId, date and key are fixed at create; `upload-part.ts` takes the parts,
 * `upload-completer.ts` puts them together. Only the principal that created an upload sees it. Any receiver of the site
 * can take any step.
 */
import { decodePath, requirePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  type DeliveryAnswer,
  type PartAnswer,
  partSizeFor,
  type UploadCreated,
  type UploadRequest,
  type UploadState,
} from "@tributary/shared/protocol.ts";
import type { Principal } from "../identity/principal.ts";
import { objectKey, utcDay } from "../lake/key.ts";
import type { Lake, PartLake } from "../lake/lake.ts";
import type { Ledger, VersionCapture } from "../ledger/ledger.ts";
import { answerOf, bearerOf, rejectLake, requireLease } from "./answer.ts";
import type { Body, StillAllowed, Uploads } from "./ingest.ts";
import { Turns } from "./turns.ts";
import { closed, mustBegin, partCount, partUpload, requireSameContent } from "./upload.ts";
import { Completer, type CompleterParts } from "./upload-completer.ts";
import { PartTaker, type PartTakerParts } from "./upload-part.ts";
import type { UploadRow } from "./upload-rows.ts";
import { clear } from "./upload-spare.ts";

export interface UploadsParts extends PartTakerParts, CompleterParts {
  readonly lake: Pick<Lake, "read" | "copy" | "remove"> & PartLake;
  readonly ledger: Pick<Ledger, "known" | "unchanged" | "holds">;
  readonly now: () => number;
  /** Age in ms after which an untouched upload may be swept. */
  readonly abandonedAfter: number;
}

const CHANNEL = "parts";

export class PartUploads implements Uploads {
  readonly #parts: UploadsParts;
  readonly #taker: PartTaker;
  readonly #completer: Completer;
  readonly #turns = new Turns();

  constructor(parts: UploadsParts) {
    this.#parts = parts;
    this.#taker = new PartTaker(parts);
    this.#completer = new Completer(parts);
  }

  async create(
    principal: Principal,
    client: string,
    request: UploadRequest,
    lease?: number,
  ): Promise<UploadCreated> {
    requirePath(decodePath(request.pathEncoded));
    const partSize = partSizeFor(request.size);
    if (partSize === undefined)
      throw new ProblemError(
        "upload-too-many-parts",
        `10,000 parts of the largest size cannot hold ${request.size} bytes`,
      );
    const turn = `${principal.id} ${client} ${request.captureId}`;
    return await this.#turns.take(
      turn,
      async () => await this.#create(principal, client, request, partSize, lease),
    );
  }

  async #create(
    principal: Principal,
    client: string,
    request: UploadRequest,
    partSize: number,
    lease: number | undefined,
  ): Promise<UploadCreated> {
    const { ledger, committer, rows, room, inspecting, lake, uuid, now } = this.#parts;
    const versionId = uuid();
    const capture: VersionCapture = {
      kind: "version",
      client,
      source: request.source,
      pathEncoded: request.pathEncoded,
      captureId: request.captureId,
      versionId,
      sealedAt: request.sealedAt ?? null,
      channel: CHANNEL,
      bearer: bearerOf(principal, lease),
      size: request.size,
      sha256: request.sha256,
      modifiedAt: request.modifiedAt ?? null,
      key: null,
      ...(lease === undefined ? {} : { lease }),
    };
    const [known] = await ledger.known([capture]);
    if (known !== undefined && known.kind !== "needs-bytes") {
      const answer = answerOf(known);
      await committer.settled(answer.versionId);
      return answer;
    }
    await requireLease(ledger, capture, principal, lease);
    if ((await ledger.unchanged([capture]))[0] === true) {
      const outcome = await committer.commit(capture);
      if (outcome.kind !== "needs-bytes") return answerOf(outcome);
    }
    await inspecting.ready(request.size);
    const begun = await rows.openFor(client, request.captureId, principal.id);
    if (begun) {
      requireSameContent(begun, request);
      if (!mustBegin(inspecting, begun)) return await this.#stateOf(begun);
      if (await rows.abort(begun.id)) await clear(this.#parts, begun);
    }
    await room.check({ client, principal }, request.size);
    const area = inspecting.concerns(request.size) ? "quarantine" : "raw";
    const key = objectKey({ ...capture, date: utcDay(now()) }, area);
    const metadata = { captureId: request.captureId, versionId };
    const handle = await lake.begin(key, metadata).catch(rejectLake);
    const row = await rows.insert({
      id: uuid(),
      client,
      source: request.source,
      path_encoded: request.pathEncoded,
      capture_id: request.captureId,
      version_id: versionId,
      lake_key: key,
      handle,
      size: request.size,
      part_size: partSize,
      sha256: request.sha256,
      modified_at: capture.modifiedAt,
      sealed_at: capture.sealedAt,
      channel: CHANNEL,
      bearer: principal.id,
      state: "open",
    });
    return await this.#stateOf(row);
  }

  async state(principal: Principal, uploadId: string): Promise<UploadState> {
    const row = await this.#own(principal, uploadId);
    if (row.state === "done" || row.state === "aborted") throw closed(row);
    return await this.#stateOf(row);
  }

  async clientOf(principal: Principal, uploadId: string): Promise<string> {
    return (await this.#own(principal, uploadId)).client;
  }

  async part(
    principal: Principal,
    uploadId: string,
    number: number,
    body: Body,
    stillAllowed: StillAllowed,
  ): Promise<PartAnswer> {
    return await this.#taker.take(
      principal,
      await this.#own(principal, uploadId),
      number,
      body,
      stillAllowed,
    );
  }

  async complete(
    principal: Principal,
    uploadId: string,
    stillAllowed: StillAllowed,
    lease?: number,
  ): Promise<DeliveryAnswer> {
    const row = await this.#own(principal, uploadId);
    return await this.#completer.complete(principal, row, stillAllowed, lease);
  }

  async abort(principal: Principal, uploadId: string): Promise<void> {
    const row = await this.#own(principal, uploadId);
    if (row.state === "aborted") return;
    if (!(await this.#parts.rows.abort(uploadId)))
      throw closed((await this.#parts.rows.find(uploadId)) ?? row);
    await this.#parts.lake.abort(partUpload(row)).catch(rejectLake);
  }

  async #own(principal: Principal, uploadId: string): Promise<UploadRow> {
    const row = await this.#parts.rows.find(uploadId);
    if (row === undefined || row.bearer !== principal.id || !principal.clients.includes(row.client))
      throw new ProblemError("upload-unknown", `there is no upload ${uploadId} of these credentials`);
    return row;
  }

  async #stateOf(row: UploadRow): Promise<UploadState> {
    const parts = await this.#parts.rows.parts(row.id);
    return {
      uploadId: row.id,
      partSize: row.part_size,
      partCount: partCount(row),
      parts: parts.map(({ number, size, sha256 }) => ({ number, size, sha256 })),
      expiresAt: new Date(row.touched_at + this.#parts.abandonedAfter).toISOString(),
    };
  }
}
