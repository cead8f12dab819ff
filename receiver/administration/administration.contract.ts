/** What every administrative act promises, on either database: it does what it says, and the audit log tells before and after. */
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { describe, expect, test } from "vitest";
import { listAudit, type Who } from "../audit/audit.ts";
import { listCommands } from "../fleet/commands.ts";
import { listApiKeys } from "../identity/apikeys.ts";
import { listInvitations } from "../identity/invitations.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { accept, invitePerson, openLinks } from "../people/invitations.ts";
import { listPeople } from "../people/people.ts";
import { waysOf } from "../people/ways.ts";
import { addAccount, limitAccount, revokeAccount, setPasswordOfAccount } from "./accounts.ts";
import {
  askAgent,
  inviteAgent,
  pauseAgent,
  resumeAgent,
  revokeAgent,
  setAgentLimits,
  takeBackInvitation,
} from "./agents.ts";
import { addClient, resumeClient, setClientLimits, setClientQuotas, suspendClient } from "./clients.ts";
import { addKey, revokeKey, setKeyLimits } from "./keys.ts";
import { recordLogin } from "./login.ts";
import { offboardClient, planOffboarding } from "./offboard.ts";
import { disablePerson, enablePerson, invite, join, resetPerson, setRole } from "./people.ts";
import { addWebhook, replayWebhook, revokeWebhook } from "./webhooks.ts";

const ANNA: Who = { kind: "person", id: "p1", name: "anna@example.com" };
const RECEIVER = { url: "https://receiver.example.com", trust: "system" };
const close = (secret: string): string => `closed ${secret.length}`;

