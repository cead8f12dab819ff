import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { backup } from "../ledger/backup.ts";
import { restore } from "../ledger/restore.ts";
import { openSqlite } from "../ledger/sqlite.ts";
import { authContract } from "./auth.contract.ts";
import { invitePerson, welcome } from "./invitations.ts";
import { oidcContract } from "./oidc.contract.ts";
import { peopleContract } from "./people.contract.ts";
import { peopleScene, totp } from "./scene.ts";

const folderOf = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "tributary-people-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const open = async () => {
  const database = await openSqlite(join(folderOf(), "ledger.sqlite"));
  onTestFinished(database.close);
  return database;
};

describe("sqlite", () => {
  const openLedger = async () => (await open()).db;
  peopleContract(openLedger);
  authContract(openLedger);
  oidcContract(openLedger);
});

test("a backup brings back persons and what they log in with, and nobody who is logged in", async () => {
  const { db } = await open();
  const { add, browser } = peopleScene(db);
  await add("ada@example.com", { role: "admin" });
  const one = browser();
  await one.login("ada@example.com");
  const { secret, backupCodes } = await one.setUpTotp();
  const halfWay = browser();
  await halfWay.login("ada@example.com");
  const invited = await invitePerson(db, { email: "bob@example.com", role: "viewer" });
  const file = join(folderOf(), "b");
  await backup(db, file);

  const target = await open();
  await restore(target, file);
  const restored = peopleScene(target.db);
  expect(await restored.people.session(one.headers)).toBeUndefined();
  await expect(welcome(target.db, invited)).rejects.toMatchObject({ code: "link-spent" });
  for (const table of ["people_sessions", "people_verifications", "people_codes_used"] as const)
    expect(await target.db.selectFrom(table).selectAll().execute()).toEqual([]);
  const again = restored.browser();
  expect((await again.login("ada@example.com")).json).toMatchObject({ twoFactorRedirect: true });
  expect((await again.post("/two-factor/verify-totp", { code: totp(secret, 1) })).status).toBe(200);
  expect(await again.who()).toMatchObject({ person: { role: "admin" } });
  const byCode = restored.browser();
  await byCode.login("ada@example.com");
  expect((await byCode.post("/two-factor/verify-backup-code", { code: backupCodes[3] })).status).toBe(200);
});
