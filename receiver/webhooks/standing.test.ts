import { expect, test } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openScene } from "./scene.contract.ts";
import { listWebhooks } from "./standing.ts";

test("however far webhooks are behind, no more is counted than a scrape has time for", async () => {
  const on = await openScene(await (await sqlitePlace()).open());
  await on.add({ from: "beginning" });
  for (let i = 0; i < 21; i += 1) await on.put(...Array.from({ length: 500 }, (_, n) => `${i}-${n}`));
  expect((await listWebhooks(on.db))[0]?.lag).toBe(10_000);
}, 30_000);
