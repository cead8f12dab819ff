/** What the centre asks of an agent, from one end to the other: scans, a pause that outlives restarts, diagnostics, and agents of before. */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parseCode } from "@tributary/shared/code.ts";
import type { EnrollAnswer, HeartbeatAnswer } from "@tributary/shared/protocol.ts";
import { signToken } from "@tributary/shared/token.ts";
import { Agent as HttpAgent, request } from "undici";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startConnectProxy } from "../network/connect-proxy.ts";
import { type Running, run, until } from "../site/process.ts";
import { type Agent, makeSite, type Site } from "../site/site.ts";

const SECRETS = [
  "stored-hunter2-secret",
  "proxy-hunter2-secret",
  "env-hunter2-secret",
  "file-hunter2-secret",
];

let site: Site;
let receiver: Running;
let agent: Agent;
let running: Running;
let id: string;
let inbox: string;

beforeAll(async () => {
  site = await makeSite({ receiver: { heartbeat: "5s" } });
  await site.command("client", "add", "acme");
  receiver = await site.serve();
  inbox = join(site.dir, "inbox");
  mkdirSync(inbox);
  agent = await site.agent("till", { clients: ["acme"], settings: settingsWith() });
  running = await agent.run();
  id = await idOf("till");
  await until("the agent was heard", async () => (await view(id)).status !== null, { withinMs: 30_000 });
});
afterAll(async () => {
  await running?.stop();
  await receiver?.stop();
  site?.remove();
});

/** A share is watched by nobody: what lies there is found by looking, once a day. */
function settingsWith(more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { sources: [{ name: "pos", kind: "share", path: inbox, settle: "200ms", every: "24h" }], ...more };
}

interface View {
  readonly id: string;
  readonly name: string;
  readonly pause: { readonly by: string } | null;
  readonly status: {
    readonly paused?: boolean;
    readonly queue: { readonly depth: number };
    readonly pipe?: {
      readonly delivered: { readonly files: number };
      readonly held: readonly { readonly stage: string; readonly reason: string; readonly count: number }[];
    };
  } | null;
}

async function views(): Promise<readonly View[]> {
  const text = await site.command("agent", "list", "--json");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as View);
}
const view = async (of: string): Promise<View> => (await views()).find((one) => one.id === of) as View;
const idOf = async (name: string): Promise<string> =>
  (await views()).find((one) => one.name === name)?.id as string;
const drop = (name: string): void => writeFileSync(join(inbox, name), name);
const names = async (): Promise<string[]> => (await site.history()).map(({ path }) => path).sort();
const ask = async (...words: string[]) => await run("receiver", ["agent", ...words, ...site.at]);

test("a scan on command finds what no event told, and whoever asked hears what became of it in seconds", async () => {
  drop("one.csv");
  const from = performance.now();
  const first = await ask("scan", id, "--source", "pos");
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining("looked through pos (1 files)")]);
  // A heartbeat away at most, and what a process takes to start on a busy machine.
  expect(performance.now() - from).toBeLessThan(15_000);
  await until("it arrived", async () => (await names()).includes("one.csv"));
  expect(running.stderr()).toMatch(/asked by [^:]+: scan of pos, done: looked through pos/);
  const unknown = await ask("scan", id, "--source", "none");
  expect([unknown.code, unknown.stderr]).toEqual([
    1,
    expect.stringContaining('this agent has no source "none"'),
  ]);
  const nobody = await ask("scan", "nobody");
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining("there is no agent nobody")]);
});

test("paused, files queue and nothing leaves, over a restart while the receiver is down; resumed, they are delivered", async () => {
  expect((await ask("pause", id)).stderr).toContain("is to pause from its next heartbeat on");
  await until("the agent pauses", async () => (await view(id)).status?.paused === true, {
    withinMs: 30_000,
  });
  drop("two.csv");
  expect((await ask("scan", id)).code).toBe(0);
  await until("it waits, and says why", async () => {
    const { status } = await view(id);
    return status?.pipe?.held.some((one) => one.reason === "paused" && one.count === 1) === true;
  });
  expect(await agent.command("status")).toMatch(/^paused {4}by .*: nothing leaves/m);

  await receiver.stop();
  await running.stop();
  running = await agent.run();
  await running.said(/paused by /);
  drop("three.csv");
  receiver = await site.serve();
  await until("it is heard again", async () => (await ask("scan", id)).code === 0, { withinMs: 60_000 });
  await until("both wait", async () => (await view(id)).status?.queue.depth === 2, { withinMs: 30_000 });
  expect(await names()).toEqual(["one.csv"]);

  expect((await ask("resume", id)).stderr).toContain("sends again from its next heartbeat on");
  await until("they arrived", async () => (await names()).length === 3, { withinMs: 30_000 });
  await until("and the pipe is empty", async () => {
    const { status } = await view(id);
    return status?.paused === false && status.queue.depth === 0 && status.pipe?.delivered.files === 3;
  });
  expect((await view(id)).pause).toBeNull();
});

