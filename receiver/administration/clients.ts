/** What is done to a client: a tenant, whose files these are. */
import type { Act, Subject } from "../audit/audit.ts";
import {
  addClient as add,
  clientState,
  resumeClient as resume,
  setLimits,
  setQuotas,
  suspendClient as suspend,
} from "../ledger/clients.ts";
import type { Writer } from "../ledger/database.ts";
import type { Quotas } from "../ledger/decide.ts";
import type { Changes, Limits } from "../ledger/limits.ts";
import { type Administrator, change } from "./administrator.ts";

/** Throws `request-invalid` when the name is no slug or is taken. */
export const addClient = (by: Administrator, name: string): Promise<void> =>
  onClient(by, "client.add", name, (trx) => add(trx, name));

/** Nothing more is taken from it; its agents keep their queues. Throws `not-found`. */
export const suspendClient = (by: Administrator, name: string): Promise<void> =>
  onClient(by, "client.suspend", name, (trx) => suspend(trx, name));

/** Also one that was offboarded: its agents and keys stay shut out. Throws `not-found`. */
export const resumeClient = (by: Administrator, name: string): Promise<void> =>
  onClient(by, "client.resume", name, (trx) => resume(trx, name));

/** Only what is named changes; null goes back to the configured default. Throws `not-found`. */
export const setClientQuotas = (by: Administrator, name: string, quotas: Partial<Quotas>): Promise<void> =>
  onClient(by, "client.quota", name, (trx) => setQuotas(trx, name, quotas));

/** As `setClientQuotas`. */
export const setClientLimits = (by: Administrator, name: string, limits: Changes<Limits>): Promise<void> =>
  onClient(by, "client.limit", name, (trx) => setLimits(trx, name, limits));

async function onClient<T>(
  by: Administrator,
  act: Act,
  name: string,
  work: (trx: Writer) => Promise<T>,
): Promise<T> {
  const facts = (trx: Writer): Promise<Subject> => clientFacts(trx, name);
  return await change(by, { act, kind: "client", id: name, client: name, facts }, work);
}

/** What an act can change of a client. */
export async function clientFacts(trx: Writer, name: string): Promise<Subject> {
  const state = await clientState(trx, name);
  if (state === undefined) return null;
  const { suspendedAt, offboardedAt, quotas, limits } = state;
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return { suspendedAt: time(suspendedAt), offboardedAt: time(offboardedAt), quotas, limits };
}
