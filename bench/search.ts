/** What people look at, in a ledger of ten million versions: how long each question takes, and how long nothing else runs meanwhile. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { encodePath } from "@tributary/shared/path.ts";
import type { LedgerDatabase } from "../receiver/ledger/database.ts";
import { openSqlite } from "../receiver/ledger/sqlite.ts";
import { findByDigest } from "../receiver/search/digests.ts";
import { catchUpSearch } from "../receiver/search/follow.ts";
import { findAnything, findFiles } from "../receiver/search/search.ts";
import { versionsOf } from "../receiver/timeline/timeline.ts";
import { openTrees } from "../receiver/tree/open.ts";
import { BEGIN, BIG, DEEP, FOLDER, generate, PASS, type Size } from "./search-data.ts";

/** Of one question: ms. */
export interface Took {
  readonly question: string;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  /** The longest that this process did nothing else. */
  readonly held: number;
}

/** Each question so many times, with other words or places each time. */
export async function askAll(database: LedgerDatabase, size: Size, times: number): Promise<readonly Took[]> {
  const { db } = database;
  const trees = openTrees(db);
  const view = { client: BIG, bearer: { id: "all", seesAll: true } };
  const page = { limit: 200 };
  const instants = [BEGIN + PASS / 2, BEGIN + PASS * (size.passes / 2), BEGIN + PASS * (size.passes - 0.5)];
  const instant = (n: number): number => (instants[n % 3] as number) + n;
  const name = (n: number): string =>
    `item_${String(Math.floor(((n * 7919) % (size.paths / 20)) / 2) * 2).padStart(7, "0")}`;
  const signer = { site: "00000000-0000-4000-8000-000000000001", jwks: { keys: [] } };
  const files =
    (text: (n: number) => string, more: object = {}) =>
    (n: number) =>
      findFiles(db, { text: text(n), limit: 50, ...more });
  const questions: Readonly<Record<string, (n: number) => Promise<unknown>>> = {
    "folder of very many, now": (n) => trees.now.list(view, "pos", FOLDER, { ...page, after: name(n) }),
    "the same, as at": (n) => trees.asAt(instant(n)).list(view, "pos", FOLDER, { ...page, after: name(n) }),
    "source, as at": (n) => trees.asAt(instant(n)).list(view, "pos", "", page),
    "folder of folders, as at": (n) => trees.asAt(instant(n)).list(view, "pos", `20${20 + (n % 4)}`, page),
    "exact path, as at": (n) => trees.asAt(instant(n)).find(view, "pos", DEEP),
    "bounds of a client": () => trees.bounds(BIG),
    "versions of a path of very many": (n) =>
      versionsOf(db, BIG, "pos", DEEP, { limit: 50, ...(n % 2 ? { before: 10 ** 9 - n } : {}) }),
    "begin of a digest": (n) =>
      findByDigest(db, { text: (0x100000 + n * 7919).toString(16).padEnd(8, "0"), limit: 50 }),
    "search .csv": files(() => ".csv"),
    "search .csv, one client": files(() => ".csv", { client: "client-0001" }),
    "search a date": files((n) => `2022-0${1 + (n % 9)}`),
    "search an order number": files((n) => String(10_000_000 + ((n * 7_368_787) % 89_999_999))),
    "search a number that nothing has": files((n) => String(99_999_990 + n)),
    "search two common words that never meet": files(() => "müller sales"),
    "the same, within a client": files(() => "müller sales", { client: "client-0001" }),
    "search a common and a rare one": files((n) => `csv store${String(n % 900).padStart(4, "0")}`),
    "search an umlaut in a word": files(
      (n) => ["anna müller", "MÄRZ", "lohn", encodePath(Buffer.from("(12"))][n % 4] as string,
    ),
    "search one letter": files((n) => "abcdefghij"[n % 10] as string),
    "search what no word begins with": files(() => "zzz"),
    "the box": (n) =>
      findAnything(
        db,
        { text: ["client-0", "till 1", "abcdef12", "march"][n % 4] as string, limit: 10 },
        signer,
      ),
  };
  const took: Took[] = [];
  for (const [question, ask] of Object.entries(questions)) {
    const ms: number[] = [];
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    for (let n = 0; n < times; n += 1) {
      const begin = performance.now();
      await ask(n);
      ms.push(performance.now() - begin);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    delay.disable();
    ms.sort((a, b) => a - b);
    const at = (share: number): number =>
      ms[Math.min(ms.length - 1, Math.floor(ms.length * share))] as number;
    took.push({ question, p50: at(0.5), p95: at(0.95), max: at(1), held: delay.max / 1e6 });
  }
  return took;
}

const SIZE: Size = { clients: 1000, paths: 2_200_000, passes: 6, deep: 100_000 };

export async function search({ dir }: { readonly dir: string }): Promise<string> {
  const folder = process.env.TRIBUTARY_SEARCH_DATA ?? dir;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "ledger.sqlite");
  if (!existsSync(file)) await generate(file, SIZE, (text) => void process.stderr.write(`${text}\n`));
  const database = await openSqlite(file);
  try {
    const begin = performance.now();
    await catchUpSearch(database.db);
    const seconds = (performance.now() - begin) / 1000;
    const rows = (await askAll(database, SIZE, 50)).map(
      ({ question, ...ms }) =>
        `| ${question} | ${[ms.p50, ms.p95, ms.max, ms.held].map((one) => one.toFixed(1)).join(" | ")} |`,
    );
    return `### Ten million versions of ${SIZE.paths} paths, ${SIZE.clients} clients, SQLite

The search caught up in ${seconds.toFixed(0)} s.

| ms | median | 95 % | longest | event loop held at most |
|---|---|---|---|---|
${rows.join("\n")}
`;
  } finally {
    await database.close();
  }
}
