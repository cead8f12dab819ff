/** Who looks, what happens now, what is held back, and who did what. */

import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { discardFile, releaseFile } from "../../administration/quarantine.ts";
import { listAudit } from "../../audit/audit.ts";
import { type Bringer, bringersOf } from "../../ledger/bringers.ts";
import { pageOfQuarantined } from "../../ledger/quarantine.ts";
import type { Database } from "../../ledger/schema.ts";
import type { Role } from "../calls.ts";
import type { Handlers } from "../console.ts";
import { type HandlerParts, onPage, sessionOf } from "./parts.ts";

type SiteHandlers = Pick<
  Handlers,
  Extract<keyof Handlers, "me" | "live" | `quarantine.${string}` | `audit.${string}`>
>;

export function siteHandlers(parts: HandlerParts): SiteHandlers {
  const { db } = parts.database;
  return {
    me: async (_input, asked) => {
      const { person, mustSetUp } = sessionOf(asked);
      const { id, name, email, role } = person;
      return { id, name, email, role: role as Role, mustSetUp, ...parts.site };
    },
    live: async (_input, asked) => {
      await parts.live.follow(asked);
      return RESPONSE_ALREADY_SENT;
    },
    "quarantine.list": async ({ client, all, after, limit }) => {
      const { items, next } = await pageOfQuarantined(db, { client, all, after, limit });
      const senders = await bringersOf(
        db,
        items.map(({ agentId }) => agentId),
      );
      const gone = (id: string): Bringer => ({ kind: "gone", id, name: null });
      return {
        items: items.map((file) => ({ ...file, sender: senders.get(file.agentId) ?? gone(file.agentId) })),
        next,
      };
    },
    "quarantine.release": async ({ id, reason, overNewer }, asked) => {
      const { status, versionId } = await releaseFile(
        onPage(parts, asked),
        id,
        { reason, overNewer },
        parts.release,
      );
      return { status, versionId };
    },
    "quarantine.discard": async ({ id, reason }, asked) => {
      await discardFile(onPage(parts, asked), id, reason, parts.discard);
      return {};
    },
    "audit.list": async ({ client, who, act, subjectKind, subject, from, until, before, limit }) => {
      const items = await listAudit(db, {
        ...{ client, act, before },
        who: who === undefined ? undefined : await idOf(db, who),
        from: from === undefined ? undefined : Date.parse(from),
        limit: limit + 1,
        subject:
          subjectKind === undefined || subject === undefined ? undefined : { kind: subjectKind, id: subject },
        until: until === undefined ? undefined : Date.parse(until),
      });
      return {
        items: items.slice(0, limit),
        next: items.length > limit ? (items[limit - 1]?.id ?? null) : null,
      };
    },
  };
}

/** People are known to each other by their email, and to the record by their id. */
async function idOf(db: Database, who: string): Promise<string> {
  const email = who.trim().toLowerCase();
  const person = await db.selectFrom("people").select("id").where("email", "=", email).executeTakeFirst();
  return person?.id ?? who.trim();
}
