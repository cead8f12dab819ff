/** Limits as the ledger keeps them: of clients, and narrower ones of single agents, API keys and SFTP accounts. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Frequency, formatFrequency, parseFrequency } from "@tributary/shared/units.ts";
import { named, type Writer, writing } from "./database.ts";
import type { Database, Tables } from "./schema.ts";

/** Null: none of its own. */
export interface Limits {
  readonly requests: Frequency | null;
  /** Uploads at once. */
  readonly uploads: number | null;
}

/** Of an agent, API key or SFTP account; in bytes: `day` what it may bring on one UTC day, `file` its largest file. */
export interface BearerLimits extends Limits {
  readonly day: number | null;
  readonly file: number | null;
}

/** What a bearer has brought on the UTC day of `now`, with its limits. */
export interface BearerState {
  readonly limits: BearerLimits;
  readonly dayBytes: number;
}

/** Undefined is left as it is; null is taken back. */
export type Changes<L> = { readonly [K in keyof L]?: L[K] | undefined };

export const NO_LIMITS: BearerLimits = { requests: null, uploads: null, day: null, file: null };

type LimitColumns = Pick<Tables["bearers"], "limit_requests" | "limit_uploads">;
type BearerColumns = LimitColumns & Pick<Tables["bearers"], "quota_day" | "quota_file">;

export function limitsOf(row: { readonly [C in keyof LimitColumns]: LimitColumns[C] }): Limits {
  return {
    requests: row.limit_requests === null ? null : (parseFrequency(row.limit_requests) ?? null),
    uploads: row.limit_uploads,
  };
}

/** Undefined when it has none: most have none, and whoever asks about each request wants to know nothing more. */
export function bearerLimitsOf(
  row: {
    readonly [C in keyof BearerColumns]: BearerColumns[C];
  },
): BearerLimits | undefined {
  const limits = { ...limitsOf(row), day: row.quota_day, file: row.quota_file };
  return Object.values(limits).every((limit) => limit === null) ? undefined : limits;
}

export function limitColumns({ requests, uploads }: Changes<Limits>): Partial<LimitColumns> {
  return {
    ...(requests === undefined ? {} : { limit_requests: requests && formatFrequency(requests) }),
    ...(uploads === undefined ? {} : { limit_uploads: uploads }),
  };
}

/** All that have limits or have brought something, by their ids. */
export async function bearerStates(
  db: Database,
  ids: readonly string[] | "all",
  now = Date.now(),
): Promise<ReadonlyMap<string, BearerState>> {
  const today = new Date(now).toISOString().slice(0, 10);
  if (ids.length === 0) return new Map();
  const all = db.selectFrom("bearers").selectAll();
  const rows = await named(() => (ids === "all" ? all : all.where("bearer", "in", ids)).execute());
  return new Map(
    rows.map((row) => [
      row.bearer,
      { limits: bearerLimitsOf(row) ?? NO_LIMITS, dayBytes: row.day === today ? row.day_bytes : 0 },
    ]),
  );
}

/** In force everywhere within 2 s. Throws `not-found`. */
export async function setBearerLimits(
  db: Database,
  kind: "agent" | "key",
  id: string,
  limits: Changes<BearerLimits>,
): Promise<void> {
  await writing(db, async (trx) => {
    const table = kind === "agent" ? "agents" : "api_keys";
    const known = await trx.selectFrom(table).select("id").where("id", "=", id).executeTakeFirst();
    if (known === undefined)
      throw new ProblemError(
        "not-found",
        `there is no ${kind === "agent" ? "agent" : "API key"} ${id}; see: tributary-receiver ${kind} list`,
      );
    await writeBearerLimits(trx, id, limits);
  });
}

/** For whoever makes the bearer in the same transaction. */
export async function writeBearerLimits(
  trx: Writer,
  bearer: string,
  limits: Changes<BearerLimits>,
): Promise<void> {
  const columns = {
    bearer,
    ...limitColumns(limits),
    ...(limits.day === undefined ? {} : { quota_day: limits.day }),
    ...(limits.file === undefined ? {} : { quota_file: limits.file }),
  };
  await trx
    .insertInto("bearers")
    .values({ ...columns, day: "", day_bytes: 0 })
    .onConflict((oc) => oc.column("bearer").doUpdateSet(columns))
    .execute();
}
