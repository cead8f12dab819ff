/**
 * What was set aside, and how it comes back: `retry` asks for it in the queue's file, or the time is over for which it
 * was set aside (`due`); the running agent, which alone knows what is on its way, puts it back into its turn. Once a younger capture of the path is delivered there is no
 * turn for it any more: it is dropped with its copy, so copies of what is set aside are as few as the paths.
 */
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { diskFull, type QueueFile } from "./database.ts";
import { split } from "./rows.ts";

export interface Aside {
  readonly client: string;
  readonly source: string;
  readonly path: Buffer;
}

/** Asks that the agent sends again what `wanted` picks out of all that is set aside. How many that are. Throws `disk-full`. */
export function askRetry(db: QueueFile, wanted: (aside: Aside) => boolean): number {
  const all = db.prepare<[], Aside & { seq: number }>(
    `SELECT p.seq, q.client, q.name AS source, p.path FROM parcels p JOIN sources q ON q.id = p.source_id
     WHERE p.aside_at IS NOT NULL ORDER BY p.seq`,
  );
  const ask = db.prepare("UPDATE parcels SET retry_asked = 1 WHERE seq = ? AND aside_at IS NOT NULL");
  const askAll = db.transaction(() => {
    const picked = all.all().filter(wanted);
    for (const { seq } of picked) ask.run(seq);
    return picked.length;
  });
  return diskFull(() => askAll.immediate());
}

/**
 * Puts back what was asked for, before what was sealed of its path since. While something of the path is on its way, later.
 * A file that vanished meanwhile, never delivered, left no trace but this: its removal is put behind. `now`: ms since 1970.
 */
export function retakeAside(
  db: QueueFile,
  now: () => number,
): (out: (captureId: string) => boolean) => number {
  const asked = db.prepare<[], { source_id: number; path: Buffer }>(
    "SELECT DISTINCT source_id, path FROM parcels WHERE retry_asked = 1",
  );
  const head = db
    .prepare<[number, Buffer], string>(
      "SELECT capture_id FROM parcels WHERE source_id = ? AND path = ? AND head = 1",
    )
    .pluck();
  const back = db.prepare(
    `UPDATE parcels SET retry_asked = 0, aside_at = NULL, due = 0, attempts = 0, problem_code = NULL,
     problem_detail = NULL, problem_since = CASE WHEN due > 0 THEN problem_since END WHERE source_id = ? AND path = ? AND retry_asked = 1`,
  );
  const oldest = db.prepare(
    `UPDATE parcels SET head = (seq = (SELECT MIN(p.seq) FROM parcels p WHERE p.source_id = parcels.source_id
       AND p.path = parcels.path AND p.aside_at IS NULL)) WHERE source_id = ? AND path = ?`,
  );
  const isSeen = db.prepare<[number, Buffer, Buffer], unknown>(
    `SELECT 1 FROM seen WHERE folder_id = (SELECT id FROM folders WHERE source_id = ? AND path = ?) AND name = ?`,
  );
  const youngest = db
    .prepare<[number, Buffer], string>(
      "SELECT kind FROM parcels WHERE source_id = ? AND path = ? AND aside_at IS NULL ORDER BY seq DESC LIMIT 1",
    )
    .pluck();
  const remove = db.prepare(
    "INSERT INTO parcels (capture_id, kind, source_id, path, sealed_at, head) VALUES (?, 'removal', ?, ?, ?, 0)",
  );
  const retake = db.transaction((out: (captureId: string) => boolean) => {
    let count = 0;
    for (const { source_id, path } of asked.all()) {
      const first = head.get(source_id, path);
      if (first !== undefined && out(first)) continue;
      count += back.run(source_id, path).changes;
      oldest.run(source_id, path);
      const { folder, name } = split(path);
      if (isSeen.get(source_id, folder, name) === undefined && youngest.get(source_id, path) === "version")
        remove.run(uuidv7(), source_id, path, new Date(now()).toISOString());
    }
    return count;
  });
  return (out) => (asked.get() === undefined ? 0 : retake.immediate(out));
}

/** Asks for what is set aside for a time, when that is over. It is looked for only then: there may be many that are not. */
export function timedAside(db: QueueFile): {
  ask(now: number): void;
  /** Something was set aside until then. */
  until(due: number): void;
  /** For all of them the time is over. */
  wakeAll(): void;
} {
  const earliest = db
    .prepare<[], number | null>("SELECT MIN(due) FROM parcels WHERE aside_at IS NOT NULL AND due > 0")
    .pluck();
  const askDue = db.prepare(
    "UPDATE parcels SET retry_asked = 1 WHERE aside_at IS NOT NULL AND due > 0 AND due <= ?",
  );
  // What waits to be put back is asked for again and again, which changes nothing.
  const next = (): number => earliest.get() ?? Number.POSITIVE_INFINITY;
  let due = next();
  return {
    ask(now) {
      if (now < due) return;
      askDue.run(now);
      due = next();
    },
    until(at) {
      due = Math.min(due, at);
    },
    wakeAll() {
      due = Math.min(due, 0);
      askDue.run(Number.MAX_SAFE_INTEGER);
    },
  };
}
