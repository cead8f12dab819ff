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

export interface QueueStatus {
  depth(): QueueDepth;
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

  return {
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
