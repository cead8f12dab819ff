/** The checks of the way to the receiver against a real HTTPS server: right, intercepted, refusing, gone. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyToken } from "@tributary/shared/token.ts";
import { makeTestAuthority, type TestAuthority } from "@tributary/test/network/authority.ts";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { agentSettings } from "../config.ts";
import {
  type Enrolled,
  type Identity,
  loadIdentity,
  pendingKey,
  publicX,
  storeEnrolment,
} from "../identity/identity.ts";
import { examine } from "./doctor.ts";
import type { Finding } from "./finding.ts";
import { checkTls } from "./tls.ts";

const SITE = "00000000-0000-4000-8000-000000000001";
const AGENT = "00000000-0000-4000-8000-000000000000";

let authority: TestAuthority;
let other: TestAuthority;
let server: Server;
let port: number;
let dir: string;
/** What the receiver answers. */
let answer: { status: number; code?: string; date?: string; clients?: unknown };
let authorized: string[];

beforeAll(async () => {
  authority = await makeTestAuthority("Example Authority");
  other = await makeTestAuthority("Intercepting Proxy");
  server = createServer(await authority.issue(["127.0.0.1"], { to: 300 }), (request, response) => {
    authorized.push(request.headers.authorization ?? "");
    if (answer.date) response.setHeader("date", answer.date);
    response.writeHead(answer.status, { "content-type": "application/problem+json" });
    const { code, clients } = answer;
    response.end(JSON.stringify(code === undefined ? { clients } : { code, detail: "because" }));
  });
  port = await new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
  );
  dir = mkdtempSync(join(tmpdir(), "tributary-way-"));
  identity = enrolled();
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  answer = { status: 200, clients: [{ name: "demo", suspended: false }] };
  authorized = [];
});

let identity: Identity;

function enrolled(): Identity {
  const stored: Enrolled = {
    agentId: AGENT,
    name: "a",
    site: SITE,
    url: `https://127.0.0.1:${port}`,
    codeSha256: "",
    publicKey: publicX(pendingKey(dir)),
    clients: ["demo"],
    trust: { authorities: [{ pem: authority.cert, lastNamedAt: Date.now() }], systemNamedAt: null },
    jwks: { keys: [] },
    nonce: "n",
    heartbeatSeconds: 10,
  };
  storeEnrolment(dir, stored);
  return loadIdentity(dir) as Identity;
}

const NO_SECRETS = { read: () => Promise.reject(new Error("not asked for")) };

async function found(patient: Partial<Parameters<typeof examine>[0]> = {}): Promise<Map<string, Finding>> {
  const all = new Map<string, Finding>();
  const settings = agentSettings.parse({});
  for await (const one of examine({
    data: dir,
    identity,
    settings,
    env: {},
    secrets: NO_SECRETS,
    ...patient,
  }))
    all.set(one.check, one);
  return all;
}

const levels = (all: Map<string, Finding>): string =>
  [...all].map(([check, { level }]) => `${check} ${level}`).join(", ");

test("all is well, but nothing is to be captured", async () => {
  expect(levels(await found())).toBe(
    "address ok, proxy ok, dns ok, tcp ok, tls ok, clock ok, authorised ok, data folder ok, key ok, disk space ok, sources warn",
  );
});

test("the request is signed for its very path, and has no effect", async () => {
  await found();
  const [scheme, token = ""] = (authorized[0] ?? "").split(" ");
  expect(scheme).toBe("Bearer");
  const { htu } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as {
    htu: string;
  };
  expect(htu).toBe("/v1/clients");
  const { publicKey } = generateKeyPairSync("ed25519");
  const expected = { agentId: AGENT, site: SITE, method: "GET", path: htu, now: Date.now() };
  await expect(verifyToken(token, expected, publicKey)).rejects.toThrow();
});

test("an intercepting proxy is named by the issuer that was seen", async () => {
  const way = { url: new URL(identity.url), proxy: undefined };
  const finding = await checkTls(way, [other.cert], Date.now());
  expect(finding).toMatchObject({ level: "fail" });
  expect(finding.says).toContain("Example Authority");
  expect(finding.todo).toContain("tls: { ca: FILE }");
});

