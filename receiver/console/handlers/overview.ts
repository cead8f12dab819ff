/** The first page: what arrived, what is late, what needs somebody. And how each client does. */
import { attentionOf } from "../../attention/attention.ts";
import { heldSum } from "../../ledger/quarantine.ts";
import { clientWeek } from "../../overview/client.ts";
import { listRefusals } from "../../refusals/refusals.ts";
import { webhookStandings } from "../../webhooks/standing.ts";
import type { Handlers } from "../console.ts";
import { sharedLook } from "../shared-look.ts";
import type { HandlerParts } from "./parts.ts";

type OverviewHandlers = Pick<Handlers, Extract<keyof Handlers, `overview.${string}`>>;

const DAY_MS = 86_400_000;
/** More is nobody's list to work through; the number of all is said. */
const MOST_ATTENTION = 200;
/** A page asks again two seconds after it heard of something: what it is told then was read since. */
const SHARED_MS = 1000;

export function overviewHandlers(parts: HandlerParts): OverviewHandlers {
  const { overview, fleet, database } = parts;
  const { db } = database;
  /** For all consoles together. */
  const attention = sharedLook(() => everything(Date.now()), SHARED_MS);
  return {
    "overview.get": async () => {
      const now = Date.now();
      const [arrived, byHour, late, feeds, agents, needs] = await Promise.all([
        overview.arrived(now),
        overview.byHour(now),
        overview.lateFeeds(now),
        overview.count(now),
        fleet.agents(),
        attention(),
      ]);
      const living = agents.filter(({ state }) => state !== "revoked");
      const oldest = living.flatMap(({ queue }) => queue.oldestSealedAt ?? []).toSorted()[0] ?? null;
      return {
        arrived,
        byHour: byHour.map((hour) => ({ ...hour, usual: hour.usual ?? null })),
        late: late.length,
        feeds,
        agents: living.length,
        silent: living.filter(({ state }) => state === "silent" || state === "forked").length,
        waiting: {
          files: living.reduce((sum, { queue }) => sum + queue.files, 0),
          bytes: living.reduce((sum, { queue }) => sum + queue.bytes, 0),
          oldestSealedAt: oldest,
        },
        attention: { items: needs.slice(0, MOST_ATTENTION), total: needs.length },
      };
    },
    "overview.punctuality": async ({ client, after, limit }) => {
      const page = {
        limit,
        ...(client === undefined ? {} : { client }),
        ...(after === undefined ? {} : { after }),
      };
      const { days, rows, next } = await overview.punctuality(page, Date.now());
      return { days, rows: rows.map((row) => ({ ...row, source: row.source ?? null })), next: next ?? null };
    },
    "overview.client": async ({ client }) => {
      const now = Date.now();
      const [feeds, week, grid, needs] = await Promise.all([
        overview.feeds(client, now),
        clientWeek(db, client, now),
        overview.punctuality({ client, limit: 500 }, now),
        attention(),
      ]);
      return {
        feeds: feeds.map(({ source, lastAt, usualBy, days }) => ({
          ...{ source, lastAt: instant(lastAt), usualBy: instant(usualBy), days },
        })),
        byHour: week.map((hour) => ({ ...hour, usual: null })),
        punctuality: {
          days: grid.days,
          rows: grid.rows.map((row) => ({ ...row, source: row.source ?? null })),
          next: grid.next ?? null,
        },
        attention: needs.filter((one) => one.client === client),
      };
    },
  };

  /** Everything that needs somebody, worst first. */
  async function everything(now: number) {
    const [agents, late, refusals, quarantine, webhooks, suspended] = await Promise.all([
      fleet.agents(),
      overview.lateFeeds(now),
      listRefusals(db, { since: now - DAY_MS }),
      heldSum(db),
      webhookStandings(db),
      db.selectFrom("clients").select("name").where("suspended_at", "is not", null).execute(),
    ]);
    return attentionOf({
      ...{ now, agents, late, refusals, quarantine, webhooks },
      statusOf: (id) => fleet.statusOf(id),
      suspended: new Set(suspended.map(({ name }) => name)),
    });
  }
}

const instant = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString();
