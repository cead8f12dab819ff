/** `history`: what the ledger knows, in commit order. */
import { decodePath, encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Entry, instant } from "@tributary/shared/protocol.ts";
import { printable, result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import { clientState } from "../ledger/clients.ts";
import { createHistory } from "../ledger/history.ts";
import type { HistoryQuery } from "../ledger/ledger.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";

interface HistoryOptions extends SiteOptions {
  readonly client?: string;
  readonly source?: string;
  readonly path?: string;
  readonly pathEncoded?: string;
  readonly asOf?: string;
  readonly latest?: boolean;
  readonly json?: boolean;
}

const PAGE = 1000;

export function addHistoryCommand(program: Command, sites: Sites): void {
  siteCommand(program, "history", "lists versions and removals, oldest first")
    .option("--client <name>", "only of this client")
    .option("--source <source>", "only of this source")
    .option("--path <path>", "only of exactly this path")
    .option("--path-encoded <path>", "the same for a path that cannot be typed, as pathEncoded shows it")
    .option("--as-of <time>", "as the ledger stood then, such as 2026-01-31T05:00:00Z")
    .option("--latest", "only the newest version of each path that was not removed")
    .option("--json", "one JSON object a line")
    .action((options: HistoryOptions) => {
      const query = queryOf(options);
      return withLedger(sites, options, async ({ database: { db } }) => {
        if (options.client !== undefined && !(await clientState(db, options.client)))
          throw new ProblemError(
            "not-found",
            `there is no client "${options.client}"; see: tributary-receiver client list`,
          );
        const history = createHistory(db);
        let count = 0;
        for (let after: number | undefined = 0; after !== undefined; ) {
          const page = await history.page({ ...query, after, limit: PAGE });
          for (const entry of page.entries) result(options.json ? JSON.stringify(entry) : lineOf(entry));
          count += page.entries.length;
          after = page.next;
        }
        if (count === 0) say("no entries");
      });
    });
}

function queryOf(options: HistoryOptions): Omit<HistoryQuery, "limit" | "after"> {
  if (options.path !== undefined && options.pathEncoded !== undefined)
    throw new ProblemError("usage", "--path and --path-encoded say the same in two ways: give one of them");
  if (options.pathEncoded !== undefined) decodePath(options.pathEncoded);
  const pathEncoded =
    options.path === undefined ? options.pathEncoded : encodePath(Buffer.from(options.path));
  if (options.asOf !== undefined && !instant.safeParse(options.asOf).success)
    throw new ProblemError(
      "usage",
      `--as-of "${options.asOf}": expected a time such as 2026-01-31T05:00:00Z`,
    );
  return {
    clients: options.client === undefined ? "all" : [options.client],
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(pathEncoded === undefined ? {} : { pathEncoded }),
    ...(options.asOf === undefined ? {} : { asOf: options.asOf }),
    ...(options.latest === undefined ? {} : { latest: options.latest }),
  };
}

/** Columns of fixed width first, the path last: pages need not know of each other. */
function lineOf(entry: Entry): string {
  const size = entry.size === null ? "-" : String(entry.size);
  const name = `${entry.client}/${entry.source}/${printable(entry.path)}`;
  return `${entry.receivedAt}  ${entry.kind.padEnd(7)}  ${entry.versionId}  ${size.padStart(12)}  ${name}`;
}
