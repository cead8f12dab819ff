/** Who acts on the command line: recorded with every administrative act. */
import { userInfo } from "node:os";
import type { Administrator } from "../administration/administrator.ts";
import { type Act, audited, type Subject, witnessed } from "../audit/audit.ts";
import type { Database } from "../ledger/schema.ts";

/** The account that the command was called from; `sudo` is looked through. In a container it may have no name. */
function accountName(): string {
  try {
    return process.env.SUDO_USER ?? userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

export function onCommand(db: Database): Administrator {
  const name = accountName();
  return { db, who: { kind: "command", id: name, name } };
}

const SITE = { kind: "site", id: "site" } as const;

/** What is done to the site as a whole, in its files as well: recorded before and after. */
export async function onSite<T>(db: Database, act: Act, asked: Subject, work: () => Promise<T>): Promise<T> {
  const { who } = onCommand(db);
  return await witnessed(db, who, { act, subject: SITE, before: null, after: asked }, async () => ({
    result: await work(),
    after: asked,
  }));
}

/** The same of what could not be recorded before, because it makes the ledger. */
export async function recordOnSite(db: Database, act: Act, done: Subject): Promise<void> {
  const { who } = onCommand(db);
  await audited(db, who, async (_trx, record) => {
    record({ act, subject: SITE, before: null, after: done });
  });
}
