/** The queue in one SQLite file: composed of the courier's side, capture's side per source, and what `status` reads. */

import type { Fetches } from "../seal/fetches.ts";
import { sqliteBook } from "./book.ts";
import { diskFull, openQueueFile, openToRead, type QueueFile } from "./database.ts";
import { sqliteFetches } from "./fetches.ts";
import { sqliteIntake } from "./intake.ts";
import { type Ended, type Retention, sqliteOutbox } from "./outbox.ts";
import type { Intake, Outbox, SourceBook, Takeover } from "./queue.ts";
import { type Shared, sqliteShared } from "./shared.ts";
import { type QueueStatus, queueStatus } from "./status.ts";
import { sqliteTakeover } from "./takeover.ts";

export interface SqliteQueue {
  readonly outbox: Outbox;
  readonly status: QueueStatus;
  /** Capture's side for one source. Throws `disk-full` for one that is new. */
  intake(client: string, source: string): Intake;
  book(client: string, source: string): SourceBook;
  fetches(client: string, source: string): Fetches;
  takeover(client: string, source: string): Takeover;
  readonly shared: Shared;
  /** Whether anything of the source is to leave. */
  waits(client: string, source: string): boolean;
  /** `put` brought something to send. The answer unsubscribes. */
  onPut(listener: () => void): () => void;
  /** Parcels ended, after their commit: what captures the file again, acts on it, or frees the spool. */
  onEnd(listener: (ends: readonly Ended[]) => void): () => void;
  close(): void;
}

/** Capture's side of a queue that is only looked at: undefined where this source was never captured. Nothing is written, not even a row for the source. */
export function lookInto(
  file: string,
  client: string,
  source: string,
): { readonly known: Intake; close(): void } | undefined {
  const db = openToRead(file);
  if (db === undefined) return undefined;
  const id = db
    .prepare<[string, string], number>("SELECT id FROM sources WHERE client = ? AND name = ?")
    .pluck()
    .get(client, source);
  if (id !== undefined)
    return { known: sqliteIntake(db, { client, source, id }, () => {}), close: () => void db.close() };
  db.close();
  return undefined;
}

export interface QueueOptions {
  readonly retention?: Retention;
  /** ms; the host's clock. */
  readonly now?: () => number;
  /** What is written of a problem's words: a secret in them would stay on the disk. */
  readonly words?: (text: string) => string;
}

/** `file` is queue.sqlite under --data; created when absent. Throws `disk-full`. */
export function openQueue(file: string, options: QueueOptions = {}): SqliteQueue {
  return queueOn(openQueueFile(file), options);
}

/** The queue on a file that is open: a test may bound its pages. */
export function queueOn(db: QueueFile, options: QueueOptions = {}): SqliteQueue {
  const puts = new Set<() => void>();
  const ends = new Set<(ends: readonly Ended[]) => void>();
  const words = options.words ?? ((text) => text);
  const outbox = sqliteOutbox(
    db,
    options.retention ?? { days: 90, rows: 1_000_000 },
    options.now ?? Date.now,
    words,
    (done) => {
      for (const listener of ends) listener(done);
    },
  );
  const waits = db
    .prepare<[string, string], number>(
      `SELECT EXISTS (SELECT 1 FROM parcels WHERE aside_at IS NULL
         AND source_id = (SELECT id FROM sources WHERE client = ? AND name = ?))`,
    )
    .pluck();
  return {
    outbox,
    status: queueStatus(db),
    intake: (client, source) =>
      sqliteIntake(db, { client, source, id: sourceId(db, client, source) }, () => {
        for (const listener of puts) listener();
      }),
    book: (client, source) => sqliteBook(db, sourceId(db, client, source), words),
    fetches: (client, source) => sqliteFetches(db, sourceId(db, client, source)),
    takeover: (client, source) => sqliteTakeover(db, sourceId(db, client, source)),
    shared: sqliteShared(db),
    waits: (client, source) => waits.get(client, source) === 1,
    onPut: (listener) => subscribe(puts, listener),
    onEnd: (listener) => subscribe(ends, listener),
    close: () => void db.close(),
  };
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function sourceId(db: QueueFile, client: string, source: string): number {
  const find = db
    .prepare<[string, string], number>("SELECT id FROM sources WHERE client = ? AND name = ?")
    .pluck();
  const found = find.get(client, source);
  if (found !== undefined) return found;
  const insert = db.prepare("INSERT INTO sources (client, name) VALUES (?, ?) ON CONFLICT DO NOTHING");
  diskFull(() => insert.run(client, source));
  return find.get(client, source) as number;
}
