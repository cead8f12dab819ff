/** What is in quarantine, and what was released or discarded from it: for the commands, `verify`, the sweep and the gauge. Nothing here writes. */
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import { type Selectable, sql } from "kysely";
import { chunks } from "./chunks.ts";
import { named } from "./database.ts";
import { instantOf } from "./entry.ts";
import type { Database, Tables } from "./schema.ts";

/** One file, with the wire's names for what the wire knows. */
export interface QuarantinedFile {
  /** The version that it becomes when it is released. */
  readonly id: string;
  readonly client: string;
  readonly source: string;
  readonly path: string;
  readonly pathEncoded: string;
  readonly size: number;
  readonly sha256: string;
  readonly finding: string;
  readonly state: "held" | "released" | "discarded";
  readonly captureId: string;
  readonly modifiedAt: string | null;
  readonly sealedAt: string | null;
  readonly arrivedAt: string;
  readonly channel: string;
  readonly agentId: string;
  /** Where its bytes lie, or lay before it was released or discarded. */
  readonly key: string;
  readonly releasedAt: string | null;
  readonly releasedBy: string | null;
  readonly discardedAt: string | null;
  readonly discardedBy: string | null;
  /** Why it was released, or discarded. */
  readonly reason: string | null;
}

const PAGE = 500;

/** In the order of their arrival. `all`: those that left quarantine too. */
export async function* listQuarantined(
  db: Database,
  { client, all }: { readonly client?: string | undefined; readonly all: boolean },
): AsyncGenerator<QuarantinedFile> {
  for (let after = ""; ; ) {
    let select = db.selectFrom("quarantined").selectAll().where("id", ">", after).orderBy("id").limit(PAGE);
    if (client !== undefined) select = select.where("client", "=", client);
    if (!all) select = select.where("state", "=", sql.lit("held"));
    const rows = await named(() => select.execute());
    for (const row of rows) yield fileOf(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.id;
  }
}

/** Newest first; `after`: the id of the last one before. */
export async function pageOfQuarantined(
  db: Database,
  query: {
    readonly client?: string | undefined;
    readonly all: boolean;
    readonly after?: string | undefined;
    readonly limit: number;
  },
): Promise<{ readonly items: readonly QuarantinedFile[]; readonly next: string | null }> {
  let select = db
    .selectFrom("quarantined")
    .selectAll()
    .orderBy("id", "desc")
    .limit(query.limit + 1);
  if (query.client !== undefined) select = select.where("client", "=", query.client);
  if (!query.all) select = select.where("state", "=", sql.lit("held"));
  if (query.after !== undefined) select = select.where("id", "<", query.after);
  const rows = await named(() => select.execute());
  const items = rows.slice(0, query.limit).map(fileOf);
  return { items, next: rows.length > query.limit ? (items.at(-1)?.id ?? null) : null };
}

/** Undefined: nothing of this id was ever in quarantine. */
export async function quarantinedFile(db: Database, id: string): Promise<QuarantinedFile | undefined> {
  const row = await named(() =>
    db.selectFrom("quarantined").selectAll().where("id", "=", id).executeTakeFirst(),
  );
  return row && fileOf(row);
}

/** What waits for an operator now. */
export interface HeldSum {
  readonly files: number;
  readonly bytes: number;
  /** ms since 1970 of the arrival of the one that waits longest; undefined: nothing waits. */
  readonly oldest: number | undefined;
}

export async function heldSum(db: Database): Promise<HeldSum> {
  const row = await named(() =>
    db
      .selectFrom("quarantined")
      .select((eb) => [
        eb.fn.countAll<number | string>().as("files"),
        eb.fn.sum<number | string | null>("size").as("bytes"),
        eb.fn.min("arrived_at").as("oldest"),
      ])
      .where("state", "=", sql.lit("held"))
      .executeTakeFirstOrThrow(),
  );
  return { files: Number(row.files), bytes: Number(row.bytes ?? 0), oldest: row.oldest ?? undefined };
}

/** Of each client of which something is held, by name. */
export async function heldOfClients(
  db: Database,
): Promise<readonly (HeldSum & { readonly client: string })[]> {
  const rows = await named(() =>
    db
      .selectFrom("quarantined")
      .select((eb) => [
        "client",
        eb.fn.countAll<number | string>().as("files"),
        eb.fn.sum<number | string | null>("size").as("bytes"),
        eb.fn.min("arrived_at").as("oldest"),
      ])
      .where("state", "=", sql.lit("held"))
      .groupBy("client")
      .orderBy("client")
      .execute(),
  );
  return rows.map(({ client, files, bytes, oldest }) => ({
    ...{ client, files: Number(files), bytes: Number(bytes ?? 0), oldest: oldest ?? undefined },
  }));
}

/** What the sweep needs to know of it. */
export interface Quarantine {
  /** Which of these versions are held. */
  held(versionIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Which of these versions were, and are not any more. */
  ended(versionIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** ms since 1970: of what came before, this ledger may not know that it is held. */
  knownSince(): Promise<number>;
}

export function createQuarantine(db: Database): Quarantine {
  const among = async (versionIds: readonly string[], is: "=" | "<>"): Promise<ReadonlySet<string>> => {
    const found = new Set<string>();
    for (const some of chunks(versionIds)) {
      const rows = await named(() =>
        db
          .selectFrom("quarantined")
          .select("id")
          .where("id", "in", some)
          .where("state", is, sql.lit("held"))
          .execute(),
      );
      for (const { id } of rows) found.add(id);
    }
    return found;
  };
  return {
    held: (versionIds) => among(versionIds, "="),
    ended: (versionIds) => among(versionIds, "<>"),
    async knownSince() {
      const site = await named(() =>
        db.selectFrom("site").select("known_since").where("id", "=", 1).executeTakeFirstOrThrow(),
      );
      return site.known_since;
    },
  };
}

function fileOf(row: Selectable<Tables["quarantined"]>): QuarantinedFile {
  return {
    id: row.id,
    client: row.client,
    source: row.source,
    path: displayPath(decodePath(row.path_encoded)),
    pathEncoded: row.path_encoded,
    size: row.size,
    sha256: row.sha256,
    finding: row.finding,
    state: row.state,
    captureId: row.capture_id,
    modifiedAt: row.modified_at,
    sealedAt: row.sealed_at,
    arrivedAt: instantOf(row.arrived_at),
    channel: row.channel,
    agentId: row.bearer,
    key: row.lake_key,
    releasedAt: row.released_at === null ? null : instantOf(row.released_at),
    releasedBy: row.released_by,
    discardedAt: row.discarded_at === null ? null : instantOf(row.discarded_at),
    discardedBy: row.discarded_by,
    reason: row.reason,
  };
}
