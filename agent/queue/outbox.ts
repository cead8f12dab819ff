/** The courier's side of the queue. Handing out lives in memory only: after a crash everything without a receipt waits again. */
import { retakeAside, timedAside } from "./aside.ts";
import { diskFull, type QueueFile } from "./database.ts";
import type { Outbox, Parcel, ParcelEnd, Postponement } from "./queue.ts";
import { readyParcels } from "./ready.ts";
import { type ParcelRow, split, toColumns, toParcel, toWaiting } from "./rows.ts";

/** What the log of deliveries keeps at most. */
export interface Retention {
  readonly days: number;
  readonly rows: number;
}

/** When the disk is full a postponement cannot be stored; it is held in memory for this long at least. */
const HELD_MS = 5_000;
/** Deliveries between two prunings, and rows that one pruning takes at most: nothing stops for it. */
const PRUNE_EVERY = 500;
const PRUNE_ROWS = 2_000;

const PARCEL =
  "p.capture_id, p.kind, q.client, q.name AS source, p.path, p.sealed_at, p.size, p.mtime_ns, p.ctime_ns, p.file_id, p.sha256, p.part_digests, p.spooled, p.attempts";
const ONE = `SELECT ${PARCEL} FROM parcels p JOIN sources q ON q.id = p.source_id`;

/**
 * Of `+?`: SQLite compiles a statement with a join, MIN or ORDER BY anew whenever a bare parameter that it compares with has
 * another value, because the plan might profit. Ours never does, and compiling costs ten times the look-up itself.
 */
