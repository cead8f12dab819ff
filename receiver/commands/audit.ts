/** `audit`: who did what as an administrator. */
import { list, result } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { type AuditLine, listAudit } from "../audit/audit.ts";
import type { SiteOptions } from "../config.ts";
import type { Database } from "../ledger/schema.ts";
import { type Sites, siteCommand, withLedger } from "./command.ts";

interface AuditOptions extends SiteOptions {
  readonly client?: string;
  readonly act?: string;
  readonly json?: boolean;
}

const PAGE = 500;

export function addAuditCommand(program: Command, sites: Sites): void {
  siteCommand(program, "audit", "lists the administrative acts, newest first: who, what, before and after")
    .option("--client <name>", "only what was done about this client")
    .option("--act <act>", "only this, such as client.suspend")
    .option("--json", "one JSON object a line")
    .action((options: AuditOptions) =>
      withLedger(sites, options, async ({ database: { db } }) => {
        const { client, act, json = false } = options;
        const lines = everyLine(db, { client, act });
        if (json) for await (const line of lines) result(JSON.stringify(line));
        else list((await Array.fromAsync(lines)).map(rowOf), false, COLUMNS);
      }),
    );
}

const COLUMNS = ["at", "who", "act", "outcome", "subject", "client", "before", "after"] as const;

async function* everyLine(
  db: Database,
  filter: { readonly client: string | undefined; readonly act: string | undefined },
): AsyncGenerator<AuditLine> {
  for (let before: string | undefined; ; ) {
    const page = await listAudit(db, { ...filter, before, limit: PAGE });
    yield* page;
    before = page.at(-1)?.id;
    if (page.length < PAGE) return;
  }
}

function rowOf({ at, who, act, outcome, subject, client, before, after }: AuditLine) {
  return {
    ...{ at, who: who.name, act, outcome, subject: `${subject.kind} ${subject.id}`, client },
    before: before && JSON.stringify(before),
    after: after && JSON.stringify(after),
  };
}
