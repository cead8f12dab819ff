/** The rows of one commit as they come to be, capture by capture, and how they are written. */
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { countArrivals } from "./arrivals.ts";
import { type Batch, captureRef, headRef } from "./batch.ts";
import { chunks } from "./chunks.ts";
import type { Turn, Writer } from "./database.ts";
import { type Decision, decide, type Quotas } from "./decide.ts";
import { claimsOf, type EntryRow, entryOf, instantOf } from "./entry.ts";
import { leaseRef } from "./leases.ts";
import type { Capture, Outcome, Release, SignReceipt, VersionCapture } from "./ledger.ts";
import { type Later, tellHeld } from "./newer.ts";
import { putBearers, putHeads, putUsage } from "./put.ts";
import type { Tables } from "./schema.ts";

export interface Path {
  readonly hash: string;
  /** Undefined when this is no pathEncoded. */
  readonly display: string | undefined;
}

export function repeated(receipt: string): Outcome {
  return { kind: "repeated", receipt, claims: claimsOf(receipt) };
}

/** Takes the captures in their order; `write` puts down what they made. */
export class Draft {
  readonly entries: { readonly row: EntryRow; readonly path: string }[] = [];
  readonly segmentId = uuidv7();
  readonly day: string;
  readonly #unchanged: Tables["unchanged_captures"][] = [];
  readonly #heads = new Map<string, Tables["heads"]>();
  readonly #spent = new Set<string>();
  readonly #spentOf = new Set<string>();
  readonly #held: Tables["quarantined"][] = [];
  readonly #later = new Map<string, Later>();
  readonly #released: { readonly id: string; readonly release: Release }[] = [];
  readonly #batch: Batch;
  readonly #turn: Turn;
  readonly #sign: SignReceipt;
  readonly #quotas: Quotas;

  constructor(batch: Batch, turn: Turn, sign: SignReceipt, quotas: Quotas) {
    this.#batch = batch;
    this.#turn = turn;
    this.#sign = sign;
    this.#quotas = quotas;
    this.day = instantOf(turn.now).slice(0, 10);
  }

  add(capture: Capture, path: Path): Outcome {
    if (path.display === undefined) {
      const detail = `"${capture.pathEncoded.slice(0, 200)}" is no pathEncoded`;
      return { kind: "refused", code: "path-invalid", detail };
    }
    const ref = headRef({ ...capture, path_hash: path.hash });
    const decision = decide(capture, path.hash, {
      known: this.#batch.known.get(captureRef(capture)),
      held: this.#batch.held.get(captureRef(capture)),
      newer: this.#heads.get(ref) ?? this.#batch.newer.get(capture.versionId),
      client: this.#batch.clients.get(capture.client),
      head: this.#batch.heads.get(ref),
      usage: this.#batch.usage.get(capture.client),
      bearer: this.#batch.bearers.get(capture.bearer.id),
      lease: this.#batch.leases.get(leaseRef(capture)),
      defaults: this.#quotas,
      now: this.#turn.now,
    });
    return this.#record(decision, capture, path.hash, path.display);
  }

