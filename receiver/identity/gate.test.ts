import { createHmac, createPublicKey, type KeyObject } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { signToken } from "@tributary/shared/token.ts";
import { SignJWT } from "jose";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { resumeClient, suspendClient } from "../ledger/clients.ts";
import { revokeAgent } from "./agents.ts";
import { addApiKey, parseApiKey, revokeApiKey } from "./apikeys.ts";
import { openGate } from "./gate.ts";
import { redeem } from "./invitations.ts";
import { clientOf } from "./principal.ts";
import { openScene, testHost } from "./scene.ts";

const SITE = "5e0f2c1a-9f4b-4a53-8d3e-0c2a4d6b8e10";
const POST = { method: "POST", path: "/v1/heartbeat" };
const refusal = (code: string) => expect.objectContaining({ name: "ProblemError", code });

async function openGateScene(clients: readonly string[] = ["bakery"], cacheMs = 1000) {
  const scene = await openScene(onTestFinished);
  const host = testHost();
  const { agentId } = await redeem(scene.db, host.enrolment(await scene.secret(clients)));
  const gate = openGate({ db: scene.db, site: SITE, now: () => scene.clock.now, pollMs: 20, cacheMs });
  onTestFinished(() => gate.close());
  const token = (more: Partial<Parameters<typeof signToken>[0]> = {}, key: KeyObject = host.privateKey) =>
    signToken({ agentId, site: SITE, ...POST, now: scene.clock.now, ...more }, key);
  const identify = async (bearer: string | Promise<string>, request = POST) =>
    await gate.identify({ ...request, authorization: `Bearer ${await bearer}` });
  return { ...scene, host, agentId, gate, token, identify };
}