test("diagnostics arrive whole, and none of the secrets of the host is in them", async () => {
  const [stored, proxy, env, file] = SECRETS as [string, string, string, string];
  const through = await startConnectProxy(`Basic ${Buffer.from(`me:${proxy}`).toString("base64")}`);
  onTestFinished(() => through.stop());
  await running.stop();
  writeFileSync(join(agent.data, "bank-password"), file, { mode: 0o600 });
  const set = await run("agent", ["secret", "set", "bank", "--data", agent.data], { stdin: stored });
  expect(set.code).toBe(0);
  const bank = (name: string, password: object) => ({
    ...{ name, kind: "sftp", host: "127.0.0.1", port: site.port, user: "u", path: "/" },
    ...{ hostKey: `SHA256:${"x".repeat(43)}`, password, every: "1h" },
  });
  agent.configure({
    proxy: `http://me:${proxy}@127.0.0.1:${through.port}`,
    sources: [
      ...(settingsWith()["sources"] as object[]),
      bank("bank", { secret: "bank" }),
      bank("bank-env", { env: "BANK_PASSWORD" }),
      bank("bank-file", { file: "bank-password" }),
    ],
  });
  const environment = { BANK_PASSWORD: env };
  running = await agent.run({ env: environment });
  const out = join(site.dir, "diagnostics.json");
  const asked = await ask("diagnostics", id, "--out", out);
  expect([asked.code, asked.stderr]).toEqual([0, expect.stringContaining(out)]);
  const text = readFileSync(out, "utf8");
  const bundle = JSON.parse(text);
  expect(bundle).toMatchObject({
    format: "tributary-agent-diagnostics",
    identity: { agentId: id, name: "till" },
    live: { paused: false, sources: expect.arrayContaining([expect.objectContaining({ name: "pos" })]) },
    queue: { depth: 0 },
  });
  expect(bundle.configuration.proxy).toContain("[secret]");
  expect(bundle.log.join("\n")).toContain("tributary-agent ");
  expect(bundle.doctor.length).toBeGreaterThan(3);
  for (const secret of SECRETS) {
    expect(text, secret).not.toContain(secret);
    expect(text, secret).not.toContain(Buffer.from(secret).toString("base64").slice(0, -4));
  }
  expect(text).not.toContain("PRIVATE KEY");
  expect(text).not.toContain("Bearer ey");
  // The same, made on the host.
  const own = join(site.dir, "own.json");
  const local = await run("agent", ["diagnostics", "--out", own, "--data", agent.data], { env: environment });
  expect([local.code, local.stderr]).toEqual([0, expect.stringContaining("look through it")]);
  const ownText = readFileSync(own, "utf8");
  expect(JSON.parse(ownText)).toMatchObject({ identity: { agentId: id }, agent: { running: true } });
  for (const secret of SECRETS) expect(ownText, secret).not.toContain(secret);
});

test("a host that does not allow diagnostics says so, and goes on", async () => {
  agent.configure(settingsWith({ allow: { diagnostics: false } }));
  await running.stop();
  running = await agent.run();
  const asked = await ask("diagnostics", id);
  expect([asked.code, asked.stdout, asked.stderr]).toEqual([
    1,
    "",
    expect.stringContaining("allow.diagnostics"),
  ]);
});

test("an agent of before is understood, asked for what it knows, and never for what it does not", async () => {
  const code = parseCode(await site.command("agent", "invite", "--client", "acme", "--name", "old"));
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x } = publicKey.export({ format: "jwk" }) as { x: string };
  const connect = { ca: readFileSync(site.ca, "utf8") };
  const dispatcher = new HttpAgent({ connect });
  const post = async (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    await request(`${site.url}${path}`, { method: "POST", body, headers, dispatcher });
  const about = { host: "till-9", platform: "linux-x64", version: "0.9.0" };
  const enrolment = { secret: code.secret, publicKey: { kty: "OKP", crv: "Ed25519", x }, ...about };
  const enrolled = (await (await post("/v1/enroll", JSON.stringify(enrolment))).body.json()) as EnrollAnswer;
  const old = enrolled.agentId;
  const signed = (path: string) => {
    const { agentId, site: aud } = enrolled;
    const token = signToken({ agentId, site: aud, method: "POST", path, now: Date.now() }, privateKey);
    return { authorization: `Bearer ${token}` };
  };
  let { nonce } = enrolled;
  const beat = async (): Promise<HeartbeatAnswer> => {
    const state = {
      ...{ nonce, version: "0.9.0", host: "till-9", clock: new Date().toISOString(), skewMs: 0 },
      ...{ queue: { depth: 0, bytes: 0, aside: 0 }, sources: [], problems: [], configurationRevision: 0 },
    };
    const answer = await post("/v1/heartbeat", JSON.stringify(state), signed("/v1/heartbeat"));
    expect(answer.statusCode).toBe(200);
    const said = (await answer.body.json()) as HeartbeatAnswer;
    nonce = said.nonce;
    return said;
  };
  await beat();
  expect((await ask("pause", old)).stderr).toContain("version 0.9.0 of the agent does not know it");
  const [scan, diagnostics] = [ask("scan", old, "--source", "pos"), ask("diagnostics", old)];
  const told: unknown[] = [];
  await until("it is asked for the scan", async () => {
    const { commands, paused, heartbeatSeconds } = await beat();
    told.push(...commands);
    expect([paused, heartbeatSeconds]).toEqual([true, 3]);
    return told.length > 0;
  });
  let over = false;
  const both = Promise.all([scan, diagnostics]).then(() => {
    over = true;
  });
  await until("both have their end", async () => {
    told.push(...(await beat()).commands);
    return over;
  });
  await both;
  expect((await scan).stderr).toContain("does not tell what became of it");
  expect((await diagnostics).stderr).toContain("does not know this command");
  expect(told).toEqual([{ kind: "scan", source: "pos" }]);
  // What nobody asked for is not kept.
  const unasked = await post(`/v1/diagnostics?command=${old}`, gzipSync("{}"), signed("/v1/diagnostics"));
  expect([unasked.statusCode, await unasked.body.json()]).toEqual([
    404,
    expect.objectContaining({ code: "not-found" }),
  ]);
  await dispatcher.close();
});
