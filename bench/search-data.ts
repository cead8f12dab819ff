/**
 * A large SQLite ledger, written past the ledger's own code because that would take days: entries, heads, and trees as they
 * would be. The first client has half of all paths, a tenth of those in one folder, and one path of very many versions; half
 * of the paths come in the middle, a tenth are removed in the end.
 */
import { createHash } from "node:crypto";
import { encodePath } from "@tributary/shared/path.ts";
import SqliteFile from "better-sqlite3";
import { openSqlite } from "../receiver/ledger/sqlite.ts";
import { parentOf, placeOf } from "../receiver/tree/place.ts";

export interface Size {
  readonly clients: number;
  readonly paths: number;
  /** Of each path that is there from the begin; those that come in the middle have half. */
  readonly passes: number;
  /** Of one path more. */
  readonly deep: number;
}

/** Of the generated ledger: ms since 1970 of the first entry, and between two passes over all paths. */
export const BEGIN = Date.UTC(2024, 0, 1);
export const PASS = 30 * 86_400_000;
export const BIG = "client-0000";
export const FOLDER = "export/all";
export const DEEP = "hot/stock.csv";

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
const encode = (text: string): string => encodePath(Buffer.from(text));

function clientOf(i: number, { clients, paths }: Size): string {
  const n = i < paths / 2 ? 0 : 1 + (i % Math.max(1, clients - 1));
  return `client-${String(n).padStart(4, "0")}`;
}

/** As people name files: dates, numbers, ids, words with blanks and umlauts. */
function pathOf(i: number, { paths }: Size): string {
  const number = hash(`n${i}`);
  // Another one for each path, in no order.
  const digits = String(10_000_000 + ((i * 7_368_787) % 89_999_999));
  if (i < paths / 20) return `${FOLDER}/item_${String(i).padStart(7, "0")}_${digits}.csv`;
  const day = new Date(Date.UTC(2020, 0, 1) + (i % 1600) * 86_400_000).toISOString().slice(0, 10);
  if (i % 7 === 0) return encode(`hr/Lohnabrechnung März ${day.slice(0, 4)}/Müller, Anna (${digits}).pdf`);
  if (i % 5 === 0)
    return `inbox/${day}/${number.slice(0, 8)}-${number.slice(8, 12)}-4${number.slice(13, 16)}-${number.slice(16, 28)}.json`;
  return `${day.replaceAll("-", "/")}/sales_store${String(i % 900).padStart(4, "0")}_${day.replaceAll("-", "")}_${digits}.csv`;
}

