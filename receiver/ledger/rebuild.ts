/**
 * The ledger out of the lake's manifest: entries as they were, with their seq and receipts; heads, usage, clients
 * and segments follow from them. What only a backup holds (keys, agents, quotas) is not made up.
 */
import { randomUUID } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type ManifestLine, manifestLine, uuid } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { sql } from "kysely";
import { z } from "zod";
import { deriveArrivals } from "./arrivals.ts";
import { captureRef, type KnownCapture, knownCaptures } from "./batch.ts";
import { CHUNK, chunks } from "./chunks.ts";
import { committing, type LedgerDatabase, type Writer } from "./database.ts";
import { sameCapture } from "./decide.ts";
import {
  deriveClients,
  deriveHeads,
  deriveReordered,
  deriveUsage,
  endHeld,
  forgetSearch,
  forgetTrees,
} from "./derive.ts";
import { type EntryRow, instantOf, rowOf } from "./entry.ts";
import { type Gap, gapsOf } from "./gaps.ts";

/** A line and the segment that it was read from. */
export type RebuildLine = ManifestLine & { readonly segmentId: string; readonly date: string };

const rebuildLine = manifestLine.extend({ segmentId: uuid, date: z.iso.date() });

export interface Rebuilt {
  readonly added: number;
  /** Were there already. */
  readonly kept: number;
  /** Of those added: their seq was another version's, they got one at the end, and an unwritten segment that says so. */
  readonly renumbered: number;
  /** Left out: the same capture is there under another versionId, with the same content. */
  readonly duplicates: number;
  /** Places in the order that neither an entry nor a line has: a segment that held them is lost. */
  readonly gaps: readonly Gap[];
}

interface Options {
  /** Joins the lines with the entries that the ledger has; without it the ledger must have none. */
  readonly merge: boolean;
  readonly progress?: (lines: number) => void;
  /** The longest that the transaction rests, in ms: a database ends one that rests, and a lake may be slow. */
  readonly restMs?: number;
}

/**
 * One transaction, under the site's lock: refuses beside a receiver, and changes nothing when it fails. `lines` must
 * not read from this database. The epoch is new: cursors of before get 410.
 */
export async function rebuild(
  database: LedgerDatabase,
  lines: AsyncIterable<RebuildLine>,
  { merge, progress = () => {}, restMs = 10_000 }: Options,
): Promise<Rebuilt> {
  const held = await database.siteLock.alone();
  try {
    return await committing(database, async (trx, turn) => {
      if (!merge) await requireNoEntries(trx);
      const rebuilding = new Rebuilding(trx, turn.now);
      const awake = new Awake(trx, restMs);
      let some: z.infer<typeof rebuildLine>[] = [];
      let count = 0;
      try {
        for await (const line of lines) {
          some.push(checked(line));
          count += 1;
          if (some.length < CHUNK) continue;
          await awake.while(() => rebuilding.take(some));
          some = [];
          progress(count);
        }
      } finally {
        await awake.end();
      }
      await rebuilding.take(some);
      return await rebuilding.finish();
    });
  } finally {
    await held.release();
  }
}

/** Asks the database something now and then while the lake is read; never beside another statement. */
class Awake {
  readonly #timer: NodeJS.Timeout;
  #working = false;
  #asking: Promise<unknown> = Promise.resolve();

  constructor(trx: Writer, restMs: number) {
    const ask = () => sql`select 1`.execute(trx);
    this.#timer = setInterval(() => {
      // A database that is away says so at the next statement of the rebuild itself.
      if (!this.#working) this.#asking = this.#asking.then(ask).catch(() => {});
    }, restMs);
  }

  async while(work: () => Promise<void>): Promise<void> {
    this.#working = true;
    await this.#asking;
    await work();
    this.#working = false;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#asking;
  }
}

async function requireNoEntries(trx: Writer): Promise<void> {
  const any = await trx.selectFrom("entries").select("seq").limit(1).executeTakeFirst();
  if (any !== undefined)
    throw new ProblemError(
      "ledger-refused",
      "the ledger has entries already: use --merge to join them with the lake's, or rebuild into a new ledger",
    );
}

function checked(line: RebuildLine): z.infer<typeof rebuildLine> {
  const parsed = rebuildLine.safeParse(line);
  if (parsed.success) return parsed.data;
  throw new ProblemError(
    "ledger-refused",
    `the manifest segment ${line.segmentId} of ${line.date} holds a line that is no entry: ${z.prettifyError(parsed.error)}; nothing was changed`,
  );
}

class Rebuilding {
  readonly #trx: Writer;
  readonly #now: number;
  /** The lowest place that was filled. */
  #lowest = Number.POSITIVE_INFINITY;
  /** By versionId, lines whose seq is another's: they go to the end when all are known. */
  readonly #displaced = new Map<string, EntryRow>();
  /** Places that a line has, but no entry under that number. */
  readonly #elsewhere: number[] = [];
  readonly #displacedCaptures = new Map<string, KnownCapture>();
  #added = 0;
  #kept = 0;
  #duplicates = 0;

  constructor(trx: Writer, now: number) {
    this.#trx = trx;
    this.#now = now;
  }

