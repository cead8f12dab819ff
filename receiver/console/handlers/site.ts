/** Who looks, what happens now, what is held back, and who did what. */

import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { discardFile, releaseFile } from "../../administration/quarantine.ts";
import { listAudit } from "../../audit/audit.ts";
import { pageOfQuarantined } from "../../ledger/quarantine.ts";
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
      const { id, name, email, role } = sessionOf(asked).person;
      return { id, name, email, role: role as Role, ...parts.site };
    },
    live: async (_input, asked) => {
      await parts.live.follow(asked);
      return RESPONSE_ALREADY_SENT;
    },
    "quarantine.list": ({ client, all, after, limit }) =>
      pageOfQuarantined(db, { client, all, after, limit }),
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
    "audit.list": async ({ client, who, act, subjectKind, subject, until, before, limit }) => {
      const items = await listAudit(db, {
        ...{ client, who, act, before },
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
