/** What SQLite's single write lock gives for nothing must hold in PostgreSQL too: one winner of every race. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCode } from "@tributary/shared/code.ts";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { expect, onTestFinished, test } from "vitest";
import { heartbeatOf } from "../fleet/heartbeat.ts";
import { addClient, suspendClient } from "../ledger/clients.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { listAgents, revokeAgent } from "./agents.ts";
import { addApiKey, listApiKeys, parseApiKey, revokeApiKey } from "./apikeys.ts";
import { openGate } from "./gate.ts";
import { invite, redeem } from "./invitations.ts";
import { openKeys } from "./keys.ts";
import { idleHeartbeat, RECEIVER, testHost } from "./scene.ts";
import { sftpAccountsContract } from "./sftp-accounts.contract.ts";
import { requireSftpHostKeys } from "./sftp-hosting.ts";

describeWithPostgres("identity on PostgreSQL", (server) => {
  const openLedger = async () => {
    const { db, close } = await openPostgres(await freshDatabase(server));
    onTestFinished(close);
    await addClient(db, "bakery");
    return db;
  };
  sftpAccountsContract(openLedger);

  const refusal = (code: string) => expect.objectContaining({ name: "ProblemError", code });

  test("of many hosts with one code one gets it; of many heartbeats at once none is lost between", async () => {
    const db = await openLedger();
    const { secret } = parseCode(
      (await invite(db, { clients: ["bakery"], expiresMs: 60_000 }, RECEIVER)).code,
    );
    const hosts = Array.from({ length: 6 }, () => testHost());
    const results = await Promise.allSettled(hosts.map((host) => redeem(db, host.enrolment(secret))));
    const won = results.findIndex((one) => one.status === "fulfilled");
    for (const [at, result] of results.entries())
      if (at !== won) expect(result).toMatchObject({ reason: { code: "code-used" } });
    const agent = (await listAgents(db))[0] as Awaited<ReturnType<typeof listAgents>>[number];
    expect(agent).toMatchObject({ clients: ["bakery"], state: "active" });
    expect(await listAgents(db)).toHaveLength(1);

    const host = hosts[won] as ReturnType<typeof testHost>;
    const { nonce } = await redeem(db, host.enrolment(secret));
    const keys = { site: "s", trust: () => ({ authorities: [], system: true }), jwks: () => ({ keys: [] }) };
    const heartbeat = heartbeatOf({ db, keys });
    const principal = { id: agent.id, clients: ["bakery"], source: undefined, publicKey: host.x };
    const beat = (n: string) =>
      heartbeat({ ...principal, kind: "agent", acts: new Set(["write"]) }, idleHeartbeat(n));
    const answers = await Promise.all([beat(nonce), beat(nonce), beat(nonce)]);
    const outcomes = await Promise.allSettled(answers.map((answer) => beat(answer.nonce)));
    expect(outcomes.some((one) => one.status === "rejected")).toBe(true);
    expect((await listAgents(db))[0]?.state).toBe("forked");
  });

  test("receivers that start together for the first time with folders of their own: one is the site", async () => {
    const db = await openLedger();
    const folder = mkdtempSync(join(tmpdir(), "tributary-keys-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const starts = await Promise.allSettled(
      ["a", "b", "c"].map((name) => openKeys({ db, folder: join(folder, name), hosts: ["localhost"] })),
    );
    for (const start of starts) if (start.status === "fulfilled") start.value.close();
    expect(starts.filter((start) => start.status === "fulfilled")).toHaveLength(1);
    for (const start of starts)
      if (start.status === "rejected") expect(start.reason).toEqual(refusal("keys-refused"));
  });

  test("receivers that need SFTP host keys together for the first time, with folders of their own: one makes them", async () => {
    const db = await openLedger();
    const folder = mkdtempSync(join(tmpdir(), "tributary-keys-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const names = ["a", "b", "c"].map((name) => join(folder, name));
    (await openKeys({ db, folder: names[0] as string, hosts: ["localhost"] })).close();
    for (const name of names.slice(1)) cpSync(names[0] as string, name, { recursive: true });
    const made = await Promise.allSettled(names.map((name) => requireSftpHostKeys(db, name, Date.now())));
    expect(made.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    for (const one of made)
      if (one.status === "rejected") expect(one.reason).toEqual(refusal("keys-refused"));
  });

  test("the gate reads agents, keys and suspensions", async () => {
    const db = await openLedger();
    const key = await addApiKey(db, { client: "bakery", scopes: ["read", "write"] });
    const gate = openGate({ db, site: "s", cacheMs: 0 });
    onTestFinished(() => gate.close());
    const request = { method: "GET", path: "/v1/versions", authorization: `Bearer ${key}` };
    expect(await gate.identify(request)).toMatchObject({ clients: ["bakery"] });
    await suspendClient(db, "bakery");
    await expect(gate.identify(request)).rejects.toEqual(refusal("client-suspended"));
    await revokeApiKey(db, parseApiKey(key)?.id as string);
    await expect(gate.identify(request)).rejects.toEqual(refusal("unauthenticated"));
    expect((await listApiKeys(db))[0]?.revokedAt).toMatch(/^20/);
    await expect(revokeAgent(db, "nobody")).rejects.toEqual(refusal("not-found"));
  });
});