  async take(lines: readonly z.infer<typeof rebuildLine>[]): Promise<void> {
    if (lines.length === 0) return;
    const rows = lines.map((line) => rowOf(line, line.segmentId));
    const { ids, seqs } = await this.#present(rows);
    const captures = await knownCaptures(
      this.#trx,
      rows.map((row) => [row.client, row.capture_id]),
      ["entries"],
    );
    const fresh: EntryRow[] = [];
    for (const row of rows) {
      const displaced = this.#displaced.get(row.version_id);
      if (displaced !== undefined && !seqs.has(row.seq)) {
        // The place that an earlier rebuild gave it, and wrote down in a segment of its own.
        this.#displaced.delete(row.version_id);
        fresh.push({ ...displaced, seq: row.seq, segment_id: row.segment_id });
        ids.set(row.version_id, row.seq);
        seqs.add(row.seq);
        continue;
      }
      if (displaced !== undefined || ids.has(row.version_id)) {
        this.#kept += 1;
        if (ids.get(row.version_id) !== row.seq) this.#elsewhere.push(row.seq);
        continue;
      }
      const ref = captureRef({ client: row.client, captureId: row.capture_id });
      const twin = captures.get(ref) ?? this.#displacedCaptures.get(ref);
      if (twin !== undefined && sameCapture(twin, row)) {
        this.#duplicates += 1;
        this.#elsewhere.push(row.seq);
        continue;
      }
      // A captureId that lived twice, with other content each time: the version is worth more than its captureId.
      const entry =
        twin === undefined ? row : { ...row, capture_id: `${row.capture_id.slice(0, 90)}~${row.version_id}` };
      ids.set(row.version_id, row.seq);
      captures.set(captureRef({ client: row.client, captureId: entry.capture_id }), entry);
      if (seqs.has(row.seq)) this.#displace(entry);
      else fresh.push(entry);
      seqs.add(row.seq);
    }
    for (const some of chunks(fresh)) await this.#trx.insertInto("entries").values(some).execute();
    this.#added += fresh.length;
    for (const { seq } of fresh) this.#lowest = Math.min(this.#lowest, seq);
    await this.#putSegments(lines);
  }

  async #present(rows: readonly EntryRow[]): Promise<{ ids: Map<string, number>; seqs: Set<number> }> {
    const found = await this.#trx
      .selectFrom("entries")
      .select(["version_id", "seq"])
      .where((eb) =>
        eb.or([
          eb(
            "version_id",
            "in",
            rows.map((row) => row.version_id),
          ),
          eb(
            "seq",
            "in",
            rows.map((row) => row.seq),
          ),
        ]),
      )
      .execute();
    return {
      ids: new Map(found.map((row) => [row.version_id, row.seq])),
      seqs: new Set(found.map((row) => row.seq)),
    };
  }

  #displace(row: EntryRow): void {
    this.#displaced.set(row.version_id, row);
    this.#displacedCaptures.set(captureRef({ client: row.client, captureId: row.capture_id }), row);
  }

  async #putSegments(lines: readonly z.infer<typeof rebuildLine>[]): Promise<void> {
    const segments = new Map<
      string,
      { id: string; date: string; committed_at: number; written_at: number }
    >();
    for (const { segmentId: id, date, receivedAt } of lines)
      segments.set(id, { id, date, committed_at: Date.parse(receivedAt), written_at: this.#now });
    await this.#trx
      .insertInto("segments")
      .values([...segments.values()])
      .onConflict((oc) => oc.column("id").doUpdateSet({ written_at: this.#now }))
      .execute();
  }

  async finish(): Promise<Rebuilt> {
    const trx = this.#trx;
    const before = await trx
      .selectFrom("site")
      .select(["last_seq", "last_commit_at"])
      .executeTakeFirstOrThrow();
    const last = await trx
      .selectFrom("entries")
      .select((eb) => [eb.fn.max("seq").as("seq"), eb.fn.max("received_at").as("at")])
      .executeTakeFirstOrThrow();
    const displaced = [...this.#displaced.values()];
    const seq = await this.#append(displaced, Math.max(before.last_seq, last.seq ?? 0));
    const at = displaced.reduce((most, row) => Math.max(most, row.received_at), last.at ?? 0);
    const epoch = randomUUID();
    await turnBackWebhooks(trx, epoch, this.#lowest - 1);
    await trx
      .updateTable("site")
      .set({
        ...{ epoch, last_seq: seq, last_commit_at: Math.max(before.last_commit_at, at) },
        known_since: this.#now,
      })
      .execute();
    await endHeld(trx);
    await deriveHeads(trx);
    await deriveUsage(trx, instantOf(this.#now).slice(0, 10));
    await deriveClients(trx);
    await deriveArrivals(trx);
    await deriveReordered(trx);
    await forgetTrees(trx);
    await forgetSearch(trx);
    const gaps = await gapsOf(trx);
    for (const place of this.#elsewhere) gaps.fill(place);
    return {
      added: this.#added + displaced.length,
      kept: this.#kept,
      renumbered: displaced.length,
      duplicates: this.#duplicates,
      gaps: gaps.left,
    };
  }

  /**
   * Behind `seq`, in segments of their own that the manifest still has to write: without them a later rebuild would
   * take their places for lost. Gives the last place.
   */
  async #append(rows: readonly EntryRow[], seq: number): Promise<number> {
    for (const some of chunks(rows)) {
      const segment = uuidv7();
      const date = instantOf(this.#now).slice(0, 10);
      await this.#trx
        .insertInto("segments")
        .values({ id: segment, date, committed_at: this.#now, written_at: null })
        .execute();
      await this.#trx
        .insertInto("entries")
        .values(some.map((row) => ({ ...row, seq: ++seq, segment_id: segment })))
        .execute();
    }
    return seq;
  }
}

/** Nobody was told of entries that come back behind a webhook's place: it goes on before the first of them, but tells of none from before its begin. */
async function turnBackWebhooks(trx: Writer, epoch: string, before: number): Promise<void> {
  const all = await trx.selectFrom("webhooks").select(["id", "cursor_seq", "begins_after"]).execute();
  for (const { id, cursor_seq, begins_after } of all)
    await trx
      .updateTable("webhooks")
      .set({ epoch, cursor_seq: Math.max(begins_after, Math.min(cursor_seq, before)) })
      .where("id", "=", id)
      .execute();
}
