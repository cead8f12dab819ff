/** Clients: the list, one of them, and what is done to them. */
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  addClient,
  resumeClient,
  setClientLimits,
  setClientQuotas,
  suspendClient,
} from "../../administration/clients.ts";
import { offboardClient, planOffboarding } from "../../administration/offboard.ts";
import type { AgentSummary } from "../../fleet/view.ts";
import { type ClientState, clientState, listClients } from "../../ledger/clients.ts";
import { writing } from "../../ledger/database.ts";
import type { Activity } from "../../overview/overview.ts";
import type { ClientRow } from "../answers.ts";
import type { Handlers } from "../console.ts";
import { type HandlerParts, onPage } from "./parts.ts";

type ClientHandlers = Pick<Handlers, Extract<keyof Handlers, `clients.${string}`>>;

export function clientHandlers(parts: HandlerParts): ClientHandlers {
  const { db } = parts.database;
  return {
    "clients.list": async () => {
      const [states, agents] = await Promise.all([listClients(db), parts.fleet.agents()]);
      const activities = await parts.overview.activity(
        states.map(({ name }) => name),
        Date.now(),
      );
      const byClient = agentsByClient(agents);
      return {
        items: states.map((state, i) => rowOf(state, byClient.get(state.name) ?? [], activities[i])),
      };
    },
    "clients.get": async ({ client }) => {
      const [state, agents] = await Promise.all([clientState(db, client), parts.fleet.agents()]);
      if (state === undefined) throw new ProblemError("not-found", `there is no client "${client}"`);
      const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
      const [activity] = await parts.overview.activity([client], Date.now());
      return {
        ...rowOf(state, agentsByClient(agents).get(client) ?? [], activity),
        suspendedAt: time(state.suspendedAt),
        offboardedAt: time(state.offboardedAt),
        quotas: state.quotas,
        limits: state.limits,
      };
    },
    "clients.add": async ({ name }, asked) => {
      await addClient(onPage(parts, asked), name);
      return {};
    },
    "clients.suspend": async ({ client }, asked) => {
      await suspendClient(onPage(parts, asked), client);
      return {};
    },
    "clients.resume": async ({ client }, asked) => {
      await resumeClient(onPage(parts, asked), client);
      return {};
    },
    "clients.offboarding": ({ client }) => planOffboarding(db, client),
    "clients.offboard": async ({ client }, asked) => {
      const done = await offboardClient(onPage(parts, asked), client);
      parts.fleet.forget();
      return done;
    },
    "clients.bound": async ({ client, requests, uploads, ...quotas }, asked) => {
      // Quotas and limits are two acts of one form: both are done, or neither.
      await writing(db, async (trx) => {
        const by = { ...onPage(parts, asked), db: trx };
        if (Object.values(quotas).some((bound) => bound !== undefined))
          await setClientQuotas(by, client, withoutUndefined(quotas));
        if (requests !== undefined || uploads !== undefined)
          await setClientLimits(by, client, { requests, uploads });
      });
      return {};
    },
  };
}

/** Under the exact types an absent bound is not one that is undefined. */
function withoutUndefined<T extends object>(bounds: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(bounds).filter(([, bound]) => bound !== undefined)) as never;
}

function agentsByClient(agents: readonly AgentSummary[]): ReadonlyMap<string, readonly AgentSummary[]> {
  const links = agents
    .filter((agent) => agent.state !== "revoked")
    .flatMap((agent) => agent.clients.map((client) => ({ client, agent })));
  return new Map(
    [...Map.groupBy(links, (link) => link.client)].map(([client, of]) => [
      client,
      of.map(({ agent }) => agent),
    ]),
  );
}

function rowOf(
  state: ClientState,
  agents: readonly AgentSummary[],
  activity: Activity | undefined,
): ClientRow {
  const { name, storedBytes, dayBytes } = state;
  return {
    ...{ name, storedBytes, dayBytes },
    state: state.offboardedAt !== null ? "offboarded" : state.suspendedAt !== null ? "suspended" : "active",
    createdAt: new Date(state.createdAt).toISOString(),
    days: activity?.days ?? [],
    lastArrivalAt: activity?.lastAt === undefined ? null : new Date(activity.lastAt).toISOString(),
    agents: agents.length,
    silent: agents.filter((agent) => agent.state === "silent").length,
  };
}
