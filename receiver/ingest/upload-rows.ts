/**
 * Uploads as the ledger keeps them. States: open -> completing -> done, or -> aborted; every step is one
 * compare-and-set on the row, so that of two receivers (or a request and the sweep) exactly one takes it.
 * While `completing`, `lease` names the attempt that completes it and `touched_at` is when it last said so: one that was
 * paused, and lost it to another, neither renews nor ends what is the other's now.
 */
import { sql } from "kysely";
import { type LedgerDatabase, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";

export type UploadRow = Tables["uploads"];
export type PartRow = Tables["upload_parts"];

/**
 * A completing receiver that has not renewed its lease for this long is taken for dead. One that was only slow loses
 * its work, and nothing else: it commits nothing under a lease that is another's.
 */
export const LEASE_MS = 15_000;

/** One has up to 10,000 parts, and commits wait meanwhile. */
const FORGET_AT_ONCE = 20;

export class UploadRows {
  readonly #db: Database;
  /** The database's time: leases and ages must not hang on one receiver's clock. */
  readonly #clock: LedgerDatabase["clock"];

  constructor(database: Pick<LedgerDatabase, "db" | "clock">) {
    this.#db = database.db;
    this.#clock = database.clock;
  }

  async insert(row: Omit<UploadRow, "lease" | "created_at" | "touched_at">): Promise<UploadRow> {
    return await this.#db
      .insertInto("uploads")
      .values({ ...row, lease: null, created_at: this.#clock, touched_at: this.#clock })
      .returningAll()
      .executeTakeFirstOrThrow();
  }

  async find(id: string): Promise<UploadRow | undefined> {
    return await this.#db.selectFrom("uploads").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** The upload that this principal began for this capture and can still go on with. */
  async openFor(client: string, captureId: string, bearer: string): Promise<UploadRow | undefined> {
    return await this.#db
      .selectFrom("uploads")
      .selectAll()
      .where("client", "=", client)
      .where("capture_id", "=", captureId)
      .where("bearer", "=", bearer)
      .where("state", "in", ["open", "completing"])
      .orderBy("created_at")
      .executeTakeFirst();
  }

  /**
   * Bytes that lie in the store for uploads of this client, or of this agent, key or account, that can still complete: nobody's
   * version yet, but their room.
   */
  async arrivedBytes(of: "client" | "bearer", name: string): Promise<number> {
    const { bytes } = await this.#db
      .selectFrom("upload_parts")
      .innerJoin("uploads", "uploads.id", "upload_parts.upload_id")
      .select((eb) => eb.fn.sum<number | string | null>("upload_parts.size").as("bytes"))
      .where(`uploads.${of}`, "=", name)
      .where("uploads.state", "in", ["open", "completing"])
      // Between its commit and the end of its lease an upload's bytes are the version's, or those in quarantine: they count once.
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("entries").select("seq").whereRef("entries.version_id", "=", "uploads.version_id"),
          ),
        ),
      )
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("quarantined").select("id").whereRef("quarantined.id", "=", "uploads.version_id"),
          ),
        ),
      )
      .executeTakeFirstOrThrow();
    return Number(bytes ?? 0);
  }

  async parts(uploadId: string): Promise<PartRow[]> {
    return await this.#db
      .selectFrom("upload_parts")
      .selectAll()
      .where("upload_id", "=", uploadId)
      .orderBy("number")
      .execute();
  }

  async part(uploadId: string, number: number): Promise<PartRow | undefined> {
    return await this.#db
      .selectFrom("upload_parts")
      .selectAll()
      .where("upload_id", "=", uploadId)
      .where("number", "=", number)
      .executeTakeFirst();
  }

  /** The part that now stands for this number, or undefined when the upload is no longer open. */
  async addPart(part: PartRow): Promise<PartRow | undefined> {
    return await writing(this.#db, async (tx) => {
      const touched = await tx
        .updateTable("uploads")
        .set({ touched_at: this.#clock })
        .where("id", "=", part.upload_id)
        .where("state", "=", "open")
        .executeTakeFirst();
      if (touched.numUpdatedRows !== 1n) return undefined;
      await tx
        .insertInto("upload_parts")
        .values(part)
        .onConflict((conflict) => conflict.columns(["upload_id", "number"]).doNothing())
        .execute();
      return await tx
        .selectFrom("upload_parts")
        .selectAll()
        .where("upload_id", "=", part.upload_id)
        .where("number", "=", part.number)
        .executeTakeFirst();
    });
  }

  /** Takes the upload for completing: from `open`, or from an attempt whose lease ran out. `lease` is this attempt's own. */
  async lease(id: string, lease: string): Promise<boolean> {
    const taken = await this.#db
      .updateTable("uploads")
      .set({ state: "completing", lease, touched_at: this.#clock })
      .where("id", "=", id)
      .where((is) =>
        is.or([is("state", "=", "open"), is.and([is("state", "=", "completing"), this.#silent()])]),
      )
      .executeTakeFirst();
    return taken.numUpdatedRows === 1n;
  }

  /** For a site with one receiver, as it starts: whoever completed something is dead. */
  async reopen(): Promise<void> {
    await this.#db
      .updateTable("uploads")
      .set({ state: "open", lease: null })
      .where("state", "=", "completing")
      .execute();
  }

  /** False when the lease was lost: somebody else completes it, or the sweep has ended it. */
  async renew(id: string, lease: string): Promise<boolean> {
    const renewed = await this.#db
      .updateTable("uploads")
      .set({ touched_at: this.#clock })
      .where("id", "=", id)
      .where("state", "=", "completing")
      .where("lease", "=", lease)
      .executeTakeFirst();
    return renewed.numUpdatedRows === 1n;
  }

  /** Ends or gives back a lease. False when it was lost: then nothing has changed. */
  async leave(id: string, lease: string, state: "open" | "done" | "aborted"): Promise<boolean> {
    const left = await this.#db
      .updateTable("uploads")
      .set({ state, lease: null, touched_at: this.#clock })
      .where("id", "=", id)
      .where("state", "=", "completing")
      .where("lease", "=", lease)
      .executeTakeFirst();
    return left.numUpdatedRows === 1n;
  }

  /** Its version is committed, whoever completes it: that is a fact and needs no lease. */
  async committed(id: string): Promise<void> {
    await this.#db
      .updateTable("uploads")
      .set({ state: "done", lease: null, touched_at: this.#clock })
      .where("id", "=", id)
      .where("state", "in", ["open", "completing"])
      .execute();
  }

  /** The store has it no more: ended unless somebody completes it, so that the next create begins anew. */
  async lost(id: string): Promise<void> {
    await this.#db
      .updateTable("uploads")
      .set({ state: "aborted", touched_at: this.#clock })
      .where("id", "=", id)
      .where("state", "=", "open")
      .execute();
  }

  /** False when it is being completed, or ended already. `untouchedMs` guards what the sweep aborts. */
  async abort(id: string, untouchedMs = -1): Promise<boolean> {
    const aborted = await this.#db
      .updateTable("uploads")
      .set({ state: "aborted", touched_at: this.#clock })
      .where("id", "=", id)
      .where("touched_at", "<", this.#before(untouchedMs))
      .where((is) =>
        is.or([is("state", "=", "open"), is.and([is("state", "=", "completing"), this.#silent()])]),
      )
      .executeTakeFirst();
    return aborted.numUpdatedRows === 1n;
  }

  /** Deletes what was aborted that long ago, with its parts. What is done stays: later deltas compare its parts. */
  async forget(abortedMs: number): Promise<void> {
    for (let count = FORGET_AT_ONCE; count === FORGET_AT_ONCE; ) {
      count = await writing(this.#db, async (tx) => {
        const rows = await tx
          .selectFrom("uploads")
          .select("id")
          .where("state", "=", sql.lit("aborted"))
          .where("touched_at", "<", this.#before(abortedMs))
          .limit(FORGET_AT_ONCE)
          .execute();
        const ids = rows.map(({ id }) => id);
        if (ids.length === 0) return 0;
        await tx.deleteFrom("upload_parts").where("upload_id", "in", ids).execute();
        await tx.deleteFrom("uploads").where("id", "in", ids).execute();
        return ids.length;
      });
    }
  }

  async abandoned(untouchedMs: number, limit: number): Promise<UploadRow[]> {
    return await this.#db
      .selectFrom("uploads")
      .selectAll()
      .where("state", "in", ["open", "completing"])
      .where("touched_at", "<", this.#before(untouchedMs))
      .orderBy("touched_at")
      .limit(limit)
      .execute();
  }

  /** Which of these versions belong to an upload that can still complete. */
  async live(versionIds: readonly string[]): Promise<ReadonlySet<string>> {
    if (versionIds.length === 0) return new Set();
    const rows = await this.#db
      .selectFrom("uploads")
      .select("version_id")
      .where("version_id", "in", versionIds)
      .where("state", "in", ["open", "completing"])
      .execute();
    return new Set(rows.map((row) => row.version_id));
  }

  /** Its lease was not renewed. A time that is yet to come was written before the clock was turned back. */
  #silent() {
    return sql<boolean>`abs(${this.#clock} - touched_at) > ${sql.lit(LEASE_MS)}`;
  }

  #before(ms: number) {
    return sql<number>`${this.#clock} - ${sql.lit(ms)}`;
  }
}
