/** What is in quarantine, and what was released from it: for `quarantine list`, the release, `verify` and the sweep. Nothing here writes. */
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import { type Selectable, sql } from "kysely";
import { chunks } from "./batch.ts";
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
  readonly state: "held" | "released";
  readonly captureId: string;
  readonly modifiedAt: string | null;
  readonly sealedAt: string | null;
  readonly arrivedAt: string;
  readonly channel: string;
  readonly agentId: string;
  /** Where its bytes lie, or lay before it was released. */
  readonly key: string;
  readonly releasedAt: string | null;
  readonly releasedBy: string | null;
  readonly reason: string | null;
}

const PAGE = 500;

/** In the order of their arrival. `released`: those that left quarantine too. */
export async function* listQuarantined(
  db: Database,
  { client, released }: { readonly client?: string | undefined; readonly released: boolean },
): AsyncGenerator<QuarantinedFile> {
  for (let after = ""; ; ) {
    let select = db.selectFrom("quarantined").selectAll().where("id", ">", after).orderBy("id").limit(PAGE);
    if (client !== undefined) select = select.where("client", "=", client);
    if (!released) select = select.where("state", "=", sql.lit("held"));
    const rows = await named(() => select.execute());
    for (const row of rows) yield fileOf(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.id;
  }
}

/** Undefined: nothing of this id was ever in quarantine. */
export async function quarantinedFile(db: Database, id: string): Promise<QuarantinedFile | undefined> {
  const row = await named(() =>
    db.selectFrom("quarantined").selectAll().where("id", "=", id).executeTakeFirst(),
  );
  return row && fileOf(row);
}

/** The entry that the file's path has got since it came; undefined: none. The commit of a release asks again. */
export async function newerEntry(
  db: Database,
  id: string,
): Promise<Pick<Selectable<Tables["heads"]>, "kind" | "version_id"> | undefined> {
  return await named(() =>
    db
      .selectFrom("quarantined as q")
      .innerJoin("heads as h", (on) =>
        on
          .onRef("h.client", "=", "q.client")
          .onRef("h.source", "=", "q.source")
          .onRef("h.path_hash", "=", "q.path_hash")
          .onRef("h.seq", ">", "q.arrived_seq"),
      )
      .select(["h.kind", "h.version_id"])
      .where("q.id", "=", id)
      .executeTakeFirst(),
  );
}

/** What the sweep needs to know of it. */
export interface Quarantine {
  /** Which of these versions are held. */
  held(versionIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** ms since 1970: of what came before, this ledger may not know that it is held. */
  knownSince(): Promise<number>;
}

export function createQuarantine(db: Database): Quarantine {
  return {
    async held(versionIds) {
      const found = new Set<string>();
      for (const some of chunks(versionIds)) {
        const rows = await named(() =>
          db
            .selectFrom("quarantined")
            .select("id")
            .where("id", "in", some)
            .where("state", "=", sql.lit("held"))
            .execute(),
        );
        for (const { id } of rows) found.add(id);
      }
      return found;
    },
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
    reason: row.reason,
  };
}
