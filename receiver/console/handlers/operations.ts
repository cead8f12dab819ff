/** What an operator needs when something is wrong: log lines of a request, who was refused what, and how this receiver is. */
import { noted, SITE } from "../../audit/audit.ts";
import { listRefusals, refusalCodes } from "../../refusals/refusals.ts";
import type { Handlers } from "../console.ts";
import { type HandlerParts, onPage } from "./parts.ts";

type OperationHandlers = Pick<
  Handlers,
  Extract<keyof Handlers, `log.${string}` | `refusals.${string}` | "site.diagnostics">
>;

const DAY_MS = 86_400_000;
/** More is nobody's list to read; that there are more is said. */
const MOST_REFUSALS = 200;

export function operationHandlers(parts: HandlerParts): OperationHandlers {
  const { db } = parts.database;
  return {
    "log.lines": async (asked) => parts.lines.recent(asked),
    "refusals.list": async ({ client, code, days }) => {
      const since = Date.now() - days * DAY_MS;
      const [rows, codes] = await Promise.all([
        listRefusals(db, { client, code, since, limit: MOST_REFUSALS + 1 }),
        refusalCodes(db, { client, since }),
      ]);
      return { items: rows.slice(0, MOST_REFUSALS), more: rows.length > MOST_REFUSALS, codes };
    },
    "site.diagnostics": async (_input, asked) => {
      const deed = { act: "site.diagnostics", subject: SITE, before: null, after: null } as const;
      await noted(db, onPage(parts, asked).who, deed);
      const name = `tributary-diagnostics-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}.json.gz`;
      return new Response(new Uint8Array(await parts.diagnose()), {
        headers: {
          "content-type": "application/gzip",
          "content-disposition": `attachment; filename="${name}"`,
          "cache-control": "private, no-store",
        },
      });
    },
  };
}