  #record(decision: Decision, capture: Capture, hash: string, path: string): Outcome {
    switch (decision.kind) {
      case "needs-bytes":
        return { kind: "needs-bytes" };
      case "refused":
        return decision;
      case "repeated":
        return repeated(decision.receipt);
      case "held":
      case "discarded":
        return decision;
      case "hold":
        return this.#hold(capture as VersionCapture, hash, decision.finding);
      case "unchanged":
        return this.#remember(capture, hash, decision.versionId);
      case "new":
        return this.#append(capture, hash, path);
    }
  }

  #receipt(
    capture: Capture,
    versionId: string,
    status: "created" | "unchanged" | "removed",
  ): { receipt: string; content: { sha256: string | null; size: number | null } } {
    const { client, source, pathEncoded, captureId, channel } = capture;
    const content =
      capture.kind === "version"
        ? { sha256: capture.sha256, size: capture.size }
        : { sha256: null, size: null };
    const receipt = this.#sign({
      client,
      source,
      pathEncoded,
      versionId,
      captureId,
      ...content,
      status,
      receivedAt: instantOf(this.#turn.now),
      channel,
      agentId: capture.bearer.id,
    });
    return { receipt, content };
  }

  #remember(capture: Capture, hash: string, versionId: string): Outcome {
    const { receipt, content } = this.#receipt(capture, versionId, "unchanged");
    const row = {
      client: capture.client,
      capture_id: capture.captureId,
      source: capture.source,
      path_hash: hash,
      kind: capture.kind,
      sha256: content.sha256,
      committed_at: this.#turn.now,
      receipt,
    };
    this.#unchanged.push(row);
    this.#batch.known.set(captureRef(capture), { ...row, size: content.size });
    // No version takes over what it counted for in quarantine.
    if (this.#release(capture)) this.#spend(capture.client, -(content.size ?? 0), 0);
    else
      this.#tellHeld({ client: capture.client, source: capture.source, path_hash: hash, kind: capture.kind });
    return { kind: "unchanged", receipt, claims: claimsOf(receipt) };
  }

  #append(capture: Capture, hash: string, path: string): Outcome {
    const status = capture.kind === "version" ? "created" : "removed";
    const { receipt, content } = this.#receipt(capture, capture.versionId, status);
    const row: EntryRow = {
      seq: this.#turn.lastSeq + this.entries.length + 1,
      version_id: capture.versionId,
      kind: capture.kind,
      client: capture.client,
      source: capture.source,
      path_encoded: capture.pathEncoded,
      path_hash: hash,
      ...content,
      capture_id: capture.captureId,
      modified_at: capture.modifiedAt,
      sealed_at: capture.sealedAt,
      received_at: this.#turn.now,
      channel: capture.channel,
      bearer: capture.bearer.id,
      lake_key: capture.kind === "version" ? capture.key : null,
      receipt,
      segment_id: this.segmentId,
    };
    this.entries.push({ row, path });
    this.#batch.known.set(captureRef(capture), row);
    const { client, source, seq, kind, version_id, size, sha256, bearer } = row;
    const head = { client, source, path_hash: hash, seq, kind, version_id, size, sha256, bearer };
    this.#heads.set(headRef(head), head);
    this.#batch.heads.set(headRef(head), head);
    if (!this.#release(capture)) {
      this.#spend(client, size ?? 0, size ?? 0);
      this.#spendOf(bearer, size ?? 0);
    }
    return { kind: "committed", entry: entryOf(row, path), receipt };
  }

  #hold(capture: VersionCapture, hash: string, finding: string): Outcome {
    const { client, versionId: id } = capture;
    const row: Tables["quarantined"] = {
      id,
      client,
      source: capture.source,
      path_encoded: capture.pathEncoded,
      path_hash: hash,
      capture_id: capture.captureId,
      size: capture.size,
      sha256: capture.sha256,
      modified_at: capture.modifiedAt,
      sealed_at: capture.sealedAt,
      channel: capture.channel,
      bearer: capture.bearer.id,
      lake_key: capture.key as string,
      finding,
      arrived_at: this.#turn.now,
      arrived_seq: this.#turn.lastSeq + this.entries.length,
      state: "held",
      released_at: null,
      released_by: null,
      reason: null,
      discarded_at: null,
      discarded_by: null,
      later_state: null,
    };
    this.#held.push(row);
    this.#batch.held.set(captureRef(capture), { ...row, kind: "version" });
    this.#spend(client, row.size, row.size);
    this.#spendOf(row.bearer, row.size);
    return { kind: "held", id, finding };
  }

  /** Whether the capture comes out of quarantine: it is no longer held then. */
  #release(capture: Capture): boolean {
    if (capture.kind !== "version" || capture.release === undefined) return false;
    this.#released.push({ id: capture.versionId, release: capture.release });
    this.#batch.held.delete(captureRef(capture));
    return true;
  }

  /** Those of this commit that came before it, and (in `write`) those of earlier ones. */
  #tellHeld(later: Later): void {
    this.#later.set(headRef(later), later);
    this.#held.forEach((row, i) => {
      if (headRef(row) === headRef(later)) this.#held[i] = { ...row, later_state: later.kind };
    });
  }

  #spend(client: string, bytes: number, today: number): void {
    const before = this.#batch.usage.get(client);
    this.#spent.add(client);
    this.#batch.usage.set(client, {
      client,
      stored_bytes: (before?.stored_bytes ?? 0) + bytes,
      day: this.day,
      day_bytes: (before?.day === this.day ? before.day_bytes : 0) + today,
    });
  }

  #spendOf(bearer: string, bytes: number): void {
    if (bytes === 0) return;
    const before = this.#batch.bearers.get(bearer);
    const none = { limit_requests: null, limit_uploads: null, quota_day: null, quota_file: null };
    this.#spentOf.add(bearer);
    this.#batch.bearers.set(bearer, {
      ...(before ?? { bearer, ...none }),
      day: this.day,
      day_bytes: (before?.day === this.day ? before.day_bytes : 0) + bytes,
    });
  }

  async write(trx: Writer): Promise<void> {
    if (this.entries.length + this.#unchanged.length + this.#held.length === 0) return;
    for (const some of chunks(this.entries.map(({ row }) => row)))
      await trx.insertInto("entries").values(some).execute();
    await countArrivals(
      trx,
      this.entries.map(({ row }) => row),
    );
    for (const some of chunks(this.#unchanged))
      await trx.insertInto("unchanged_captures").values(some).execute();
    await tellHeld(trx, [...this.#later.values()]);
    for (const some of chunks(this.#held)) await trx.insertInto("quarantined").values(some).execute();
    for (const { id, release } of this.#released)
      await trx
        .updateTable("quarantined")
        .set({
          state: "released",
          released_at: this.#turn.now,
          released_by: release.by,
          reason: release.reason,
        })
        .where("id", "=", id)
        .execute();
    for (const some of chunks([...this.#heads.values()])) await putHeads(trx, some);
    if (this.entries.length > 0) {
      await trx
        .insertInto("segments")
        .values({ id: this.segmentId, date: this.day, committed_at: this.#turn.now, written_at: null })
        .execute();
    }
    const usage = [...this.#spent].map((client) => this.#batch.usage.get(client) as Tables["usage"]);
    for (const some of chunks(usage)) await putUsage(trx, some);
    const bearers = [...this.#spentOf].map((id) => this.#batch.bearers.get(id) as Tables["bearers"]);
    for (const some of chunks(bearers)) await putBearers(trx, some);
    await trx
      .updateTable("site")
      .set({ last_seq: this.#turn.lastSeq + this.entries.length, last_commit_at: this.#turn.now })
      .where("id", "=", 1)
      .execute();
  }
}
