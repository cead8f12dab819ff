/** What is known of one source as a whole, and what is wrong in it: read by `status` and the heartbeat. */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import { diskFull, type QueueFile } from "./database.ts";
import type { SourceBook } from "./queue.ts";

interface Kept {
  readonly path: Buffer;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly since: number;
  stored: boolean;
}

export function sqliteBook(db: QueueFile, sourceId: number, words: (text: string) => string): SourceBook {
  const root = db.prepare<[], string | null>(`SELECT root_id FROM sources WHERE id = ${sourceId}`).pluck();
  const setRoot = db.prepare(`UPDATE sources SET root_id = ? WHERE id = ${sourceId}`);
  const scanned = db.prepare(`UPDATE sources SET last_scan_at = ?, files = ? WHERE id = ${sourceId}`);
  const lastScan = db
    .prepare<[], number | null>(`SELECT last_scan_at FROM sources WHERE id = ${sourceId}`)
    .pluck();
  const mounts = db.prepare<[], { path: Buffer; device: string }>(
    `SELECT path, device FROM mounts WHERE source_id = ${sourceId}`,
  );
  const mount = db.prepare(
    `INSERT OR IGNORE INTO mounts (source_id, path, device) VALUES (${sourceId}, ?, ?)`,
  );
  const forgetMounts = db.prepare(`DELETE FROM mounts WHERE source_id = ${sourceId}`);
  const record = db.transaction((rootId: string | undefined) => {
    setRoot.run(rootId ?? null);
    if (rootId === undefined) forgetMounts.run();
  });
  const all = db.prepare<[], { path: Buffer; code: ProblemCode; detail: string; since: number }>(
    `SELECT path, code, detail, since FROM problems WHERE source_id = ${sourceId}`,
  );
  const insert = db.prepare(
    `INSERT INTO problems (source_id, path, code, detail, since) VALUES (${sourceId}, ?, ?, ?, ?)
     ON CONFLICT (source_id, path) DO UPDATE SET code = excluded.code, detail = excluded.detail`,
  );
  const remove = db.prepare(`DELETE FROM problems WHERE source_id = ${sourceId} AND path = ?`);
  const known = new Map<string, Kept>();
  for (const row of all.iterate()) known.set(row.path.toString("latin1"), { ...row, stored: true });

  /** A full disk must not hide a problem: it stays known here, and is written when there is room. */
  function tryStore(work: () => unknown): boolean {
    try {
      diskFull(work);
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "disk-full") throw error;
      return false;
    }
  }

  return {
    rootId: () => root.get() ?? undefined,
    recordRoot: (rootId) => diskFull(() => record.immediate(rootId)),
    mounts: () => mounts.all(),
    recordMount: (path, device) => void diskFull(() => mount.run(path, device)),
    lastScanAt: () => lastScan.get() ?? undefined,
    scanFinished: (at, files) => void tryStore(() => scanned.run(at, files)),
    problem(path, code, said, now) {
      const detail = words(said);
      const key = path.toString("latin1");
      const before = known.get(key);
      if (before?.stored && before.code === code && before.detail === detail) return false;
      const kept: Kept = { path, code, detail, since: before?.since ?? now, stored: false };
      known.set(key, kept);
      kept.stored = tryStore(() => insert.run(path, code, detail, kept.since));
      return before?.code !== code;
    },
    recovered(path) {
      const before = known.get(path.toString("latin1"));
      if (before === undefined) return false;
      known.delete(path.toString("latin1"));
      if (before.stored) tryStore(() => remove.run(path));
      return true;
    },
    *problems() {
      for (const { path, code } of known.values()) yield { path, code };
    },
    problemCount: () => known.size,
  };
}
