/** All cases at all doors. A new door is one line here and one adapter: docs/doors.md. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { type Backend, describeOnCephAndPostgres, onDirectoryAndSqlite } from "../site/backends.ts";
import type { Running } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";
import { agent } from "./agent.ts";
import { bundle } from "./bundle.ts";
import { bytes } from "./cases/bytes.ts";
import { captures } from "./cases/captures.ts";
import { cuts } from "./cases/cuts.ts";
import { history } from "./cases/history.ts";
import { lies } from "./cases/lies.ts";
import { limits } from "./cases/limits.ts";
import { names } from "./cases/names.ts";
import { receipts } from "./cases/receipts.ts";
import { strangers } from "./cases/strangers.ts";
import { conform } from "./conformance.ts";
import type { Door } from "./door.ts";
import { killAndCompare } from "./kills.ts";
import { parts } from "./parts.ts";
import { put } from "./put.ts";
import { sftp } from "./sftp.ts";

const DOORS: readonly Door[] = [put, parts, bundle, agent, sftp];
const CASES = [
  ...bytes,
  ...history,
  ...names,
  ...captures,
  ...lies,
  ...limits,
  ...strangers,
  ...receipts,
  ...cuts,
];

const options = { sftp: true, receiver: { heartbeat: "1s", log: "warn" } };

function conformOn(backend: Backend, doors: readonly Door[]): void {
  let site: Site;
  let receiver: Running;
  beforeAll(async () => {
    ({ site } = await backend.site(options));
    receiver = await site.serve();
  });
  afterAll(async () => {
    await receiver?.stop();
    await site?.command("verify");
    site?.remove();
  });
  conform(() => site, doors, CASES);
}

describe("every door alike", () => conformOn(onDirectoryAndSqlite, DOORS));

// What SFTP shows comes from tables of its own, and what it takes waits beside the lake: other code on every backend.
describeOnCephAndPostgres("the SFTP door alike", (backend) => conformOn(backend, [sftp]));

test("the receiver killed under all doors at once", { timeout: 300_000 }, async () => {
  const site = await makeSite(options);
  try {
    await killAndCompare(site, DOORS);
  } finally {
    site.remove();
  }
});
