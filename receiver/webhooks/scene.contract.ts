/** For tests: a ledger with entries, a webhook in it, and a clock that tests move. */
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { createHistory } from "../ledger/history.ts";
import type { Capture } from "../ledger/ledger.ts";
import { sign, version } from "../ledger/samples.ts";
import type { WebhookFact } from "./facts.ts";
import { addWebhook, type NewWebhook } from "./register.ts";
import { WebhookRows } from "./rows.ts";
import type { TellerParts } from "./teller.ts";
import type { Outcome, Request, Webhook } from "./webhook.ts";

export async function openScene(database: LedgerDatabase) {
  const { db } = database;
  for (const client of ["acme", "other"]) await addClient(db, client);
  const rows = new WebhookRows(database);
  const clock = { now: Date.now() };
  const sent: Request[] = [];
  const facts: WebhookFact[] = [];
  let cuts = 0;
  const scene = {
    database,
    db,
    rows,
    clock,
    sent,
    facts,
    /** Answers from now on; `path` is the entry's. */
    answer: (_path: string): Outcome | Promise<Outcome> => ({ kind: "delivered" }),
    paths: (): string[] => sent.map(pathOf),
    /** Attempts that were ended from outside. */
    cut: (): number => cuts,
    commit: async (...captures: Capture[]): Promise<string[]> => {
      const { outcomes } = await createLedger(database).commit(captures, sign);
      return outcomes.map((one) => (one.kind === "committed" ? one.entry.versionId : one.kind));
    },
    put: async (...paths: string[]): Promise<string[]> =>
      await scene.commit(...paths.map((path) => version(path, path))),
    add: async (more: Partial<NewWebhook> = {}): Promise<string> => {
      const url = new URL("https://hooks.example.com/");
      return (await addWebhook(db, { url, ...more }, (secret) => secret, clock.now)).id;
    },
    webhook: async (id: string): Promise<Webhook> => {
      const found = (await rows.active()).find((one) => one.id === id);
      if (found === undefined) throw new Error(`${id} is not active`);
      return found;
    },
    parts: (): TellerParts => ({
      history: createHistory(db),
      rows,
      durable: async () => {},
      send: async (request, signal) => {
        sent.push(request);
        const cut = new Promise<Outcome>((done) =>
          signal.addEventListener("abort", () => done({ kind: "cut" }), { once: true }),
        );
        const outcome = await Promise.race([scene.answer(pathOf(request)), cut]);
        if (outcome.kind === "cut") cuts += 1;
        return outcome;
      },
      report: (fact) => void facts.push(fact),
      now: () => clock.now,
      random: () => 0.5,
      userAgent: "Tributary/test",
      lookMs: 10,
    }),
  };
  return scene;
}

export type Scene = Awaited<ReturnType<typeof openScene>>;

function pathOf({ body }: Request): string {
  return (JSON.parse(body) as { data: { path: string } }).data.path;
}
