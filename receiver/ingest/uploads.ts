/**
 * Large files in parts. versionId, date and key are fixed at create; every part is verified on arrival; the whole
 * digest is the lake's own finding when the parts are put together. Only the principal that created an upload
 * sees it. Any receiver of the site can take any step.
 * What is to be inspected is put together in quarantine, and has its key below `raw/` only when nothing was found.
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
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Principal } from "../identity/principal.ts";
import { isInQuarantine, objectKey, releasedKey, utcDay } from "../lake/key.ts";
import type { Lake, PartLake, PartUpload } from "../lake/lake.ts";
import type { History, Ledger, Outcome, VersionCapture } from "../ledger/ledger.ts";
import type { Quarantine } from "../ledger/quarantine.ts";
import { answerOf, bearerOf, lakeProblem, quarantinedFact } from "./answer.ts";
import type { Committer } from "./committer.ts";
import type { Report } from "./facts.ts";
import { requireDigest } from "./files.ts";
import type { Body, StillAllowed, Uploads } from "./ingest.ts";
import type { Inspecting } from "./inspecting.ts";
import { measured } from "./measured.ts";
import type { Room } from "./room.ts";
import { Turns } from "./turns.ts";
import { LEASE_MS, type PartRow, type UploadRow, type UploadRows } from "./upload-rows.ts";

export interface UploadsParts {
  readonly lake: Pick<Lake, "read" | "copy" | "remove"> & PartLake;
  readonly ledger: Pick<Ledger, "known" | "unchanged">;
  readonly history: Pick<History, "named">;
  readonly quarantine: Pick<Quarantine, "held">;
  readonly committer: Committer;
  readonly rows: UploadRows;
  readonly room: Room;
  readonly inspecting: Inspecting;
  readonly uuid: MakeUuid;
  readonly now: () => number;
  readonly report: Report;
  /** Age in ms after which an untouched upload may be swept. */
  readonly abandonedAfter: number;
}

const CHANNEL = "parts";

export class PartUploads implements Uploads {
  readonly #parts: UploadsParts;
  readonly #turns = new Turns();
  /** Completions under way here: who asks again meanwhile shares the answer. */
  readonly #completing = new Map<string, Promise<DeliveryAnswer>>();

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  async create(principal: Principal, client: string, request: UploadRequest): Promise<UploadCreated> {
    requirePath(decodePath(request.pathEncoded));
    const partSize = partSizeFor(request.size);
    if (partSize === undefined)
      throw new ProblemError(
        "upload-too-many-parts",
        `10,000 parts of the largest size cannot hold ${request.size} bytes`,
      );
    const turn = `${principal.id} ${client} ${request.captureId}`;
    return await this.#turns.take(turn, async () => await this.#create(principal, client, request, partSize));
  }