export function administrationContract(name: string, open: () => Promise<LedgerDatabase>): void {
  const site = async () => {
    const { db } = await open();
    const by = { db, who: ANNA };
    await addClient(by, "acme");
    return { db, by };
  };
  const lastLine = async (db: Database) => (await listAudit(db, { limit: 1 }))[0];

  describe(`administration on ${name}`, () => {
    test("a client is added, suspended, bounded and resumed, and each change is told", async () => {
      const { db, by } = await site();
      expect(await lastLine(db)).toMatchObject({
        act: "client.add",
        who: ANNA,
        client: "acme",
        before: null,
        after: { suspendedAt: null, quotas: { day: null } },
      });
      await suspendClient(by, "acme");
      expect(await lastLine(db)).toMatchObject({
        act: "client.suspend",
        before: { suspendedAt: null },
        after: { suspendedAt: expect.stringContaining("Z") },
      });
      await setClientQuotas(by, "acme", { day: 5 });
      expect(await lastLine(db)).toMatchObject({
        before: { quotas: { day: null } },
        after: { quotas: { day: 5 } },
      });
      await setClientLimits(by, "acme", { uploads: 3 });
      expect(await lastLine(db)).toMatchObject({ act: "client.limit", after: { limits: { uploads: 3 } } });
      await resumeClient(by, "acme");
      expect(await lastLine(db)).toMatchObject({ act: "client.resume", after: { suspendedAt: null } });
    });

    test("an act that is refused leaves no record", async () => {
      const { db, by } = await site();
      await expect(suspendClient(by, "nobody")).rejects.toMatchObject({ code: "not-found" });
      await expect(addClient(by, "acme")).rejects.toMatchObject({ code: "request-invalid" });
      await expect(addKey(by, { client: "nobody" })).rejects.toMatchObject({ code: "not-found" });
      await expect(revokeAgent(by, "nobody")).rejects.toMatchObject({ code: "not-found" });
      expect(await listAudit(db, { limit: 10 })).toHaveLength(1);
    });

    test("what an agent is asked, and the wish to pause it, are told with whose they are", async () => {
      const { db, by } = await site();
      await db
        .insertInto("agents")
        .values({
          ...{ id: "a", name: "till", public_key: "a", state: "active", created_at: 1, host: "h" },
          ...{ platform: "linux", version: "1", nonce: null, nonce_previous: null, last_seen_at: null },
          status: null,
        })
        .execute();
      await db.insertInto("agent_clients").values({ agent_id: "a", client: "acme" }).execute();
      const { id } = await askAgent(by, { agentId: "a", kind: "scan", source: "pos" });
      expect((await listCommands(db, "a"))[0]).toMatchObject({ id, createdBy: ANNA.name });
      expect(await lastLine(db)).toMatchObject({
        ...{ act: "agent.scan", who: ANNA, client: "acme", before: null },
        after: { command: id, source: "pos" },
      });
      await pauseAgent(by, "a");
      const pause = { since: expect.stringContaining("Z"), by: ANNA.name };
      expect(await lastLine(db)).toMatchObject({
        ...{ act: "agent.pause", before: { pause: null }, after: { pause } },
      });
      await resumeAgent(by, "a");
      expect(await lastLine(db)).toMatchObject({
        ...{ act: "agent.resume", before: { pause }, after: { pause: null } },
      });
      await expect(askAgent(by, { agentId: "x", kind: "scan" })).rejects.toMatchObject({ code: "not-found" });
      expect(await lastLine(db)).toMatchObject({ act: "agent.resume" });
    });

    test("keys, accounts and webhooks: no secret is in any record", async () => {
      const { db, by } = await site();
      const key = await addKey(by, { client: "acme", name: "nightly" });
      const [, id, proof] = /^trbk_([^_]+)_(.+)$/.exec(key) as unknown as [string, string, string];
      await setKeyLimits(by, id, { uploads: 2 });
      await revokeKey(by, id);
      await addAccount(by, { client: "acme", user: "acme-ftp", keys: [], passwordHash: "$argon2id$hash" });
      await limitAccount(by, "acme-ftp", { day: 9 });
      await setPasswordOfAccount(by, "acme-ftp", "$argon2id$other");
      await revokeAccount(by, "acme-ftp");
      const url = new URL("https://hooks.example.com/acme");
      const { id: webhook, secret } = await addWebhook(by, { url, client: "acme" }, close);
      await replayWebhook(by, webhook, { dead: [] });
      await revokeWebhook(by, webhook);
      const lines = await listAudit(db, { limit: 100, client: "acme" });
      expect(lines.map((line) => line.act).toReversed()).toEqual([
        "client.add",
        ...["key.add", "key.limit", "key.revoke"],
        ...["sftp.add", "sftp.limit", "sftp.credentials", "sftp.revoke"],
        ...["webhook.add", "webhook.replay", "webhook.revoke"],
      ]);
      const text = JSON.stringify(lines);
      for (const hidden of [proof, "argon2id", secret, "closed"]) expect(text).not.toContain(hidden);
      expect(lines.find((line) => line.act === "key.revoke")).toMatchObject({
        before: { revokedAt: null },
        after: { revokedAt: expect.stringContaining("Z") },
      });
    });

    test("an invitation is listed until it is taken back; its code is in no record", async () => {
      const { db, by } = await site();
      const { id, code } = await inviteAgent(by, { clients: ["acme"], expiresMs: 60_000 }, RECEIVER);
      expect(await listInvitations(db, { client: "acme" })).toMatchObject([
        { id, state: "open", agentId: null },
      ]);
      expect(await listInvitations(db, { client: "acme" }, Date.now() + 61_000)).toMatchObject([
        { state: "expired" },
      ]);
      expect(JSON.stringify(await listAudit(db, { limit: 1 }))).not.toContain(code);
      await takeBackInvitation(by, id);
      expect(await listInvitations(db, { client: "acme" })).toEqual([]);
      await expect(takeBackInvitation(by, id)).rejects.toMatchObject({ code: "not-found" });
    });

    test("an agent is bounded and revoked", async () => {
      const { db, by } = await site();
      const id = await agent(db, ["acme"], 0);
      await setAgentLimits(by, id, { day: 7 });
      await revokeAgent(by, id);
      expect(await lastLine(db)).toMatchObject({
        act: "agent.revoke",
        client: "acme",
        before: { state: "active", limits: { day: 7 } },
        after: { state: "revoked" },
      });
    });

    test("a person joins by a link; by a reset the own login changes, and what of it", async () => {
      const { db, by } = await site();
      const secret = await invite(by, { email: "clerk@example.com", name: "Clerk", role: "viewer" });
      const password = "rivers carry what they are given";
      const clerk = await join(db, { secret, password }, { address: "10.0.0.9" });
      const who = { kind: "person", id: clerk.id, name: clerk.email, address: "10.0.0.9" };
      expect(await lastLine(db)).toMatchObject({ act: "person.join", who, after: { role: "viewer" } });
      await db.updateTable("people").set({ totp_enabled: 1 }).where("id", "=", clerk.id).execute();
      await db
        .insertInto("people_sessions")
        .values({
          ...{ id: "s", person: clerk.id, token: "t", how: "password", address: null, device: null },
          ...{ created_at: 1, used_at: 1, expires_at: Date.now() + 60_000 },
        })
        .execute();
      const reset = await resetPerson(by, clerk, true);
      await join(db, { secret: reset, password: `${password} and more` }, { address: "10.0.0.9" });
      const line = await lastLine(db);
      expect(line).toMatchObject({
        ...{ act: "person.login", who, subject: { kind: "person", id: "clerk@example.com" } },
        before: { totp: true, passkeys: [], providers: [], passwordSince: expect.stringContaining("Z") },
        after: { changed: "reset", totp: false, ended: 1 },
      });
      expect(line?.after?.["passwordSince"]).not.toBe(line?.before?.["passwordSince"]);
      expect((await listAudit(db, { act: "person.join", limit: 9 })).length).toBe(1);
    });

    test("the record of the login names who it was by the id, and by the email to read", async () => {
      const { db } = await site();
      const address = "10.0.0.9";
      const secret = await invitePerson(db, { email: "ada@example.com", name: "Ada", role: "admin" });
      const ada = await accept(db, { secret, password: "rivers carry what they are given" });
      const who = { kind: "person", id: ada.id, name: ada.email, address };
      await recordLogin(db, { kind: "PersonJoined", person: ada, provider: "corp", address });
      expect(await lastLine(db)).toMatchObject({ act: "person.join", who, after: { provider: "corp" } });
      const before = await waysOf(db, ada.id);
      const after = { ...before, providers: ["corp"] };
      const linked = { person: ada.id, changed: "provider", before, after, address } as const;
      await recordLogin(db, { kind: "OwnLoginChanged", ...linked });
      expect(await lastLine(db)).toMatchObject({
        ...{ act: "person.login", who, before, after: { changed: "provider", ...after } },
      });
    });

    test("an admin who is disabled: the record names the links that ended with him", async () => {
      const { db, by } = await site();
      const add = async (email: string) => {
        const secret = await invitePerson(db, { email, name: "Admin", role: "admin" });
        return await accept(db, { secret, password: "rivers carry what they are given" });
      };
      await add("root@example.com");
      const { id, email } = await add("eve@example.com");
      const eve = { db, who: { kind: "person", id, name: email } } as const;
      await invite(eve, { email: "mole@example.com", role: "viewer" });
      await disablePerson(by, id);
      expect(await lastLine(db)).toMatchObject({
        ...{ act: "person.disable", after: { endedLinks: ["mole@example.com"] } },
      });
      await expect(invite(eve, { email: "mole@example.com", role: "viewer" })).rejects.toMatchObject({
        code: "forbidden",
      });
    });

    test("a client leaves: all who act for it alone are shut out, others go on for theirs", async () => {
      const { db, by } = await site();
      await addClient(by, "globex");
      const own = await agent(db, ["acme"], 14);
      const house = await agent(db, ["acme", "globex"], 3);
      await addKey(by, { client: "acme" });
      await addKey(by, { client: "globex" });
      await addAccount(by, { client: "acme", user: "acme-ftp", keys: [], passwordHash: "x" });
      await addWebhook(by, { url: new URL("https://hooks.example.com/"), client: "acme" }, close);
      await inviteAgent(by, { clients: ["acme", "globex"], expiresMs: 60_000 }, RECEIVER);
      const uploader = { role: "uploader", client: "acme" } as const;
      const secret = await invite(by, { email: "clerk@example.com", name: "Clerk", ...uploader });
      const clerk = await join(db, { secret, password: "rivers carry what they are given" }, {});
      await invite(by, { email: "second@example.com", ...uploader });
      const plan = await planOffboarding(db, "acme");
      expect(plan).toEqual({
        revoked: [{ id: own, name: "host", waiting: 14 }],
        kept: [{ id: house, name: "host" }],
        ...{ keys: 1, accounts: 1, webhooks: 1, invitations: 1, people: 2 },
      });
      expect(await offboardClient(by, "acme")).toEqual(plan);
      expect(await planOffboarding(db, "acme")).toEqual({
        ...{ revoked: [], kept: [], keys: 0, accounts: 0, webhooks: 0, invitations: 0, people: 0 },
      });
      expect((await listPeople(db)).map(({ id, disabledAt }) => [id, disabledAt !== null])).toEqual([
        [clerk.id, true],
      ]);
      expect(await openLinks(db)).toEqual([]);
      expect(await lastLine(db)).toMatchObject({
        act: "client.offboard",
        before: { offboardedAt: null },
        after: {
          offboardedAt: expect.stringContaining("Z"),
          ended: { revoked: [own], kept: [house], keys: 1 },
        },
      });
      const states = await db.selectFrom("agents").select(["id", "state"]).orderBy("id").execute();
      expect(new Map(states.map((row) => [row.id, row.state]))).toEqual(
        new Map([
          [own, "revoked"],
          [house, "active"],
        ]),
      );
      expect(
        await db.selectFrom("agent_clients").selectAll().where("agent_id", "=", house).execute(),
      ).toEqual([{ agent_id: house, client: "globex" }]);
      expect((await listApiKeys(db)).map((key) => [key.client, key.revokedAt !== null])).toEqual([
        ["acme", true],
        ["globex", false],
      ]);
      await resumeClient(by, "acme");
      expect(await lastLine(db)).toMatchObject({ after: { offboardedAt: null, suspendedAt: null } });
      expect((await listApiKeys(db, { client: "acme" }))[0]?.revokedAt).not.toBeNull();
    });

    test("what ended by itself counts for nothing in an offboarding, and goes with it", async () => {
      const { db, by } = await site();
      await inviteAgent(by, { clients: ["acme"], expiresMs: 60_000 }, RECEIVER);
      const clerk = { email: "clerk@example.com", name: "Clerk", role: "uploader", client: "acme" } as const;
      await invite(by, clerk);
      expect(await planOffboarding(db, "acme")).toMatchObject({ invitations: 1, people: 1 });
      const later = Date.now() + 100 * 3_600_000;
      expect(await planOffboarding(db, "acme", later)).toMatchObject({ invitations: 0, people: 0 });
      await offboardClient(by, "acme", later);
      for (const table of ["invitations", "people_invitations"] as const)
        expect(await db.selectFrom(table).select("secret_hash").execute()).toEqual([]);
    });

    test("nobody is let in for a client that was offboarded, until it is taken back", async () => {
      const { db, by } = await site();
      await addClient(by, "globex");
      const own = await agent(db, ["acme"], 0);
      const uploader = { role: "uploader", client: "acme" } as const;
      const secret = await invite(by, { email: "clerk@example.com", name: "Clerk", ...uploader });
      const clerk = await join(db, { secret, password: "rivers carry what they are given" }, {});
      const boss = await invite(by, { email: "boss@example.com", name: "Boss", role: "admin" });
      await join(db, { secret: boss, password: "rivers carry what they are given" }, {});
      await offboardClient(by, "acme");
      const lines = (await listAudit(db, { limit: 100 })).length;
      const account = { user: "acme-ftp", keys: [], passwordHash: "x" } as const;
      const url = new URL("https://hooks.example.com/acme");
      const invited = { email: "second@example.com", ...uploader };
      const letIn: readonly (() => Promise<unknown>)[] = [
        () => inviteAgent(by, { clients: ["globex", "acme"], expiresMs: 60_000 }, RECEIVER),
        () => inviteAgent(by, { clients: [], replaces: own, expiresMs: 60_000 }, RECEIVER),
        () => addKey(by, { client: "acme" }),
        () => addAccount(by, { client: "acme", ...account }),
        () => addWebhook(by, { url, client: "acme" }, close),
        () => invite(by, invited),
        () => enablePerson(by, clerk.id),
      ];
      for (const act of letIn)
        await expect(act()).rejects.toMatchObject({
          code: "request-invalid",
          message: expect.stringContaining("tributary-receiver client resume acme"),
        });
      await setRole(by, clerk.id, { role: "viewer" });
      await expect(setRole(by, clerk.id, uploader)).rejects.toMatchObject({ code: "request-invalid" });
      await setRole(by, clerk.id, { role: "uploader", client: "globex" });
      await enablePerson(by, clerk.id);
      await disablePerson(by, clerk.id);
      expect(await listAudit(db, { limit: 100 })).toHaveLength(lines + 4);
      await resumeClient(by, "acme");
      for (const act of letIn) await act();
    });
  });
}

async function agent(db: Database, clients: readonly string[], depth: number): Promise<string> {
  const id = uuidv7();
  const status = {
    ...{ version: "1", host: "host", clock: "2026-01-01T00:00:00Z", skewMs: 0 },
    queue: { depth, bytes: 1, aside: 0 },
    ...{ sources: [], problems: [], configurationRevision: 0 },
  };
  await db
    .insertInto("agents")
    .values({
      ...{
        id,
        name: "host",
        public_key: id,
        state: "active",
        created_at: 1,
        host: "host",
        platform: "linux",
      },
      ...{ version: "1", nonce: null, nonce_previous: null, last_seen_at: 1, status: JSON.stringify(status) },
    })
    .execute();
  await db
    .insertInto("agent_clients")
    .values(clients.map((client) => ({ agent_id: id, client })))
    .execute();
  return id;
}
