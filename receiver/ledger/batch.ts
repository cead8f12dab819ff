/**
 * What one commit knows of the captures it decides on: looked up in few statements however many captures there are,
 * then kept up to date in memory, so that later captures of a batch see the earlier ones.
 */
import type { Selectable } from "kysely";
import { sql } from "kysely";
import { chunks, rows } from "./chunks.ts";
import type { Writer } from "./database.ts";
import { claimsOf, pathHash } from "./entry.ts";
import { type LeaseRow, leasesOf } from "./leases.ts";
import type { Capture, InQuarantine } from "./ledger.ts";
import { type Newer, newerThan } from "./newer.ts";
import type { Database, Tables } from "./schema.ts";

export type Head = Selectable<Tables["heads"]>;
export type ClientRow = Selectable<Tables["clients"]>;
export type UsageRow = Selectable<Tables["usage"]>;
export type BearerRow = Selectable<Tables["bearers"]>;

/** A captureId's content and receipt, whether it made an entry or not. */
export interface KnownCapture {
  readonly source: string;
  readonly path_hash: string;
  readonly kind: "version" | "removal";
  readonly sha256: string | null;
  readonly size: number | null;
  readonly receipt: string;
}

/** A captureId whose content is in quarantine, or was and is discarded. */
export type HeldCapture = Pick<
  Selectable<Tables["quarantined"]>,
  "id" | "source" | "path_hash" | "sha256" | "size" | "finding" | "state" | "reason"
> & { readonly kind: "version" };

/** What its sender is told. */
export function standingOf({ id, finding, state, reason }: HeldCapture): InQuarantine {
  return state === "discarded"
    ? { kind: "discarded", id, finding, reason: reason ?? "" }
    : { kind: "held", id, finding };
}

export interface Batch {
  readonly known: Map<string, KnownCapture>;
  readonly heads: Map<string, Head>;
  /** In quarantine or discarded, by `captureRef`. */
  readonly held: Map<string, HeldCapture>;
  /** Of those that are to be released, by their versionId: what their path has got since they came. */
  readonly newer: ReadonlyMap<string, Newer>;
  readonly clients: ReadonlyMap<string, ClientRow>;
  readonly usage: Map<string, UsageRow>;
  readonly bearers: Map<string, BearerRow>;
  /** Of the sources of what comes under a lease, by `leaseRef`. */
  readonly leases: ReadonlyMap<string, LeaseRow>;
}

const SEPARATOR = "\u0000";

export function captureRef(capture: Pick<Capture, "client" | "captureId">): string {
  return capture.client + SEPARATOR + capture.captureId;
}

export function headRef(path: Pick<Head, "client" | "source" | "path_hash">): string {
  return [path.client, path.source, path.path_hash].join(SEPARATOR);
}

export async function lookUp(trx: Writer, captures: readonly Capture[]): Promise<Batch> {
  const batch = {
    known: new Map<string, KnownCapture>(),
    heads: new Map<string, Head>(),
    held: new Map<string, HeldCapture>(),
    newer: new Map<string, Newer>(),
    clients: new Map<string, ClientRow>(),
    usage: new Map<string, UsageRow>(),
    bearers: new Map<string, BearerRow>(),
    leases: await leasesOf(trx, captures),
  };
  for (const chunk of chunks(captures)) {
    const ids = chunk.map((c) => [c.client, c.captureId]);
    for (const [ref, found] of await knownCaptures(trx, ids)) batch.known.set(ref, found);
    for (const [ref, found] of await heldCaptures(trx, ids)) batch.held.set(ref, found);
    const heads = await headsOf(
      trx,
      chunk.map((c) => ({ ...c, path_hash: pathHash(c.pathEncoded) })),
    );
    for (const head of heads) batch.heads.set(headRef(head), head);
  }
  for (const capture of captures) {
    if (capture.kind === "removal" || capture.release === undefined) continue;
    const newer = await newerThan(trx, capture.versionId);
    if (newer !== undefined) batch.newer.set(capture.versionId, newer);
  }
  for (const names of chunks([...new Set(captures.map((c) => c.client))])) {
    const clients = await trx.selectFrom("clients").selectAll().where("name", "in", names).execute();
    for (const client of clients) batch.clients.set(client.name, client);
    const usage = await trx.selectFrom("usage").selectAll().where("client", "in", names).execute();
    for (const row of usage) batch.usage.set(row.client, row);
  }
  for (const ids of chunks([...new Set(captures.map((c) => c.bearer.id))])) {
    const bearers = await trx.selectFrom("bearers").selectAll().where("bearer", "in", ids).execute();
    for (const row of bearers) batch.bearers.set(row.bearer, row);
  }
  return batch;
}

/** The newest entries of these paths, at most CHUNK of them. */
export async function headsOf(
  trx: Database,
  paths: readonly Pick<Head, "client" | "source" | "path_hash">[],
): Promise<readonly Head[]> {
  const these = rows(paths.map((path) => [path.client, path.source, path.path_hash]));
  return await trx
    .selectFrom("heads")
    .selectAll()
    .where(sql<boolean>`(client, source, path_hash) in (${these})`)
    .execute();
}

/** What these (client, captureId) pairs made before, by `captureRef`. An entry is worth more than an "unchanged". */
export async function knownCaptures(
  trx: Database,
  ids: readonly (readonly string[])[],
  among: readonly ("unchanged" | "entries")[] = ["unchanged", "entries"],
): Promise<Map<string, KnownCapture>> {
  const found = new Map<string, KnownCapture>();
  const these = sql<boolean>`(client, capture_id) in (${rows(ids)})`;
  if (among.includes("unchanged")) {
    const unchanged = await trx.selectFrom("unchanged_captures").selectAll().where(these).execute();
    for (const row of unchanged) {
      const { size } = claimsOf(row.receipt);
      found.set(captureRef({ client: row.client, captureId: row.capture_id }), { ...row, size });
    }
  }
  const entries = await trx
    .selectFrom("entries")
    .select(["client", "capture_id", "source", "path_hash", "kind", "sha256", "size", "receipt"])
    .where(these)
    .execute();
  for (const row of entries) found.set(captureRef({ client: row.client, captureId: row.capture_id }), row);
  return found;
}

/** Which of these (client, captureId) pairs are in quarantine, or were and are discarded, by `captureRef`. */
export async function heldCaptures(
  trx: Database,
  ids: readonly (readonly string[])[],
): Promise<Map<string, HeldCapture>> {
  // Mostly nothing is, and that is known far sooner.
  const any = trx.selectFrom("quarantined").select("id").where("state", "<>", sql.lit("released")).limit(1);
  if ((await any.executeTakeFirst()) === undefined) return new Map();
  const held = await trx
    .selectFrom("quarantined")
    .select(["client", "capture_id", "id", "source", "path_hash", "sha256", "size"])
    .select(["finding", "state", "reason"])
    .where("state", "<>", sql.lit("released"))
    .where(sql<boolean>`(client, capture_id) in (${rows(ids)})`)
    .execute();
  return new Map(
    held.map((row) => [
      captureRef({ client: row.client, captureId: row.capture_id }),
      { ...row, kind: "version" },
    ]),
  );
}