  async #create(
    principal: Principal,
    client: string,
    request: UploadRequest,
    partSize: number,
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
      bearer: bearerOf(principal),
      size: request.size,
      sha256: request.sha256,
      modifiedAt: request.modifiedAt ?? null,
      key: null,
    };
    const [known] = await ledger.known([capture]);
    if (known !== undefined && known.kind !== "needs-bytes") {
      const answer = answerOf(known);
      await committer.settled(answer.versionId);
      return answer;
    }
    if ((await ledger.unchanged([capture]))[0] === true) {
      const outcome = await committer.commit(capture);
      if (outcome.kind !== "needs-bytes") return answerOf(outcome);
    }
    await inspecting.ready(request.size);
    const begun = await rows.openFor(client, request.captureId, principal.id);
    if (begun) {
      requireSameContent(begun, request);
      if (!this.#mustBegin(begun)) return await this.#stateOf(begun);
      if (await rows.abort(begun.id)) await this.#clear(begun);
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
    const row = await this.#own(principal, uploadId);
    if (row.state !== "open") throw closed(row);
    const expected = partBytes(row, number);
    if (body.size !== undefined && body.size !== expected) throw partSizeProblem(number, expected, body.size);
    // A part that comes again, its answer lost, takes no room of the quota a second time.
    const there = await this.#parts.rows.part(uploadId, number);
    const bringer = { client: row.client, principal };
    const claim = await this.#parts.room.claim(bringer, expected, there === undefined ? expected : 0);
    try {
      let total = 0;
      const staged = await this.#parts.lake
        .stagePart(
          partUpload(row),
          number,
          measured(body, async (bytes) => {
            total += bytes;
            if (total > expected) throw partSizeProblem(number, expected, undefined);
            await claim.arrived(bytes);
          }),
        )
        .catch((cause: unknown) => this.#partFailed(row, cause));
      let consumed = false;
      try {
        if (staged.size !== expected) throw partSizeProblem(number, expected, staged.size);
        requireDigest(body, staged);
        const answer = { number, size: staged.size, sha256: staged.sha256 };
        return await this.#turns.take(`${uploadId} ${number}`, async () => {
          const before = await this.#parts.rows.part(uploadId, number);
          if (before) return samePart(before, answer);
          stillAllowed();
          consumed = true;
          const tag = await this.#parts.lake
            .part(partUpload(row), number, staged)
            .catch((cause: unknown) => this.#partFailed(row, cause));
          const stands = await this.#parts.rows.addPart({ upload_id: uploadId, ...answer, tag });
          if (stands === undefined) throw closed({ ...row, state: "completing" });
          claim.recorded();
          return samePart(stands, answer);
        });
      } finally {
        if (!consumed) await staged.discard();
      }
    } finally {
      claim.release();
    }
  }

  /** An upload that the store has no more takes no part ever again. */
  async #partFailed(row: UploadRow, cause: unknown): Promise<never> {
    const gone = cause instanceof ProblemError && cause.code === "upload-unknown";
    if (gone) await this.#parts.rows.lost(row.id);
    return await rejectLake(cause);
  }

  async complete(
    principal: Principal,
    uploadId: string,
    stillAllowed: StillAllowed,
  ): Promise<DeliveryAnswer> {
    const row = await this.#own(principal, uploadId);
    const begun = this.#completing.get(uploadId);
    if (begun) return await begun;
    const completing = this.#complete(principal, row, stillAllowed).finally(() =>
      this.#completing.delete(uploadId),
    );
    this.#completing.set(uploadId, completing);
    return await completing;
  }

  async #complete(principal: Principal, row: UploadRow, stillAllowed: StillAllowed): Promise<DeliveryAnswer> {
    const { rows, report, uuid } = this.#parts;
    const from = performance.now();
    const before = await this.#committedBefore(row);
    if (before) return before;
    if (row.state === "aborted" || row.state === "done") throw closed(row);
    if (this.#mustBegin(row)) {
      if (await rows.abort(row.id)) await this.#clear(row);
      throw closed((await rows.find(row.id)) ?? row);
    }
    requireAllParts(row, await rows.parts(row.id));
    const lease = uuid();
    if (!(await rows.lease(row.id, lease))) return await this.#taken(row);
    const renewing = setInterval(() => void rows.renew(row.id, lease).catch(() => {}), LEASE_MS / 3);
    try {
      const outcome = await this.#assemble(principal, row, lease, stillAllowed);
      if (outcome.kind === "refused") answerOf(outcome);
      if (await rows.leave(row.id, lease, "done")) await this.#removeSpare(row);
      if (outcome.kind === "held" && outcome.id === row.version_id)
        report(quarantinedFact(outcome, captureOf(row, false)));
      const answer = answerOf(outcome);
      report({
        kind: "Delivered",
        channel: row.channel,
        status: answer.status,
        bytes: row.size,
        ms: performance.now() - from,
      });
      return answer;
    } catch (error) {
      // A failure that another attempt may not meet leaves the upload open (so does a revocation: the agent may come
      // back with a new code, else the sweep takes it); the rest cannot become a version.
      const final = error instanceof ProblemError && !error.retry && isAllowed(stillAllowed);
      const left = await rows.leave(row.id, lease, final ? "aborted" : "open").catch(() => false);
      if (final && left) await this.#clear(row);
      throw error;
    } finally {
      clearInterval(renewing);
    }
  }

  async #assemble(
    principal: Principal,
    row: UploadRow,
    lease: string,
    stillAllowed: StillAllowed,
  ): Promise<Outcome> {
    const { lake, committer, rows } = this.#parts;
    const stored = await rows.parts(row.id);
    await lake.complete(partUpload(row), stored, row.sha256).catch(rejectLake);
    const found = await this.#inspected(row).catch(rejectLake);
    // Never name an object that the sweep may have taken for spare meanwhile.
    if (!(await rows.renew(row.id, lease))) throw closed((await rows.find(row.id)) ?? row);
    stillAllowed();
    return await committer.commit({ ...captureOf(row, bearerOf(principal).seesAll), ...found });
  }

  /** The key under which the object may be named now, and why it is held where that is still in quarantine. */
  async #inspected(row: UploadRow): Promise<Pick<VersionCapture, "key" | "finding">> {
    const { lake, inspecting } = this.#parts;
    if (!isInQuarantine(row.lake_key)) return { key: row.lake_key };
    const finding = await inspecting.finding(this.#contentOf(row.lake_key), row.size);
    if (finding !== undefined) return { key: row.lake_key, finding };
    const key = releasedKey(row.lake_key);
    await lake.copy(row.lake_key, key);
    return { key };
  }

  /** Opened when its turn has come: many may wait for theirs, and a store lets no connection wait for long. */
  async *#contentOf(key: string): AsyncGenerator<Uint8Array> {
    const bytes = await this.#parts.lake.read(key);
    if (bytes === undefined) throw new ProblemError("lake-unavailable", `the lake does not give ${key} back`);
    try {
      yield* bytes as AsyncIterable<Uint8Array>;
    } finally {
      bytes.destroy();
    }
  }

  /** It was begun below `raw/`, before there was an inspection: nothing is put together there any more. */
  #mustBegin(row: UploadRow): boolean {
    return this.#parts.inspecting.concerns(row.size) && !isInQuarantine(row.lake_key);
  }

  /** The receipt of a commit whose answer was lost, or of the same capture that came another way. */
  async #committedBefore(row: UploadRow): Promise<DeliveryAnswer | undefined> {
    if (row.state === "aborted") return undefined;
    const { ledger, committer, rows, lake } = this.#parts;
    const [known] = await ledger.known([captureOf(row, false)]);
    const ended = async (versionId: string): Promise<void> => {
      if (row.state === "done") return;
      if (versionId === row.version_id) await rows.committed(row.id);
      else if (await rows.abort(row.id)) await lake.abort(partUpload(row)).catch(() => {});
    };
    if (known?.kind === "held" || known?.kind === "discarded") await ended(known.id);
    if (known === undefined || known.kind === "needs-bytes" || known.kind === "refused") return undefined;
    const answer = answerOf(known);
    await committer.settled(answer.versionId);
    await ended(answer.versionId);
    return answer;
  }

  /** Somebody else has it: their receipt when they are done, or come again. */
  async #taken(row: UploadRow): Promise<DeliveryAnswer> {
    const now = await this.#parts.rows.find(row.id);
    const before = now && (await this.#committedBefore(now));
    if (before) return before;
    throw closed(now ?? row);
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

  /** Of an upload that we have just aborted: what lies in the store for it. The sweep takes what stays. */
  async #clear(row: UploadRow): Promise<void> {
    await this.#parts.lake.abort(partUpload(row)).catch(() => {});
    await this.#removeSpare(row);
  }

  /** Only when the upload was ended by us, so that nobody can begin to complete it any more; never what the ledger names. */
  async #removeSpare(row: UploadRow): Promise<void> {
    const { lake, history, quarantine } = this.#parts;
    try {
      const ids = [row.version_id];
      // Held is asked first: what an operator releases in between has its entry then.
      const held = (await quarantine.held(ids)).size > 0;
      const named = (await history.named(ids)).size > 0;
      if (held) return;
      if (!named) await lake.remove(releasedKey(row.lake_key));
      if (isInQuarantine(row.lake_key)) await lake.remove(row.lake_key);
    } catch (error) {
      this.#parts.report({ kind: "SpareLeft", key: row.lake_key, error });
    }
  }
}

