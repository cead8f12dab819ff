/**
 * An upload on its way to a version: leased, put together, inspected, committed. The whole digest is the lake's own
 * finding. What is to be inspected is put together in quarantine, and has its key below `raw/` only when nothing was
 * found.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import type { MakeUuid } from "@tributary/shared/uuid.ts";
import type { Principal } from "../identity/principal.ts";
import { isInQuarantine, releasedKey } from "../lake/key.ts";
import type { Lake, PartLake } from "../lake/lake.ts";
import type { Ledger, Outcome, VersionCapture } from "../ledger/ledger.ts";
import { answerOf, bearerOf, quarantinedFact, rejectLake, requireLease } from "./answer.ts";
import type { Committer } from "./committer.ts";
import type { StillAllowed } from "./ingest.ts";
import type { Inspecting } from "./inspecting.ts";
import { captureOf, closed, mustBegin, partUpload, requireAllParts } from "./upload.ts";
import { LEASE_MS, type UploadRow, type UploadRows } from "./upload-rows.ts";
import { clear, removeSpare, type SpareParts } from "./upload-spare.ts";

export interface CompleterParts extends SpareParts {
  readonly lake: Pick<Lake, "read" | "copy" | "remove"> & Pick<PartLake, "complete" | "abort">;
  readonly ledger: Pick<Ledger, "known" | "holds">;
  readonly committer: Committer;
  readonly rows: UploadRows;
  readonly inspecting: Inspecting;
  readonly uuid: MakeUuid;
}

export class Completer {
  readonly #parts: CompleterParts;
  /** Completions under way here: who asks again meanwhile shares the answer. */
  readonly #completing = new Map<string, Promise<DeliveryAnswer>>();

  constructor(parts: CompleterParts) {
    this.#parts = parts;
  }

  async complete(
    principal: Principal,
    row: UploadRow,
    stillAllowed: StillAllowed,
    term?: number,
  ): Promise<DeliveryAnswer> {
    const begun = this.#completing.get(row.id);
    if (begun) return await begun;
    const completing = this.#complete(principal, row, stillAllowed, term).finally(() =>
      this.#completing.delete(row.id),
    );
    this.#completing.set(row.id, completing);
    return await completing;
  }

  async #complete(
    principal: Principal,
    row: UploadRow,
    stillAllowed: StillAllowed,
    term: number | undefined,
  ): Promise<DeliveryAnswer> {
    const { rows, report, uuid, ledger } = this.#parts;
    const from = performance.now();
    const before = await this.#committedBefore(row);
    if (before) return before;
    await requireLease(ledger, row, principal, term);
    if (row.state === "aborted" || row.state === "done") throw closed(row);
    if (mustBegin(this.#parts.inspecting, row)) {
      if (await rows.abort(row.id)) await clear(this.#parts, row);
      throw closed((await rows.find(row.id)) ?? row);
    }
    requireAllParts(row, await rows.parts(row.id));
    const lease = uuid();
    if (!(await rows.lease(row.id, lease))) return await this.#taken(row);
    const renewing = setInterval(() => void rows.renew(row.id, lease).catch(() => {}), LEASE_MS / 3);
    try {
      const outcome = await this.#assemble(principal, row, lease, stillAllowed, term);
      if (outcome.kind === "refused") answerOf(outcome);
      if (await rows.leave(row.id, lease, "done")) await removeSpare(this.#parts, row);
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
      if (final && left) await clear(this.#parts, row);
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
    term: number | undefined,
  ): Promise<Outcome> {
    const { lake, committer, rows } = this.#parts;
    const stored = await rows.parts(row.id);
    await lake.complete(partUpload(row), stored, row.sha256).catch(rejectLake);
    const found = await this.#inspected(row).catch(rejectLake);
    // Never name an object that the sweep may have taken for spare meanwhile.
    if (!(await rows.renew(row.id, lease))) throw closed((await rows.find(row.id)) ?? row);
    stillAllowed();
    const capture = captureOf(row, bearerOf(principal, term).seesAll);
    return await committer.commit({ ...capture, ...found, ...(term === undefined ? {} : { lease: term }) });
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
}

function isAllowed(stillAllowed: StillAllowed): boolean {
  try {
    stillAllowed();
    return true;
  } catch {
    return false;
  }
}
