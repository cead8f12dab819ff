import { expect, test } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openScene } from "./scene.contract.ts";
import { listWebhooks, webhookStandings } from "./standing.ts";

test("however far webhooks are behind, no more is counted than a scrape has time for", async () => {
  const on = await openScene(await (await sqlitePlace()).open());
  await on.add({ from: "beginning" });
  for (let i = 0; i < 21; i += 1) await on.put(...Array.from({ length: 500 }, (_, n) => `${i}-${n}`));
  const [webhook] = await listWebhooks(on.db);
  expect(webhook?.lag).toBe(10_000);
  // Who does not ask for that has all the rest, and no entry is read.
  const { lag: _, ...standing } = webhook ?? { lag: 0 };
  const asked: string[] = [];
  const watched = on.db.withPlugin({
    transformQuery: ({ node }) => {
      asked.push(JSON.stringify(node));
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  expect(await webhookStandings(watched)).toEqual([standing]);
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.join()).not.toContain('"entries"');
}, 30_000);