async function rejectLake(cause: unknown): Promise<never> {
  throw lakeProblem(cause);
}

function partUpload(row: UploadRow): PartUpload {
  return { key: row.lake_key, handle: row.handle, size: row.size, partSize: row.part_size };
}

/** An empty file has no parts. */
function partCount(row: Pick<UploadRow, "size" | "part_size">): number {
  return Math.ceil(row.size / row.part_size);
}

function partBytes(row: UploadRow, number: number): number {
  const count = partCount(row);
  if (!Number.isInteger(number) || number < 1 || number > count)
    throw new ProblemError("part-invalid", `this upload has parts 1 to ${count}, not ${number}`);
  return number < count ? row.part_size : row.size - (count - 1) * row.part_size;
}

function captureOf(row: UploadRow, seesAll: boolean): VersionCapture {
  return {
    kind: "version",
    client: row.client,
    source: row.source,
    pathEncoded: row.path_encoded,
    captureId: row.capture_id,
    versionId: row.version_id,
    sealedAt: row.sealed_at,
    channel: row.channel,
    bearer: { id: row.bearer, seesAll },
    size: row.size,
    sha256: row.sha256,
    modifiedAt: row.modified_at,
    key: null,
  };
}

function samePart(before: PartRow, answer: PartAnswer): PartAnswer {
  if (before.size === answer.size && before.sha256 === answer.sha256) return answer;
  throw new ProblemError(
    "part-conflict",
    `part ${answer.number} arrived before with sha256 ${before.sha256}, now with ${answer.sha256}`,
  );
}