/** Gives how many entries there are. */
export async function generate(file: string, size: Size, progress: (text: string) => void): Promise<number> {
  await (await openSqlite(file)).close();
  const db = new SqliteFile(file);
  db.pragma("synchronous = OFF");
  db.pragma("journal_mode = DELETE");
  db.pragma("journal_mode = OFF");
  db.pragma("cache_size = -600000");
  const indexes = db
    .prepare(
      "select name, sql from sqlite_master where type = 'index' and sql is not null and tbl_name in ('entries', 'heads')",
    )
    .all() as { name: string; sql: string }[];
  for (const { name } of indexes) db.exec(`drop index ${name}`);
  const entry =
    db.prepare(`insert into entries (seq, version_id, kind, client, source, path_encoded, path_hash, size, sha256,
    capture_id, modified_at, sealed_at, received_at, channel, bearer, lake_key, receipt, segment_id)
    values (?, ?, ?, ?, 'pos', ?, ?, ?, ?, ?, null, null, ?, 'push', 'agent', ?, ?, 'segment')`);
  const head =
    db.prepare(`insert into heads (client, source, path_hash, seq, kind, version_id, size, sha256, bearer)
    values (?, 'pos', ?, ?, ?, ?, ?, ?, 'agent')`);
  const inTree = (table: string) =>
    db.prepare(`insert into ${table} (client, parent_hash, source, name_key, seq, bearer, long_name, size, modified_at, received_at)
    values (?, ?, 'pos', ?, ?, 'agent', null, ?, null, ?)`);
  const [there, removed] = [inTree("tree_files"), inTree("tree_removed")];
  const folders = new Map<
    string,
    { client: string; path: string; at: number; holds: number; lost: number | null }
  >();
  const filler = "x".repeat(400);
  let seq = 0;
  const id = () =>
    `${(0x0190_0000 + (seq >>> 16)).toString(16).padStart(8, "0")}-${(seq & 0xffff).toString(16).padStart(4, "0")}-7000-8000-000000000000`;
  const put = (i: number, client: string, path: string, pass: number, at: number, isLast: boolean): void => {
    seq += 1;
    const path_hash = hash(path);
    const kind = isLast && i % 10 === 3 ? "removal" : "version";
    const bytes = kind === "version" ? (i * 31 + pass) % 1_000_000 : null;
    const sha256 = kind === "version" ? hash(`${i}/${pass}`) : null;
    const version = id();
    const key = kind === "version" ? `raw/${version}` : null;
    entry.run(seq, version, kind, client, path, path_hash, bytes, sha256, `c-${version}`, at, key, filler);
    if (!isLast) return;
    head.run(client, path_hash, seq, kind, version, bytes, sha256);
    const { parent_hash, name_key } = placeOf(path);
    (kind === "version" ? there : removed).run(client, parent_hash, name_key, seq, bytes, at);
    if (kind === "version") holdUp(client, path);
    else lose(client, path, at);
  };
  const begin = (client: string, path: string, at: number): void => {
    for (let folder = parentOf(path); ; folder = parentOf(folder)) {
      const key = `${client}/${folder}`;
      if (folders.has(key)) return;
      folders.set(key, { client, path: folder, at, holds: 0, lost: null });
      if (folder === "") return;
    }
  };
  const lose = (client: string, path: string, at: number): void => {
    for (let folder = parentOf(path); ; folder = parentOf(folder)) {
      const row = folders.get(`${client}/${folder}`);
      if (row === undefined || row.lost !== null) return;
      row.lost = at;
      if (folder === "") return;
    }
  };
  const holdUp = (client: string, path: string): void => {
    for (let folder = parentOf(path); ; folder = parentOf(folder)) {
      const row = folders.get(`${client}/${folder}`);
      if (row === undefined) return;
      row.holds += 1;
      if (row.holds > 1 || folder === "") return;
    }
  };
  db.exec("begin");
  for (let pass = 0; pass < size.passes; pass += 1) {
    for (let i = 0; i < size.paths; i += 1) {
      const first = i % 2 === 0 ? 0 : Math.floor(size.passes / 2);
      if (pass < first) continue;
      const [client, path] = [clientOf(i, size), pathOf(i, size)];
      const at = BEGIN + pass * PASS + Math.floor((i / size.paths) * PASS);
      if (pass === first) begin(client, path, at);
      put(i, client, path, pass, at, pass === size.passes - 1);
    }
    progress(`pass ${pass + 1} of ${size.passes}`);
  }
  begin(BIG, DEEP, BEGIN + size.passes * PASS);
  for (let n = 0; n < size.deep; n += 1)
    put(size.paths * 10, BIG, DEEP, n, BEGIN + size.passes * PASS + n, n === size.deep - 1);
  const folder =
    db.prepare(`insert into tree_folders (client, parent_hash, source, name_key, bearer, name, made, brought, holds, made_at, lost_at)
    values (?, ?, 'pos', ?, 'agent', ?, ?, 1, ?, ?, ?)`);
  for (const { client, path, at, holds, lost } of folders.values()) {
    const { parent_hash, name_key } = placeOf(path);
    folder.run(
      client,
      parent_hash,
      name_key,
      path.slice(path.lastIndexOf("/") + 1),
      path === "" ? 1 : 0,
      holds,
      at,
      lost,
    );
  }
  const client = db.prepare("insert into clients (name, created_at) values (?, 0)");
  const state = db.prepare("insert into tree_state (client, seq) values (?, ?)");
  for (const name of new Set([...folders.values()].map((row) => row.client))) {
    client.run(name);
    state.run(name, seq);
  }
  const agent =
    db.prepare(`insert into agents (id, name, public_key, state, created_at, host, platform, version)
    values (?, ?, ?, 'active', 0, ?, 'linux', '1')`);
  for (let n = 0; n < size.clients * 2; n += 1)
    agent.run(`agent-${n}`, `till ${n}`, `k${n}`, `host-${n}.example`);
  const last = BEGIN + (size.passes + 1) * PASS;
  db.prepare("update site set last_seq = ?, last_commit_at = ?").run(seq, last);
  db.exec("commit");
  for (const { name, sql } of indexes) {
    progress(name);
    db.exec(sql);
  }
  db.exec("pragma journal_mode = WAL");
  db.close();
  return seq;
}