function statements(db: QueueFile) {
  return {
    bySeq: db.prepare<[number], ParcelRow>(`${ONE} WHERE p.seq = +?`).safeIntegers(true),
    byCapture: db.prepare<[string], ParcelRow>(`${ONE} WHERE p.capture_id = +?`).safeIntegers(true),
    anyDue: db
      .prepare<[number], number>("SELECT 1 FROM parcels WHERE head = 1 AND due > 0 AND due <= ? LIMIT 1")
      .pluck(),
    wake: db.prepare("UPDATE parcels SET due = 0 WHERE head = 1 AND due > 0 AND due <= ?"),
    wakeSource: db.prepare(
      `UPDATE parcels SET due = 0 WHERE head = 1 AND due > 0 AND problem_code IN ('source-unreachable', 'root-changed', 'lease-lost')
       AND source_id IN (SELECT id FROM sources WHERE name = ?)`,
    ),
    nextDue: db.prepare<[], number | null>("SELECT MIN(due) FROM parcels WHERE head = 1 AND due > 0").pluck(),
    postpone: db.prepare(
      `UPDATE parcels SET attempts = attempts + 1, due = ?, problem_code = ?, problem_detail = ?,
       problem_since = COALESCE(problem_since, ?) WHERE capture_id = ?`,
    ),
    anyAside: db.prepare<[], number>("SELECT 1 FROM parcels WHERE aside_at IS NOT NULL LIMIT 1").pluck(),
    remove: db.prepare("DELETE FROM parcels WHERE capture_id = ?"),
    aside: db.prepare(
      `UPDATE parcels SET head = 0, due = @until, aside_at = @at, problem_code = @code, problem_detail = @detail,
       problem_since = COALESCE(problem_since, @at) WHERE capture_id = @captureId`,
    ),
    olderAside: db
      .prepare<[string], ParcelRow>(
        `${ONE} JOIN parcels y ON y.source_id = p.source_id AND y.path = p.path AND y.seq > p.seq
       WHERE y.capture_id = +? AND p.aside_at IS NOT NULL`,
      )
      .safeIntegers(true),
    next: db.prepare(
      `UPDATE parcels SET head = 1 WHERE seq = (SELECT MIN(p.seq) FROM parcels p JOIN sources q ON q.id = p.source_id
       WHERE q.client = +? AND q.name = +? AND p.path = +? AND p.aside_at IS NULL)`,
    ),
    log: db.prepare(
      `INSERT INTO deliveries (capture_id, kind, client, source, path, size, sha256, sealed_at, version_id, status, received_at, delivered_at, receipt)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    delivered: db.prepare(
      `UPDATE seen SET delivered = CASE WHEN sha256 = @sha256 AND size >= 0 AND NOT EXISTS (
           SELECT 1 FROM parcels y JOIN parcels p ON p.source_id = y.source_id AND p.path = y.path AND y.seq > p.seq
           WHERE p.capture_id = +@captureId) THEN 2 ELSE 1 END
       WHERE folder_id = (SELECT f.id FROM folders f JOIN sources q ON q.id = f.source_id
         WHERE q.client = +@client AND q.name = +@source AND f.path = +@folder) AND name = +@name`,
    ),
    // Only the state that this parcel was sealed from is void: a younger capture of the path stands on its own. Whether
    // the receiver has this one is not known (its answer may have been lost to a crash), so a vanishing must be told.
    invalidate: db.prepare(
      `UPDATE seen SET delivered = 1,
         size = CASE WHEN sha256 = @sha256 THEN -1 ELSE size END,
         sha256 = CASE WHEN sha256 = @sha256 THEN x'' ELSE sha256 END
       WHERE folder_id = (SELECT f.id FROM folders f JOIN sources q ON q.id = f.source_id
         WHERE q.client = +@client AND q.name = +@source AND f.path = +@folder) AND name = +@name`,
    ),
    prune: db.prepare(
      `DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries ORDER BY seq LIMIT ${PRUNE_ROWS})
       AND (delivered_at < ? OR seq <= (SELECT MAX(seq) FROM deliveries) - ?)`,
    ),
  };
}

export interface Ended {
  readonly parcel: Parcel;
  readonly end: ParcelEnd;
}

/** `words`: what is written of a problem's words. `ended` is told after the commit. */
export function sqliteOutbox(
  db: QueueFile,
  retention: Retention,
  now: () => number,
  words: (text: string) => string,
  ended: (ends: readonly Ended[]) => void,
): Outbox {
  const sql = statements(db);
  const ready = readyParcels(db);
  const retake = retakeAside(db, now);
  const timed = timedAside(db);
  const handedOut = new Set<string>();
  const unstored = new Map<string, number>();
  let sincePrune = PRUNE_EVERY;

  /** `aside`: some parcel may be set aside. */
  function endOne(captureId: string, end: ParcelEnd, aside: boolean): readonly Ended[] {
    const row = sql.byCapture.get(captureId);
    if (row === undefined) return [];
    const overtaken = aside && end.kind === "delivered" ? overtake(captureId, end.at) : [];
    const parcel = toParcel(row);
    const { folder, name } = split(parcel.path);
    const place = { client: parcel.client, source: parcel.source, folder, name, sha256: row.sha256 };
    switch (end.kind) {
      case "delivered":
        log(parcel, end);
        if (parcel.kind === "version") sql.delivered.run({ ...place, captureId });
        sql.remove.run(captureId);
        break;
      case "superseded":
        if (parcel.kind === "version") sql.invalidate.run(place);
        sql.remove.run(captureId);
        break;
      case "aside":
        sql.aside.run({
          at: end.at,
          code: end.code,
          detail: words(end.detail),
          until: Math.ceil(end.until ?? 0),
          captureId,
        });
        if (end.until !== undefined) timed.until(end.until);
        break;
      case "overtaken":
        sql.remove.run(captureId);
        break;
    }
    sql.next.run(parcel.client, parcel.source, parcel.path);
    return [...overtaken, { parcel, end }];
  }

  /** Of the path of a parcel that is delivered: what was set aside before it. */
  function overtake(captureId: string, at: number): readonly Ended[] {
    const older = sql.olderAside.all(captureId).map(toParcel);
    for (const parcel of older) sql.remove.run(parcel.captureId);
    return older.map((parcel) => ({ parcel, end: { kind: "overtaken", at } }));
  }

  function log(parcel: Parcel, end: ParcelEnd & { kind: "delivered" }): void {
    const version = parcel.kind === "version" ? parcel : undefined;
    sql.log.run(
      parcel.captureId,
      parcel.kind,
      parcel.client,
      parcel.source,
      parcel.path,
      version ? toColumns(version.state)[0] : null,
      version ? Buffer.from(version.sha256, "hex") : null,
      parcel.sealedAt,
      end.versionId,
      end.status,
      end.receivedAt,
      end.at,
      end.receipt,
    );
    sincePrune += 1;
    if (sincePrune < PRUNE_EVERY) return;
    sincePrune = 0;
    sql.prune.run(end.at - retention.days * 86_400_000, retention.rows);
  }

  const endMany = db.transaction((ends: readonly { captureId: string; end: ParcelEnd }[]) => {
    // Asked once for all: looking for each would take a quarter of the time.
    let aside = sql.anyAside.get() !== undefined;
    return ends.flatMap(({ captureId, end }) => {
      aside ||= end.kind === "aside";
      return endOne(captureId, end, aside);
    });
  });

  const postponeMany = db.transaction((postponed: readonly Postponement[]) => {
    for (const { captureId, until, problem } of postponed)
      sql.postpone.run(Math.max(1, Math.ceil(until)), problem.code, words(problem.detail), now(), captureId);
  });

  function endAll(ends: readonly { readonly captureId: string; readonly end: ParcelEnd }[]): void {
    if (ends.length === 0) return;
    try {
      const done = diskFull(() => endMany.immediate(ends));
      // The next of a path may be older than what was handed out last; and numbers that went come again.
      ready.rewind();
      for (const { captureId } of ends) {
        handedOut.delete(captureId);
        unstored.delete(captureId);
      }
      ended(done);
    } catch (error) {
      // Not stored, so not ended: it goes again, and the receiver answers with the same receipt.
      const until = Math.max(...ends.map(({ end }) => end.at)) + HELD_MS;
      for (const { captureId } of ends) hold(captureId, until);
      throw error;
    }
  }

  function hold(captureId: string, until: number): void {
    handedOut.delete(captureId);
    unstored.set(captureId, until);
  }

  /** In memory only when it cannot be stored: a full disk must not stop what needs no disk. */
  function stored(work: () => unknown): boolean {
    try {
      diskFull(work);
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "disk-full") throw error;
      return false;
    }
  }

  /** What it touches may be older than what was handed out last. */
  function wake(work: () => unknown): void {
    stored(work);
    ready.rewind();
  }

  const isOut = (captureId: string): boolean => handedOut.has(captureId) || unstored.has(captureId);

  return {
    take(limit, at, admit = () => "yes") {
      for (const [captureId, until] of unstored)
        if (until <= at && unstored.delete(captureId)) ready.rewind();
      if (sql.anyDue.get(at) !== undefined) wake(() => sql.wake.run(at));
      const taken = ready.take(limit, isOut, admit);
      for (const { capture_id } of taken) handedOut.add(capture_id);
      return taken.map(({ seq }) => toWaiting(sql.bySeq.get(seq) as ParcelRow));
    },
    giveBack(captureIds) {
      for (const captureId of captureIds) handedOut.delete(captureId);
      ready.rewind();
    },
    wakeAll() {
      unstored.clear();
      wake(() => {
        sql.wake.run(Number.MAX_SAFE_INTEGER);
        timed.wakeAll();
      });
    },
    retake() {
      let count = 0;
      wake(() => {
        timed.ask(now());
        count = retake(isOut);
      });
      return count;
    },
    wakeSource(name) {
      wake(() => sql.wakeSource.run(name));
    },
    nextDue() {
      const times = [...unstored.values()];
      const stored = sql.nextDue.get();
      if (stored !== null && stored !== undefined) times.push(stored);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    postpone(postponed) {
      const done = stored(() => postponeMany.immediate(postponed));
      for (const { captureId, until } of postponed)
        if (done) handedOut.delete(captureId);
        else hold(captureId, until);
    },
    end: (captureId, end) => endAll([{ captureId, end }]),
    endAll,
  };
}