function requireAllParts(row: UploadRow, parts: readonly PartRow[]): void {
  const there = new Set(parts.map((part) => part.number));
  const missing: number[] = [];
  for (let number = 1; number <= partCount(row); number += 1) if (!there.has(number)) missing.push(number);
  if (missing.length === 0) return;
  const shown = missing.slice(0, 20).join(", ");
  throw new ProblemError(
    "parts-missing",
    `${missing.length} of ${partCount(row)} parts are missing: ${shown}${missing.length > 20 ? ", …" : ""}`,
  );
}

function requireSameContent(row: UploadRow, request: UploadRequest): void {
  if (
    row.source === request.source &&
    row.path_encoded === request.pathEncoded &&
    row.size === request.size &&
    row.sha256 === request.sha256
  )
    return;
  throw new ProblemError(
    "capture-conflict",
    `the captureId ${row.capture_id} stands for other content in the open upload ${row.id}`,
  );
}

function partSizeProblem(number: number, expected: number, came: number | undefined): ProblemError {
  return new ProblemError(
    "part-size",
    `part ${number} must have ${expected} bytes, ${came === undefined ? "more" : came} came`,
  );
}

function closed(row: Pick<UploadRow, "id" | "state">): ProblemError {
  if (row.state === "completing" || row.state === "open")
    return new ProblemError("upload-busy", `the upload ${row.id} is being completed; ask again`, {
      retryAfter: 2,
    });
  return new ProblemError(
    "upload-closed",
    `the upload ${row.id} was ${row.state === "done" ? "completed" : "aborted"}`,
  );
}

function isAllowed(stillAllowed: StillAllowed): boolean {
  try {
    stillAllowed();
    return true;
  } catch {
    return false;
  }
}