describe("an agent", () => {
  test("is its clients' agent, may write and remove, and not read", async () => {
    const { identify, token, agentId, host } = await openGateScene(["mill", "bakery"]);
    expect(await identify(token())).toEqual({
      ...{ kind: "agent", id: agentId, clients: ["bakery", "mill"], source: undefined },
      ...{ acts: new Set(["write", "remove"]), publicKey: host.x },
    });
  });

  test("signs the path without its query", async () => {
    const { identify, token } = await openGateScene();
    const request = { method: "GET", path: "/v1/versions?latest=true" };
    await expect(identify(token({ method: "GET", path: "/v1/versions" }), request)).resolves.toBeDefined();
  });

  test("is refused with a token of another agent, site, path, method or time", async () => {
    const { db, secret, identify, token, clock } = await openGateScene();
    const other = testHost("till-2");
    await redeem(db, other.enrolment(await secret(["mill"])));
    await expect(identify(token())).resolves.toBeDefined();
    const refused = async (bad: string, code = "unauthenticated") =>
      await expect(identify(bad)).rejects.toEqual(refusal(code));
    await refused(token({}, other.privateKey));
    await refused(token({ path: "/v1/removals" }));
    await refused(token({ path: "/v1/heartbeat/" }));
    await refused(token({ method: "PUT" }));
    await refused(token({ site: crypto.randomUUID() }));
    await refused(token({ now: clock.now - 200_000 }), "token-expired");
    await refused(token({ now: clock.now + 86_400_000 }), "token-expired");
  });

  test("is refused with alg none, HS256 under the public key, a long life, no signature, no token", async () => {
    const { identify, gate, agentId, host, clock, token } = await openGateScene();
    const seconds = Math.floor(clock.now / 1000);
    const claims = {
      ...{ iss: agentId, aud: SITE, iat: seconds, exp: seconds + 60, jti: "1" },
      ...{ htm: POST.method, htu: POST.path },
    };
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const typ = "tributary-agent+jwt";
    const none = `${encode({ alg: "none", typ })}.${encode(claims)}.`;
    const input = `${encode({ alg: "HS256", typ })}.${encode(claims)}`;
    const pem = createPublicKey(host.privateKey).export({ type: "spki", format: "pem" });
    const forgeries = [pem, host.x, Buffer.from(host.x, "base64url")].map(
      (key) => `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`,
    );
    const long = new SignJWT({ ...claims, exp: seconds + 3600 })
      .setProtectedHeader({ alg: "EdDSA", typ })
      .sign(host.privateKey);
    const [head, payload] = token().split(".");
    for (const bad of [none, ...forgeries, await long, `${head}.${payload}.`, "a.b.c", "...", "trbk_x"])
      await expect(identify(bad), bad).rejects.toEqual(refusal("unauthenticated"));
    for (const authorization of [undefined, "", "Basic YTpi", "Bearer", "Bearer a b"])
      await expect(gate.identify({ ...POST, authorization })).rejects.toEqual(refusal("unauthenticated"));
  });

  test("that does not exist is told the same as one whose signature is wrong", async () => {
    const { identify, token } = await openGateScene();
    const stranger = testHost();
    const answer = async (bad: string) =>
      await identify(bad).then(
        () => "let in",
        (problem: ProblemError) => `${problem.code}: ${problem.message}`,
      );
    const wrong = await answer(token({}, stranger.privateKey));
    expect(wrong).toMatch(/^unauthenticated/);
    expect(await answer(token({ agentId: "0198c0de-0000-7000-8000-000000000000" }))).toBe(wrong);
    expect(await answer(token({ agentId: "' or 1=1 --" }))).toBe(wrong);
  });

  test("is refused when revoked or forked, with a name only it can hear", async () => {
    const { db, identify, token, agentId } = await openGateScene(["bakery"], 0);
    await db.updateTable("agents").set({ state: "forked" }).execute();
    await expect(identify(token())).rejects.toEqual(refusal("agent-forked"));
    await revokeAgent(db, agentId);
    await expect(identify(token())).rejects.toEqual(refusal("agent-revoked"));
    await expect(identify(token({}, testHost().privateKey))).rejects.toEqual(refusal("unauthenticated"));
  });

  test("that was revoked is out within five seconds, although the gate remembers", async () => {
    const { db, identify, token, agentId } = await openGateScene();
    await identify(token());
    await revokeAgent(db, agentId);
    await vi.waitFor(() => expect(identify(token())).rejects.toEqual(refusal("agent-revoked")), {
      timeout: 5000,
      interval: 50,
    });
  });

  test("that moved is let in with its new key at once, and with its old one no more", async () => {
    const { db, secret, identify, token, agentId } = await openGateScene(["bakery"], 3_600_000);
    await identify(token());
    const moved = testHost("new-host");
    await redeem(db, moved.enrolment(await secret([], { replaces: agentId })));
    await expect(identify(token({}, moved.privateKey))).resolves.toMatchObject({ publicKey: moved.x });
    await expect(identify(token())).rejects.toEqual(refusal("unauthenticated"));
  });

  test("of a suspended client waits; of several clients only that one's files wait", async () => {
    const { db, secret, identify, token } = await openGateScene(["bakery"], 0);
    const house = testHost("house");
    const { agentId } = await redeem(db, house.enrolment(await secret(["bakery", "mill"])));
    await suspendClient(db, "bakery");
    await expect(identify(token())).rejects.toEqual(refusal("client-suspended"));
    const principal = await identify(token({ agentId }, house.privateKey));
    expect(clientOf(principal, "mill")).toBe("mill");
    expect(() => clientOf(principal, "bakery")).toThrow(refusal("client-suspended"));
    expect(() => clientOf(principal, undefined)).toThrow(refusal("client-required"));
    await resumeClient(db, "bakery");
    await expect(identify(token())).resolves.toBeDefined();
  });
});

