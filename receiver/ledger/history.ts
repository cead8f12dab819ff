/** Reading the ledger: pages of entries, single ones, the tail. Nothing here writes. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type SelectQueryBuilder, sql } from "kysely";
import { chunks } from "./chunks.ts";
import { named } from "./database.ts";
import { type EntryRow, entryOf, manifestLineOf, pathHash } from "./entry.ts";
import type { History, HistoryQuery, Scope } from "./ledger.ts";
import type { Database, Tables } from "./schema.ts";

export function createHistory(db: Database): History {
  return {
    async page(query) {
      if (query.clients !== "all" && query.clients.length === 0) return { entries: [], next: undefined };
      const rows = await named(() => select(db, query).execute());
      const page = rows.slice(0, query.limit);
      return {
        entries: page.map((row) => entryOf(row)),
        next: rows.length > query.limit ? page.at(-1)?.seq : undefined,
      };
    },
    async version(versionId) {
      const row = await named(() =>
        db.selectFrom("entries").selectAll().where("version_id", "=", versionId).executeTakeFirst(),
      );
      return row && manifestLineOf(row);
    },
    async since(after, limit, scope = EVERYTHING) {
      if (scope.clients.length === 0) return [];
      const rows = await named(() => scoped(db, scope).where("e.seq", ">", after).limit(limit).execute());
      return rows.map((row) => manifestLineOf(row));
    },
    async position() {
      const site = await named(() =>
        db
          .selectFrom("site")
          .select(["epoch", "last_seq as seq"])
          .where("id", "=", 1)
          .executeTakeFirstOrThrow(),
      );
      return site;
    },
    async named(versionIds) {
      const found = new Set<string>();
      for (const some of chunks(versionIds)) {
        const rows = await named(() =>
          db.selectFrom("entries").select("version_id").where("version_id", "in", some).execute(),
        );
        for (const row of rows) found.add(row.version_id);
      }
      return found;
    },
  };
}

type Select = SelectQueryBuilder<Tables & { e: Tables["entries"] }, "e", EntryRow>;

const EVERYTHING: Scope = { clients: "all" };

/** In commit order, found through the index on (client, seq): a quiet client costs nothing among busy ones. */
function scoped(db: Database, { clients, source, broughtBy }: Scope): Select {
  let rows: Select = db.selectFrom("entries as e").selectAll("e").orderBy("e.seq");
  if (clients !== "all") rows = rows.where("e.client", "in", clients);
  if (source !== undefined) rows = rows.where("e.source", "=", source);
  if (broughtBy !== undefined) rows = rows.where("e.bearer", "=", broughtBy);
  return rows;
}

/** One row more than the page holds, to know whether there is another page. */
function select(db: Database, query: HistoryQuery): Select {
  const { pathEncoded } = query;
  const asOf = query.asOf === undefined ? undefined : timeOf(query.asOf);
  const ofSource = pathEncoded === undefined && asOf === undefined ? newestOfSource(db, query) : undefined;
  if (ofSource !== undefined) return ofSource;
  let rows = scoped(db, query)
    .where("e.seq", ">", query.after ?? 0)
    .limit(query.limit + 1);
  if (pathEncoded !== undefined) rows = rows.where("e.path_hash", "=", pathHash(pathEncoded));
  if (asOf !== undefined) rows = rows.where("e.received_at", "<=", asOf);
  return query.latest ? newest(query.removals === true ? rows : versions(rows), asOf) : rows;
}

const versions = (rows: Select): Select => rows.where("e.kind", "=", "version");

/**
 * The newest entries of one source: a page costs what it holds, however many entries its client has. Undefined when that
 * is not what is asked for.
 */
function newestOfSource(db: Database, query: HistoryQuery): Select | undefined {
  const { clients, source, broughtBy, latest, after, limit } = query;
  if (latest !== true || clients === "all" || clients.length !== 1 || source === undefined) return undefined;
  let rows: Select = db
    .selectFrom("heads as h")
    .innerJoin("entries as e", "e.seq", "h.seq")
    .selectAll("e")
    .where("h.client", "=", clients[0] as string)
    .where("h.source", "=", source)
    .where("h.seq", ">", after ?? 0)
    .orderBy("h.seq")
    .limit(limit + 1) as unknown as Select;
  if (broughtBy !== undefined) rows = rows.where("e.bearer", "=", broughtBy);
  return query.removals === true ? rows : versions(rows);
}

/**
 * The newest entry of each path. Newest means by commit time, then seq: the same as by seq,
 * except for entries that `rebuild --merge` had to number anew.
 */
function newest(rows: Select, asOf: number | undefined): Select {
  if (asOf === undefined) {
    return rows.where((eb) =>
      eb.exists(
        eb
          .selectFrom("heads as h")
          .select("h.seq")
          .whereRef("h.client", "=", "e.client")
          .whereRef("h.source", "=", "e.source")
          .whereRef("h.seq", "=", "e.seq"),
      ),
    );
  }
  return rows.where((eb) =>
    eb.not(
      eb.exists(
        eb
          .selectFrom("entries as n")
          .select("n.seq")
          .whereRef("n.path_hash", "=", "e.path_hash")
          .whereRef("n.client", "=", "e.client")
          .whereRef("n.source", "=", "e.source")
          .where("n.received_at", "<=", asOf)
          .where(sql<boolean>`(n.received_at, n.seq) > (e.received_at, e.seq)`),
      ),
    ),
  );
}

function timeOf(instant: string): number {
  const ms = Date.parse(instant);
  if (Number.isNaN(ms))
    throw new ProblemError(
      "request-invalid",
      `"${instant.slice(0, 100)}" is no time; expected RFC 3339 such as 2026-01-31T05:00:00Z`,
    );
  return ms;
}
