/** What the queue holds, for `status`, the heartbeat and `doctor`: read-only, also beside a running agent. */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { QueueFile } from "./database.ts";
import type { ProblemRecord, QueueDepth } from "./queue.ts";

/** A problem, with the parcel it holds back where there is one. */
export interface ListedProblem extends ProblemRecord {
  readonly client: string;
  /** undefined: a file, folder or source that cannot be captured. */
  readonly captureId: string | undefined;
  /** Set aside: not sent again by itself. */
  readonly aside: boolean;
  /** RFC 3339; when it is tried again, where that is not at once. */
  readonly until: string | undefined;
}

export interface ListedParcel {
  readonly captureId: string;
  readonly kind: "version" | "removal";
  readonly client: string;
  readonly source: string;
  readonly path: Buffer;
  readonly size: number | null;
  readonly sealedAt: string;
  readonly attempts: number;
  /** ms; 0 when it may go at once. */
  readonly due: number;
}

export interface Delivery {
  readonly seq: number;
  readonly captureId: string;
  readonly kind: "version" | "removal";
  readonly client: string;
  readonly source: string;
  readonly path: Buffer;
  readonly size: number | null;
  readonly sealedAt: string;
  readonly versionId: string;
  readonly status: string;
  readonly receivedAt: string;
  /** ms. */
  readonly deliveredAt: number;
  readonly receipt: string;
}

export interface SourceRecord {
  readonly client: string;
  readonly source: string;
  readonly rootId: string | null;
  /** ms. */
  readonly lastScanAt: number | null;
  readonly files: number;
}

/** What waits of one source, and what of it is set aside. */
export interface SourceWaiting {
  readonly client: string;
  readonly source: string;
  readonly files: number;
  readonly bytes: number;
  readonly oldestSealedAt: string | undefined;
  readonly aside: number;
}

/** So many files of one source wait for one reason; `path` one of them, `since` ms of the first. */
export interface SourceProblems {
  readonly client: string;
  readonly source: string;
  readonly code: ProblemCode;
  /** Another program has them. */
  readonly locked: boolean;
  readonly count: number;
  readonly since: number;
  readonly path: Buffer;
}

export interface SourceDelivered {
  readonly client: string;
  readonly source: string;
  readonly files: number;
  readonly bytes: number;
}

export interface QueueStatus {
  depth(): QueueDepth;
  /** Of the sources of which something waits or is set aside. */
  waitingBySource(): SourceWaiting[];
  /** What cannot be captured, without what is sealed. */
  uncaptured(): SourceProblems[];
  /** What is sealed and postponed for a reason of its own to later than `now` (ms). */
  postponed(now: number): SourceProblems[];
  /** Versions that left since then (ms). */
  deliveredSince(at: number): SourceDelivered[];
  /** Oldest first. */
  problems(limit: number): ListedProblem[];
  problemCount(): number;
  /** Oldest first, without what is set aside. */
  waiting(limit: number): ListedParcel[];
  /** Newest first; `before` a seq, for pages. */
  deliveries(limit: number, before?: number): Delivery[];
  sources(): SourceRecord[];
  /** Copies in the spool that a parcel still needs, each with the source that it is of, as "client/source". */
  spooled(): Map<string, string>;
  /** Copies in the spool that are still to become whole. */
  begun(): Set<string>;
}

interface ProblemRow {
  client: string;
  source: string;
  path: Buffer;
  code: string;
  detail: string;
  since: number;
  captureId: string | null;
  aside: number;
  due: number;
}

interface WaitingRow {
  readonly id: number;
  readonly files: number;
  readonly bytes: number;
  readonly seq: number;
}

interface ProblemsRow extends Omit<SourceProblems, "locked"> {
  readonly locked: number;
}

const toProblems = (row: ProblemsRow): SourceProblems => ({ ...row, locked: row.locked === 1 });

// The path is that of the row with the smallest `since`, as SQLite has it of a bare column beside MIN.
const GROUPED = `SELECT q.client, q.name AS source, p.code,
  (p.detail LIKE '%EBUSY%' OR p.detail LIKE '%ETXTBSY%') AS locked, COUNT(*) AS count, MIN(p.since) AS since, p.path`;
const BY_CODE = "GROUP BY p.source_id, p.code, locked";

const ALL_PROBLEMS = `
  SELECT q.client, q.name AS source, p.path, p.code, p.detail, p.since, NULL AS captureId, 0 AS aside, 0 AS due
    FROM problems p JOIN sources q ON q.id = p.source_id
  UNION ALL
  SELECT q.client, q.name, p.path, p.problem_code, p.problem_detail, p.problem_since, p.capture_id, p.aside_at IS NOT NULL, p.due
    FROM parcels p JOIN sources q ON q.id = p.source_id WHERE p.problem_code IS NOT NULL`;

