/** The first page: what arrived, what is late, what needs somebody. And how each client does. */
import { type Attention, attentionOf, attentionOfClient, type Facts } from "../../attention/attention.ts";
import { heldOfClients } from "../../ledger/quarantine.ts";
import { clientWeek } from "../../overview/client.ts";
import { listRefusals } from "../../refusals/refusals.ts";
import { webhookStandings } from "../../webhooks/standing.ts";
import type { NeedsSomebody } from "../answers.ts";
import type { Handlers } from "../console.ts";
import { sharedLook } from "../shared-look.ts";
import type { HandlerParts } from "./parts.ts";

type OverviewHandlers = Pick<Handlers, Extract<keyof Handlers, `overview.${string}`>>;

const HOUR_MS = 3_600_000;
/** More is nobody's list to work through; the number of all is said. */
const MOST_ATTENTION = 200;
/** A page asks again two seconds after it heard of something: what it is told then was read since. */
const SHARED_MS = 1000;

export function overviewHandlers(parts: HandlerParts): OverviewHandlers {
  const { overview, fleet, database } = parts;
  const { db } = database;
  /** For all consoles together. */
  const look = sharedLook(async () => {
    const facts = await everything(Date.now());
    return { facts, all: attentionOf(facts) };
  }, SHARED_MS);
  return {
    "overview.get": async ({ only }) => {
      const now = Date.now();
      const [arrived, byHour, { facts, all }] = await Promise.all([
        overview.arrived(now),
        overview.byHour(now),
        look(),
      ]);
      const feeds = await overview.count(now, facts.suspended);
      const living = facts.agents.filter(({ state }) => state !== "revoked");
      const needs = only === "late" ? all.filter(({ late }) => late !== null) : all;
      return {
        arrived,
        byHour: byHour.map((hour) => ({ ...hour, usual: hour.usual ?? null })),
        late: facts.late.length,
        feeds,
        agents: living.length,
        silent: living.filter(({ state }) => state === "silent" || state === "forked").length,
        waiting: {
          files: living.reduce((sum, { queue }) => sum + queue.files, 0),
          bytes: living.reduce((sum, { queue }) => sum + queue.bytes, 0),
          oldestSealedAt: earliest(living.flatMap(({ queue }) => queue.oldestSealedAt ?? [])),
          aside: living.reduce((sum, { queue }) => sum + queue.aside, 0),
        },
        attention: { items: needs.slice(0, MOST_ATTENTION).map(shown), total: needs.length },
      };
    },
    "overview.troubled": async () => {
      const { all } = await look();
      return { clients: [...new Set(all.flatMap(({ clients }) => clients))].toSorted() };
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
      const [feeds, week, grid, { facts }] = await Promise.all([
        overview.feeds(client, now),
        clientWeek(db, client, now),
        overview.punctuality({ client, limit: 500 }, now),
        look(),
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
        attention: attentionOfClient(facts, client).map(shown),
      };
    },
  };

  /** What attention is decided from. Of a client that is suspended nothing is late. */
  async function everything(now: number): Promise<Facts> {
    const [agents, late, refusals, quarantine, webhooks, rows] = await Promise.all([
      fleet.agents(),
      overview.lateFeeds(now),
      // What did not come again for an hour has passed.
      listRefusals(db, { since: now - HOUR_MS, limit: 1000 }),
      heldOfClients(db),
      webhookStandings(db),
      db.selectFrom("clients").select("name").where("suspended_at", "is not", null).execute(),
    ]);
    const suspended = new Set(rows.map(({ name }) => name));
    return {
      ...{ now, agents, refusals, quarantine, webhooks, suspended },
      late: late.filter(({ client }) => !suspended.has(client)),
      statusOf: (id) => fleet.statusOf(id),
    };
  }
}

const shown = ({ clients: _, ...rest }: Attention): NeedsSomebody => rest;

/** Agents may say their times with an offset of their own. */
function earliest(times: readonly string[]): string | null {
  return times.toSorted((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null;
}

const instant = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString();
