import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatCode } from "@tributary/shared/code.ts";
import { makeTestAuthority, type TestAuthority } from "@tributary/test/network/authority.ts";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { FakeReceiver } from "../upload/fake-receiver.ts";
import { enrol } from "./enrol.ts";
import { loadIdentity, publicX, requireIdentity, storeStanding } from "./identity.ts";

let own: TestAuthority;
let other: TestAuthority;
let receiver: FakeReceiver;
let data: string;
const started: FakeReceiver[] = [];

beforeAll(async () => {
  own = await makeTestAuthority("Tributary test authority");
  other = await makeTestAuthority("Intercepting Proxy Ltd");
});

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), "tributary-enrol-"));
  receiver = await start(own, ["127.0.0.1"]);
});

afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
  rmSync(data, { recursive: true, force: true });
});

async function start(
  authority: TestAuthority,
  hosts: string[],
  days?: { from?: number; to?: number },
): Promise<FakeReceiver> {
  const one = await new FakeReceiver(await authority.issue(hosts, days), authority.cert).start();
  started.push(one);
  return one;
}

const run = (code: string, more: { ca?: string; proxy?: string } = {}) =>
  enrol({ data, code, version: "1.0.0", proxy: more.proxy, ca: more.ca, env: {} });

test("a code becomes an identity, its key private and made here", async () => {
  const identity = await run(receiver.invite(own.pin));
  expect(identity).toMatchObject({
    agentId: receiver.agentId,
    site: receiver.site,
    clients: ["acme"],
    nonce: "nonce-0",
  });
  const loaded = requireIdentity(data);
  expect(publicX(loaded.key)).toBe(loaded.publicKey);
  expect(loaded.trust.authorities.map((one) => one.pem.trim())).toEqual([own.cert.trim()]);
  expect(existsSync(join(data, "key.new"))).toBe(false);
  if (process.platform !== "win32") expect(statSync(join(data, "key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(data, "identity.json"), "utf8")).not.toContain("PRIVATE");
});

test("an enrolment whose answer was lost gives the same answer when it is repeated", async () => {
  const code = receiver.invite(own.pin);
  let lost = 0;
  receiver.intercept = (request) => {
    if (lost > 0) return false;
    request.on("data", () => {});
    // Taken by the receiver, cut before the answer.
    lost += 1;
    request.on("end", () => request.socket.destroy());
    return true;
  };
  await expect(run(code)).rejects.toMatchObject({ code: "receiver-unreachable" });
  const kept = readFileSync(join(data, "key.new"), "utf8");
  expect(loadIdentity(data)).toBeUndefined();
  const identity = await run(code);
  expect(readFileSync(join(data, "key"), "utf8")).toBe(kept);
  expect(identity.agentId).toBe(receiver.agentId);
});

test("the same command again finds itself done, without the receiver", async () => {
  const code = receiver.invite(own.pin);
  const first = await run(code);
  await receiver.stop();
  expect((await run(code)).publicKey).toBe(first.publicKey);
});

test("a folder that is enrolled takes a new key for its own agent only", async () => {
  const first = await run(receiver.invite(own.pin));
  const second = await run(receiver.invite(own.pin));
  expect(second.agentId).toBe(first.agentId);
  expect(second.publicKey).not.toBe(first.publicKey);
  expect(publicX(requireIdentity(data).key)).toBe(second.publicKey);

  const stranger = await start(own, ["127.0.0.1"]);
  await expect(run(stranger.invite(own.pin))).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining(`already enrolled as agent ${first.agentId}`),
  });
  expect(requireIdentity(data).publicKey).toBe(second.publicKey);
});

test("a crash between storing the answer and naming the key loses neither", async () => {
  const identity = await run(receiver.invite(own.pin));
  const key = readFileSync(join(data, "key"), "utf8");
  rmSync(join(data, "key"));
  writeFileSync(join(data, "key.new"), key);
  expect(publicX(requireIdentity(data).key)).toBe(identity.publicKey);
  expect(existsSync(join(data, "key"))).toBe(true);
});

test("what heartbeats changed counts only for the same key", async () => {
  const { publicKey, clients, trust, jwks, heartbeatSeconds } = await run(receiver.invite(own.pin));
  storeStanding(data, { publicKey, clients, trust, jwks, heartbeatSeconds, nonce: "later" });
  expect(requireIdentity(data).nonce).toBe("later");
  await run(receiver.invite(own.pin));
  expect(requireIdentity(data).nonce).toBe("nonce-0");
});

test("another authority's pin: the secret is never sent, and the issuer is named", async () => {
  await expect(run(receiver.invite(other.pin))).rejects.toMatchObject({
    code: "receiver-untrusted",
    message: expect.stringMatching(/issued by "CN=Tributary test authority".*tls: \{ ca: FILE \}/),
  });
  expect(receiver.requests).toEqual([]);
});

test("an authority that merely stands in the chain does not vouch for a leaf it did not sign", async () => {
  const forged = await other.issue(["127.0.0.1"]);
  const leafOnly = forged.cert.slice(0, forged.cert.indexOf("-----END CERTIFICATE-----") + 25);
  const fake = await new FakeReceiver(
    { cert: `${leafOnly}\n${own.cert}`, key: forged.key },
    own.cert,
  ).start();
  started.push(fake);
  await expect(run(fake.invite(own.pin))).rejects.toMatchObject({ code: "receiver-untrusted" });
  expect(fake.requests).toEqual([]);
});

test("a certificate for another name, and one that expired, are refused with the reason", async () => {
  const elsewhere = await start(own, ["receiver.example.com"]);
  await expect(run(elsewhere.invite(own.pin))).rejects.toMatchObject({
    code: "receiver-untrusted",
    message: expect.stringContaining("not for this name"),
  });
  const expired = await start(own, ["127.0.0.1"], { from: -2, to: -1 });
  await expect(run(expired.invite(own.pin))).rejects.toMatchObject({
    code: "receiver-untrusted",
    message: expect.stringContaining("valid from"),
  });
  expect([...elsewhere.requests, ...expired.requests]).toEqual([]);
});

test("an intercepting proxy works only with tls.ca", async () => {
  const intercepting = await start(other, ["127.0.0.1"]);
  const code = intercepting.invite(own.pin);
  await expect(run(code)).rejects.toMatchObject({
    message: expect.stringContaining("CN=Intercepting Proxy Ltd"),
  });
  expect((await run(code, { ca: other.cert })).agentId).toBe(intercepting.agentId);
});

test("`system` does not trust a made-up authority, except by tls.ca", async () => {
  const code = receiver.invite("system");
  await expect(run(code)).rejects.toMatchObject({ code: "receiver-untrusted" });
  expect((await run(code, { ca: own.cert })).trust.systemNamedAt).not.toBeNull();
});

test("codes that do not count say what to do", async () => {
  const unknown = formatCode({ url: receiver.url, secret: randomUUID(), trust: own.pin });
  await expect(run(unknown)).rejects.toMatchObject({
    code: "code-unknown",
    message: expect.stringContaining("ask the receiver's operator"),
  });
  const used = receiver.invite(own.pin);
  await run(used);
  rmSync(data, { recursive: true });
  await expect(run(used)).rejects.toMatchObject({ code: "code-used" });
});

test("nobody there: the address and the reason are told", async () => {
  const code = receiver.invite(own.pin);
  await receiver.stop();
  await expect(run(code)).rejects.toMatchObject({
    code: "receiver-unreachable",
    message: expect.stringMatching(/127\.0\.0\.1.*nothing listens/),
  });
  const nowhere = formatCode({ url: "https://receiver.invalid", secret: randomUUID(), trust: "system" });
  await expect(run(nowhere)).rejects.toMatchObject({ message: expect.stringContaining("DNS") });
});