export function queueStatus(db: QueueFile): QueueStatus {
  const depth = db.prepare<[], { depth: number; bytes: number }>(
    "SELECT COUNT(*) AS depth, COALESCE(SUM(size), 0) AS bytes FROM parcels WHERE aside_at IS NULL",
  );
  const oldest = db
    .prepare<[], string>("SELECT sealed_at FROM parcels WHERE aside_at IS NULL ORDER BY seq LIMIT 1")
    .pluck();
  const aside = db.prepare<[], number>("SELECT COUNT(*) FROM parcels WHERE aside_at IS NOT NULL").pluck();
  const problems = db.prepare<[number], ProblemRow>(
    `${ALL_PROBLEMS} ORDER BY since, client, source, path LIMIT ?`,
  );
  const problemCount = db
    .prepare<[], number>(
      "SELECT (SELECT COUNT(*) FROM problems) + (SELECT COUNT(*) FROM parcels WHERE problem_code IS NOT NULL)",
    )
    .pluck();
  const waiting = db.prepare<[number], ListedParcel>(
    `SELECT p.capture_id AS captureId, p.kind, q.client, q.name AS source, p.path, p.size, p.sealed_at AS sealedAt,
       p.attempts, p.due
     FROM parcels p JOIN sources q ON q.id = p.source_id WHERE p.aside_at IS NULL ORDER BY p.seq LIMIT ?`,
  );
  const deliveries = db.prepare<[number, number], Delivery>(
    `SELECT seq, capture_id AS captureId, kind, client, source, path, size, sealed_at AS sealedAt, version_id AS versionId,
       status, received_at AS receivedAt, delivered_at AS deliveredAt, receipt
     FROM deliveries WHERE seq < ? ORDER BY seq DESC LIMIT ?`,
  );
  const sources = db.prepare<[], SourceRecord>(
    `SELECT client, name AS source, root_id AS rootId, last_scan_at AS lastScanAt, files FROM sources ORDER BY client, name`,
  );
  const spooled = db.prepare<[], { name: string; owner: string }>(
    `SELECT p.spooled AS name, q.client || '/' || q.name AS owner
     FROM parcels p JOIN sources q ON q.id = p.source_id WHERE p.spooled IS NOT NULL`,
  );
  const begun = db.prepare<[], string>("SELECT spooled FROM fetches").pluck();

  const waitingBySource = db.prepare<[], WaitingRow>(
    `SELECT source_id AS id, COUNT(*) AS files, COALESCE(SUM(size), 0) AS bytes, MIN(seq) AS seq
     FROM parcels WHERE aside_at IS NULL GROUP BY source_id`,
  );
  const asideBySource = db.prepare<[], { id: number; aside: number }>(
    // The plus: grouped in the order of an index SQLite would go through all that there is.
    "SELECT source_id AS id, COUNT(*) AS aside FROM parcels WHERE aside_at IS NOT NULL GROUP BY +source_id",
  );
  const places = db.prepare<[], { id: number; client: string; source: string }>(
    "SELECT id, client, name AS source FROM sources ORDER BY client, name",
  );
  const sealedAt = db.prepare<[number], string>("SELECT sealed_at FROM parcels WHERE seq = ?").pluck();
  const uncaptured = db.prepare<[], ProblemsRow>(`${GROUPED}
    FROM (SELECT source_id, path, code, detail, since FROM problems) p JOIN sources q ON q.id = p.source_id ${BY_CODE}`);
  const postponed = db.prepare<[number], ProblemsRow>(`${GROUPED}
    FROM (SELECT source_id, path, problem_code AS code, problem_detail AS detail, problem_since AS since
      FROM parcels WHERE head = 1 AND due > 0 AND due > ? AND problem_code IS NOT NULL) p
    JOIN sources q ON q.id = p.source_id ${BY_CODE}`);
  const deliveryFrom = db.prepare<[number], { seq: number; at: number }>(
    "SELECT seq, delivered_at AS at FROM deliveries WHERE seq >= ? ORDER BY seq LIMIT 1",
  );
  const lastDelivery = db.prepare<[], number | null>("SELECT MAX(seq) FROM deliveries").pluck();
  const deliveredFrom = db.prepare<[number, number], SourceDelivered>(
    `SELECT client, source, COUNT(*) AS files, COALESCE(SUM(size), 0) AS bytes FROM deliveries
     WHERE seq >= ? AND delivered_at >= ? AND kind = 'version' GROUP BY client, source`,
  );

  return {
    waitingBySource() {
      const waits = new Map(waitingBySource.all().map((row) => [row.id, row]));
      const asides = new Map(asideBySource.all().map(({ id, aside }) => [id, aside]));
      if (waits.size === 0 && asides.size === 0) return [];
      return places.all().flatMap(({ id, client, source }) => {
        const { files = 0, bytes = 0, seq } = waits.get(id) ?? {};
        const aside = asides.get(id) ?? 0;
        if (files === 0 && aside === 0) return [];
        const oldestSealedAt = seq === undefined ? undefined : sealedAt.get(seq);
        return [{ client, source, files, bytes, oldestSealedAt, aside }];
      });
    },
    uncaptured: () => uncaptured.all().map(toProblems),
    postponed: (now) => postponed.all(Math.floor(now)).map(toProblems),
    deliveredSince(at) {
      // Their times rise with seq, but for a clock that was set: so the first of them is found in a few looks.
      let [low, high] = [0, (lastDelivery.get() ?? 0) + 1];
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const found = deliveryFrom.get(middle);
        if (found === undefined || found.at >= at) high = middle;
        else low = found.seq + 1;
      }
      return deliveredFrom.all(low, at);
    },
    depth() {
      const row = depth.get() ?? { depth: 0, bytes: 0 };
      return { ...row, oldestSealedAt: oldest.get(), aside: aside.get() ?? 0 };
    },
    problems: (limit) =>
      problems.all(limit).map(({ due, ...row }) => ({
        ...row,
        code: row.code as ProblemCode,
        since: new Date(row.since).toISOString(),
        captureId: row.captureId ?? undefined,
        aside: row.aside === 1,
        until: due === 0 ? undefined : new Date(due).toISOString(),
      })),
    problemCount: () => problemCount.get() ?? 0,
    waiting: (limit) => waiting.all(limit),
    deliveries: (limit, before = Number.MAX_SAFE_INTEGER) => deliveries.all(before, limit),
    sources: () => sources.all(),
    spooled: () => new Map(spooled.all().map(({ name, owner }) => [name, owner])),
    begun: () => new Set(begun.all()),
  };
}