test("tls.ca of the host's own file counts", async () => {
  const untrusting = { ...identity, trust: { ...identity.trust, authorities: [] } };
  expect(levels(await found({ identity: untrusting }))).toContain("tls fail");
  const ca = join(dir, "ca.pem");
  writeFileSync(ca, authority.cert);
  const settings = agentSettings.parse({ tls: { ca } });
  expect(levels(await found({ identity: untrusting, settings }))).toContain("tls ok");
  const missing = agentSettings.parse({ tls: { ca: join(dir, "missing.pem") } });
  expect((await found({ settings: missing })).get("tls")?.says).toContain("tls.ca: cannot read");
});

test("a source from which nothing would flow is a failure", async () => {
  const inbox = join(dir, "inbox");
  const elsewhere = mkdtempSync(join(tmpdir(), "tributary-elsewhere-"));
  mkdirSync(inbox, { recursive: true });
  const of = async (...sources: object[]) => {
    const failed = [];
    for await (const { check, level, says } of examine({
      secrets: NO_SECRETS,
      data: dir,
      identity,
      settings: agentSettings.parse({ sources }),
      env: {},
    }))
      if (level === "fail") failed.push(`${check}: ${says}`);
    return failed;
  };
  try {
    expect(await of({ name: "pos", path: elsewhere })).toEqual([]);
    expect(await of({ name: "pos", path: elsewhere, client: "other" })).toEqual([
      expect.stringMatching(/^source pos: .*for whom this agent does not act/),
    ]);
    expect(await of({ name: "pos", path: inbox })).toEqual([
      expect.stringMatching(/^source pos: .*the agent's own folder/),
    ]);
    expect(
      await of({ name: "pos", path: elsewhere }, { name: "pos", path: elsewhere, client: "demo" }),
    ).toEqual([expect.stringMatching(/^source pos: .*second source of "demo"/)]);
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
});

test("a revoked agent", async () => {
  answer = { status: 403, code: "agent-revoked" };
  expect((await found()).get("authorised")).toMatchObject({ level: "fail" });
});

test("a suspended client, and a stranger's page", async () => {
  answer = { status: 200, clients: [{ name: "demo", suspended: true }] };
  const suspended = (await found()).get("authorised");
  expect(suspended).toMatchObject({ level: "fail", says: expect.stringContaining("demo") });
  answer = { status: 200 };
  expect((await found()).get("authorised")).toMatchObject({ level: "fail" });
});

test("a wrong clock is made up for, as the agent does", async () => {
  answer = { status: 401, code: "token-expired", date: new Date(Date.now() + 86_400_000).toUTCString() };
  const all = await found();
  expect(all.get("clock")).toMatchObject({ level: "warn" });
  expect(authorized).toHaveLength(2);
});

test("the chain ends at the first broken link", async () => {
  const gone = { ...identity, url: "https://127.0.0.1:1" };
  expect(levels(await found({ identity: gone }))).toMatch(
    /^address ok, proxy ok, dns ok, tcp fail, data folder/,
  );
  const nameless = { ...identity, url: "https://no-such-name.invalid" };
  expect(levels(await found({ identity: nameless }))).toMatch(/^address ok, proxy ok, dns fail, data folder/);
  const proxied = { env: { HTTPS_PROXY: "http://127.0.0.1:1" } };
  expect((await found(proxied)).get("tcp")?.says).toContain("the proxy at 127.0.0.1");
});

test("a folder that never enrolled is examined as far as it goes", async () => {
  const data = join(dir, randomUUID());
  expect(levels(await found({ data, identity: undefined }))).toBe("identity fail");
});

test("sources are examined, and a folder that is not there is not watched", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "tributary-elsewhere-"));
  const settings = agentSettings.parse({
    sources: [
      { name: "here", path: elsewhere },
      { name: "gone", path: join(elsewhere, "gone") },
    ],
  });
  expect(levels(await found({ settings }))).toMatch(/source here ok, events here \w+, source gone fail/);
  rmSync(elsewhere, { recursive: true });
});