describe("an API key", () => {
  test("may what its scopes say, at its source", async () => {
    const { db, identify } = await openGateScene();
    const wanted = { client: "mill", source: "pos", scopes: ["write", "read"] };
    const key = await addApiKey(db, wanted);
    expect(await identify(key)).toEqual({
      ...{ kind: "key", id: parseApiKey(key)?.id, clients: ["mill"], source: "pos" },
      acts: new Set(["write", "read"]),
    });
  });

  test("is refused with another secret, when revoked, and while its client is suspended", async () => {
    const { db, identify } = await openGateScene(["bakery"], 0);
    const key = await addApiKey(db, { client: "mill" });
    const other = await addApiKey(db, { client: "bakery" });
    const mixed = `${key.slice(0, 22)}${other.slice(22)}`;
    await expect(identify(mixed)).rejects.toEqual(refusal("unauthenticated"));
    await expect(identify(`trbk_${"0".repeat(16)}_${key.slice(22)}`)).rejects.toEqual(
      refusal("unauthenticated"),
    );
    await suspendClient(db, "mill");
    await expect(identify(key)).rejects.toEqual(refusal("client-suspended"));
    await resumeClient(db, "mill");
    await revokeApiKey(db, parseApiKey(key)?.id as string);
    await expect(identify(key)).rejects.toEqual(refusal("unauthenticated"));
  });
});

describe("watching", () => {
  test("whoever was revoked, forked, moved or suspended is told once, the others not at all", async () => {
    const { db, gate, secret, identify, token, agentId } = await openGateScene();
    const second = testHost("till-2");
    const { agentId: secondId } = await redeem(db, second.enrolment(await secret(["bakery"])));
    const third = testHost("till-3");
    const { agentId: thirdId } = await redeem(db, third.enrolment(await secret(["bakery"])));
    const key = await addApiKey(db, { client: "bakery" });
    const millKey = await addApiKey(db, { client: "mill" });
    const stays = await addApiKey(db, { client: "bakery" });
    const told: string[] = [];
    const watch = async (name: string, bearer: string | Promise<string>) =>
      gate.watch(await identify(bearer), name === "mill" ? ["mill"] : ["bakery"], (reason) => {
        expect(reason).toBeInstanceOf(ProblemError);
        told.push(`${name} ${reason.code}`);
      });
    await watch("revoked", token());
    await watch("forked", token({ agentId: secondId }, second.privateKey));
    await watch("moved", token({ agentId: thirdId }, third.privateKey));
    await watch("key", key);
    await watch("mill", millKey);
    await watch("stays", stays);
    (await watch("gone", token()))();
    const faulty = await identify(token());
    gate.watch(faulty, ["bakery"], () => {
      throw new Error("a fault of one watcher");
    });
    await revokeAgent(db, agentId);
    await db.updateTable("agents").set({ state: "forked" }).where("id", "=", secondId).execute();
    await redeem(db, testHost().enrolment(await secret([], { replaces: thirdId })));
    await revokeApiKey(db, parseApiKey(key)?.id as string);
    await suspendClient(db, "mill");
    const all = [
      "forked agent-forked",
      "key unauthenticated",
      "mill client-suspended",
      "moved unauthenticated",
      "revoked agent-revoked",
    ];
    await vi.waitFor(() => expect([...told].sort()).toEqual(all), { timeout: 5000 });
    await suspendClient(db, "bakery");
    await vi.waitFor(() => expect(told).toContain("stays client-suspended"), { timeout: 5000 });
    expect(told).toHaveLength(all.length + 1);
  });

  test("a client that is suspended ends only what is done for it, also where one agent acts for several", async () => {
    const { db, gate, identify, token } = await openGateScene(["bakery", "mill"]);
    const principal = await identify(token());
    const told: string[] = [];
    for (const [name, clients] of [
      ["bakery's", ["bakery"]],
      ["mill's", ["mill"]],
      ["of both", ["bakery", "mill"]],
    ] as const)
      gate.watch(principal, clients, (reason) => told.push(`${name} ${reason.code}`));
    await suspendClient(db, "bakery");
    await vi.waitFor(() => expect(told).toHaveLength(2), { timeout: 5000 });
    await resumeClient(db, "bakery");
    await suspendClient(db, "mill");
    await vi.waitFor(() => expect(told).toHaveLength(3), { timeout: 5000 });
    expect(told).toEqual([
      "bakery's client-suspended",
      "of both client-suspended",
      "mill's client-suspended",
    ]);
  });
});
