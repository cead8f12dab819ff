/** Whatever others do is another mark: each of these is shown somewhere. */
import { sql } from "kysely";
import { beforeEach, expect, test } from "vitest";
import { sqlitePlace } from "../ledger/place.contract.ts";
import type { Database } from "../ledger/schema.ts";
import { marksOf } from "./marks.ts";

let db: Database;
beforeEach(async () => {
  ({ db } = await (await sqlitePlace()).open());
  await run(
    `insert into quarantined (id, client, source, path_encoded, path_hash, capture_id, size, sha256, channel, bearer, lake_key,
       finding, arrived_at, arrived_seq, state) values ${["1", "2"].map(held).join()}`,
  );
  await run("insert into refusals values ('acme', 'k', 'quota-day', 'key', 1, 1, 1, 'd', 'p', null)");
  await run(
    `insert into webhooks (id, url, secret, created_at, epoch, begins_after, cursor_seq, generation, failures, paused_until,
       leased_until) values ('w', 'https://x', 's', 1, 'e', 0, 0, 0, 0, 0, 0)`,
  );
});

const run = async (statement: string) => await sql.raw(statement).execute(db);
const held = (id: string): string =>
  `('${id}', 'acme', 'pos', 'a', 'h', 'c${id}', 1, 'd', 'push', 'k', 'l', 'Eicar', 1, 1, 'held')`;

test.for([
  [
    "a file released by a colleague",
    "update quarantined set state = 'released' where id = '1'",
    "quarantine",
  ],
  ["a file discarded", "update quarantined set state = 'discarded' where id = '1'", "quarantine"],
  ["one released and one come at once", `update quarantined set id = '3' where id = '1'`, "quarantine"],
  ["a refusal", "update refusals set count = 2, last_at = 2", "refusals"],
  ["a webhook that begins to fail", "update webhooks set failures = 1, failing_since = 5", "webhooks"],
  ["a webhook that is gone", "update webhooks set gone_at = 5", "webhooks"],
] as const)("%s is another mark", async ([, statement, topic]) => {
  const before = await marksOf(db);
  expect(await marksOf(db)).toEqual(before);
  await run(statement);
  const after = await marksOf(db);
  expect(Object.keys(after).filter((one) => after[one] !== before[one])).toEqual([topic]);
});
