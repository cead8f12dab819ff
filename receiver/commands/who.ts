/** Who acts on the command line: recorded with every administrative act. */
import { userInfo } from "node:os";
import type { Administrator } from "../administration/administrator.ts";
import { type Act, SITE, type Subject, witnessed } from "../audit/audit.ts";
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

/** What is done to the site as a whole, in its files as well: recorded before and after. `made`: what more is known then. */
export async function onSite<T>(
  db: Database,
  act: Act,
  asked: Subject,
  work: () => Promise<T>,
  made: (result: T) => Subject = () => null,
): Promise<T> {
  const { who } = onCommand(db);
  return await witnessed(db, who, { act, subject: SITE, before: null, after: asked }, async () => {
    const result = await work();
    const all = { ...asked, ...made(result) };
    return { result, after: Object.keys(all).length === 0 ? null : all };
  });
}
