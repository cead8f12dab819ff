import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Redactor } from "@tributary/shared/redactor.ts";
import { makeTestAuthority, type TestAuthority } from "@tributary/test/network/authority.ts";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Fact } from "./facts.ts";
import { enrol } from "./identity/enrol.ts";
import { requireIdentity } from "./identity/identity.ts";
import { askRetry } from "./queue/aside.ts";
import { openQueueFile } from "./queue/database.ts";
import { readLive } from "./report/live.ts";
import { run } from "./run.ts";
import { FakeReceiver } from "./upload/fake-receiver.ts";

let authority: TestAuthority;
let receiver: FakeReceiver;
let home: string;
let data: string;
let facts: Fact[];
let redactor: Redactor;
let running: { stop: AbortController; ended: Promise<number> } | undefined;

beforeAll(async () => {
  authority = await makeTestAuthority("Tributary test authority");
});

beforeEach(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "tributary-run-")));
  data = join(home, "data");
  mkdirSync(join(home, "inbox"));
  facts = [];
  redactor = new Redactor();
  receiver = await new FakeReceiver(await authority.issue(["127.0.0.1"]), authority.cert).start();
  const code = receiver.invite(authority.pin);
  await enrol({ data, code, version: "1", proxy: undefined, ca: undefined, env: {} });
  configure("pos");
});

afterEach(async () => {
  await stop();
  await receiver.stop();
  rmSync(home, { recursive: true, force: true });
});

function configure(...names: string[]): void {
  const lines = names.map(
    (name) => `  - { name: ${name}, path: ${join(home, "inbox")}, settle: 50ms, include: ["${name}*"] }`,
  );
  writeFileSync(join(data, "agent.yaml"), ["sources:", ...lines, ""].join("\n"));
}

function start(): void {
  const stop = new AbortController();
  const log = {
    report: (fact: Fact) => void facts.push(fact),
    level: () => {},
    say: () => {},
    last: () => [],
  };
  running = {
    stop,
    ended: run({
      data,
      config: join(data, "agent.yaml"),
      env: {},
      log,
      stop: stop.signal,
      redactor,
    }),
  };
}

async function stop(): Promise<number | undefined> {
  const was = running;
  running = undefined;
  was?.stop.abort();
  return await was?.ended;
}

const drop = (name: string, text: string): void => writeFileSync(join(home, "inbox", name), text);
const arrived = () =>
  receiver.taken.map(
    ({ answer, bytes }) => `${answer.source}/${answer.path} ${answer.status} ${bytes.toString()}`,
  );
const soon = { timeout: 10_000, interval: 20 };

test("what is dropped, changed and removed arrives, in this order; a second start sends nothing twice", async () => {
  start();
  drop("pos1.csv", "A");
  await expect.poll(arrived, soon).toEqual(["pos/pos1.csv created A"]);
  drop("pos1.csv", "BB");
  await expect.poll(arrived, soon).toHaveLength(2);
  rmSync(join(home, "inbox", "pos1.csv"));
  await expect.poll(arrived, { ...soon, timeout: 14_000 }).toHaveLength(3);
  expect(arrived().slice(1)).toEqual(["pos/pos1.csv created BB", "pos/pos1.csv removed "]);
  expect(await stop()).toBe(0);
  start();
  drop("pos2.csv", "C");
  await expect.poll(arrived, soon).toHaveLength(4);
  expect(requireIdentity(data).nonce).toMatch(/^nonce-[1-9]/);
  await expect.poll(() => readLive(data)?.delivered, soon).toBeGreaterThan(0);
});

test("what was read as a secret leaves the process nowhere: not in heartbeats, nor in a file of the data folder", async () => {
  const gone = join(home, "hunter2-hunter2");
  const text = `sources:\n  - { name: gone, path: ${gone} }\n  - { name: pos, path: ${join(home, "inbox")}, settle: 50ms }\n`;
  writeFileSync(join(data, "agent.yaml"), text);
  redactor.learn("hunter2-hunter2");
  receiver.beat = (answer) => ({ ...answer, heartbeatSeconds: 0.2 });
  receiver.intercept = (request, response, path) => {
    if (!path.startsWith("/v1/files")) return false;
    const detail = "hunter2-hunter2 is too much";
    request
      .resume()
      .on("end", () => response.writeHead(413).end(JSON.stringify({ code: "quota-file", detail })));
    return true;
  };
  start();
  drop("pos1.csv", "A");
  const said = () => JSON.stringify(receiver.beats.at(-1));
  await expect.poll(said, soon).toMatch(/"detail":"\[secret\] is too much"/);
  await expect.poll(said, soon).toMatch(/"reason":"[^"]*\[secret\] cannot be reached/);
  writeFileSync(join(data, "agent.yaml"), `${text}hunter2-hunter2: 1\n`);
  await expect.poll(() => readLive(data)?.refused, soon).toContain("[secret]");
  const files = readdirSync(data).filter((name) => name !== "agent.yaml");
  for (const name of files)
    if (statSync(join(data, name)).isFile())
      expect(readFileSync(join(data, name)).includes("hunter2"), name).toBe(false);
  expect(JSON.stringify(receiver.beats)).not.toContain("hunter2");
});

const COMMAND = "01890a5d-ac96-774b-bcce-b302099a8057";

test("paused, files are captured and nothing leaves, also over a restart without the receiver; resumed, they leave", async () => {
  let paused = true;
  receiver.beat = (answer) => ({
    ...{ ...answer, heartbeatSeconds: 0.2 },
    ...(paused ? { paused: true, pausedBy: "anna" } : {}),
  });
  start();
  await expect.poll(() => facts, soon).toContainEqual({ kind: "AgentPaused", by: "anna" });
  drop("pos1.csv", "A");
  const queued = () => receiver.beats.at(-1)?.pipe?.held;
  await expect
    .poll(queued, soon)
    .toEqual([{ stage: "queued", reason: "paused", count: 1, since: expect.any(String) }]);
  expect(receiver.beats.at(-1)).toMatchObject({ paused: true, queue: { depth: 1 } });
  await stop();
  facts = [];
  receiver.intercept = (request) => {
    request.socket.destroy();
    return true;
  };
  start();
  await expect.poll(() => facts.map(({ kind }) => kind), soon).toContain("AgentPaused");
  drop("pos2.csv", "B");
  await expect.poll(() => facts.map(({ kind }) => kind), soon).toContain("ReceiverLost");
  receiver.intercept = () => false;
  await expect.poll(() => receiver.beats.at(-1)?.queue.depth, soon).toBe(2);
  expect(receiver.taken).toEqual([]);
  paused = false;
  await expect.poll(arrived, soon).toHaveLength(2);
  expect(facts).toContainEqual({ kind: "AgentResumed" });
  await expect.poll(() => receiver.beats.at(-1)?.pipe?.delivered.files, soon).toBe(2);
});

test("a file that is on its way tells how far it is and what slows it, rests while paused, and goes on", async () => {
  writeFileSync(
    join(data, "agent.yaml"),
    `limits: { bandwidth: 1MB/s }\nsources:\n  - { name: pos, path: ${join(home, "inbox")}, settle: 50ms }\n`,
  );
  let paused = false;
  receiver.beat = (answer) => ({ ...answer, heartbeatSeconds: 0.2, ...(paused ? { paused: true } : {}) });
  start();
  drop("pos1.bin", "x".repeat(3_000_000));
  const pipe = () => receiver.beats.at(-1)?.pipe;
  await expect.poll(() => pipe()?.sending.bytes, soon).toBeGreaterThan(100_000);
  expect(pipe()).toMatchObject({ queued: { files: 1, bytes: 3_000_000 }, sending: { files: 1 } });
  expect(pipe()?.sending.bytesPerSecond).toBeGreaterThan(0);
  const slowed = { stage: "sending", reason: "bandwidth", count: 1 };
  await expect.poll(() => pipe()?.held, soon).toContainEqual(slowed);
  paused = true;
  await expect.poll(() => receiver.beats.at(-1)?.paused, soon).toBe(true);
  const { length } = receiver.beats;
  const bytes = pipe()?.sending.bytes;
  await expect.poll(() => receiver.beats.length, soon).toBeGreaterThan(length + 8);
  expect(pipe()?.sending).toMatchObject({ files: 1, bytes });
  expect(pipe()?.held).not.toContainEqual(slowed);
  expect(receiver.taken).toEqual([]);
  paused = false;
  await expect.poll(() => receiver.taken.map(({ bytes }) => bytes.length), soon).toEqual([3_000_000]);
  await expect.poll(() => pipe()?.delivered, soon).toMatchObject({ files: 1, bytes: 3_000_000 });
});

test("what agent.yaml does not allow is not done, and says so; the wish to pause counts once it is allowed", async () => {
  writeFileSync(
    join(data, "agent.yaml"),
    `allow: { pause: false, diagnostics: false }\nsources:\n  - { name: pos, path: ${join(home, "inbox")}, settle: 50ms }\n`,
  );
  receiver.beat = (answer) => ({
    ...{ ...answer, heartbeatSeconds: 0.2, paused: true, pausedBy: "anna" },
    commands: [{ id: COMMAND, kind: "diagnostics", by: "anna" }],
  });
  start();
  drop("pos1.csv", "A");
  await expect.poll(arrived, soon).toHaveLength(1);
  expect(receiver.beats.at(-1)).toMatchObject({ paused: false, denies: ["diagnostics", "pause"] });
  await expect
    .poll(() => receiver.beats.flatMap(({ done = [] }) => done), soon)
    .toContainEqual({ id: COMMAND, ok: false, detail: expect.stringContaining("allow.diagnostics") });
  configure("pos");
  await expect.poll(() => facts, soon).toContainEqual({ kind: "AgentPaused", by: "anna" });
});

test("a scan on command finds what no event told and no scan is due for, and is told at once", async () => {
  writeFileSync(
    join(data, "agent.yaml"),
    `sources:\n  - { name: pos, kind: share, path: ${join(home, "inbox")}, settle: 50ms, every: 24h }\n`,
  );
  let asked = false;
  receiver.beat = (answer) => ({
    ...{ ...answer, heartbeatSeconds: asked ? 300 : 0.2 },
    commands: asked ? [{ id: COMMAND, kind: "scan", by: "anna" }] : [],
  });
  start();
  await expect.poll(() => facts.map(({ kind }) => kind), soon).toContain("ScanFinished");
  drop("pos1.csv", "A");
  asked = true;
  await expect.poll(arrived, { ...soon, timeout: 14_000 }).toHaveLength(1);
  const done = receiver.beats.flatMap((beat) => beat.done ?? []);
  expect(done[0]).toEqual({ id: COMMAND, ok: true, detail: expect.stringContaining("looked through pos") });
  expect(facts).toContainEqual(expect.objectContaining({ kind: "CommandDone", by: "anna", ok: true }));
});

test("what was asked while the agent was away waits for its sources", async () => {
  receiver.beat = (answer) => ({
    ...{ ...answer, heartbeatSeconds: 300 },
    commands: [{ id: COMMAND, kind: "scan", source: "pos", by: "anna" }],
  });
  start();
  await expect
    .poll(() => receiver.beats.flatMap(({ done = [] }) => done), soon)
    .toEqual([{ id: COMMAND, ok: true, detail: "looked through pos (0 files)" }]);
});

test("two runs on one data folder: the second is refused", async () => {
  start();
  await expect.poll(() => facts.length, soon).toBeGreaterThan(0);
  const log = { report: () => {}, level: () => {}, say: () => {}, last: () => [] };
  const second = run({
    data,
    config: join(data, "agent.yaml"),
    env: {},
    log,
    stop: AbortSignal.abort(),
    redactor,
  });
  await expect(second).rejects.toMatchObject({ code: "usage" });
});

test("a changed agent.yaml counts; a broken one is refused with its line, a lost one too, and the one before stays", async () => {
  start();
  drop("till1.csv", "T");
  drop("pos1.csv", "A");
  await expect.poll(arrived, soon).toHaveLength(1);
  writeFileSync(join(data, "agent.yaml"), "sources:\n  - { nme: pos }\n");
  const refused = () => facts.filter((fact) => fact.kind === "ConfigurationRefused");
  await expect
    .poll(refused, soon)
    .toEqual([expect.objectContaining({ detail: expect.stringContaining("agent.yaml:2:") })]);
  drop("pos2.csv", "B");
  await expect.poll(arrived, soon).toHaveLength(2);
  rmSync(join(data, "agent.yaml"));
  await expect
    .poll(() => refused().map(({ detail }) => detail), soon)
    .toContainEqual(expect.stringContaining("agent.yaml is gone"));
  drop("pos2b.csv", "B");
  await expect.poll(arrived, soon).toHaveLength(3);
  configure("till");
  await expect.poll(arrived, soon).toContain("till/till1.csv created T");
  drop("pos3.csv", "C");
  drop("till2.csv", "T");
  await expect.poll(arrived, soon).toContain("till/till2.csv created T");
  expect(arrived().some((line) => line.includes("pos3"))).toBe(false);
  expect(receiver.taken.some(({ answer }) => answer.status === "removed")).toBe(false);
});

test("agent.yaml that is taken away is refused, and the sources go on; the first start without one has none", async () => {
  rmSync(join(data, "agent.yaml"));
  start();
  drop("pos1.csv", "A");
  await expect.poll(() => facts, soon).toContainEqual({ kind: "ConfigurationTaken", sources: [] });
  configure("pos");
  await expect.poll(arrived, soon).toHaveLength(1);
  rmSync(join(data, "agent.yaml"));
  await expect
    .poll(() => facts, soon)
    .toContainEqual({
      kind: "ConfigurationRefused",
      detail: expect.stringContaining("agent.yaml is gone"),
    });
  drop("pos2.csv", "B");
  await expect.poll(arrived, soon).toHaveLength(2);
});

test("a larger spool counts for the running agent", async () => {
  const yaml = (spool: string) =>
    writeFileSync(
      join(data, "agent.yaml"),
      `limits: { spool: ${spool} }\nsources:\n  - { name: pos, path: ${join(home, "inbox")}, settle: 50ms, rescan: 1s, capture: copy }\n`,
    );
  // Nothing leaves: what is captured stays in the spool.
  receiver.intercept = (request, response, path) => {
    if (!path.startsWith("/v1/files")) return false;
    request.resume().on("end", () => response.writeHead(429).end('{"code":"quota-day","detail":"full"}'));
    return true;
  };
  yaml("10B");
  start();
  drop("pos1.csv", "12345678");
  const sealed = () => facts.filter(({ kind }) => kind === "ParcelSealed").length;
  await expect.poll(sealed, soon).toBe(1);
  drop("pos2.csv", "12345678");
  await expect
    .poll(() => JSON.stringify(facts, (_, v) => (typeof v === "bigint" ? `${v}` : v)), soon)
    .toContain("spool-full");
  yaml("1MB");
  await expect.poll(sealed, { ...soon, timeout: 20_000 }).toBe(2);
}, 40_000);

test("a source of a client for whom it does not act is told, the others work", async () => {
  writeFileSync(
    join(data, "agent.yaml"),
    `sources:\n  - { name: a, client: other, path: ${home} }\n  - { name: pos, path: ${join(home, "inbox")}, settle: 50ms }\n`,
  );
  start();
  drop("x", "X");
  await expect.poll(arrived, soon).toEqual(["pos/x created X"]);
  expect(facts).toContainEqual(
    expect.objectContaining({ kind: "ConfigurationRefused", detail: expect.stringContaining('"other"') }),
  );
});

test("a fork stops it, shown; after an enrolment with a new key it goes on by itself, nothing lost", async () => {
  start();
  let forked = true;
  receiver.intercept = (request, response, path) => {
    if (!forked || path === "/v1/enroll") return false;
    request
      .resume()
      .on("end", () => response.writeHead(403).end('{"code":"agent-forked","detail":"two hosts"}'));
    return true;
  };
  drop("pos1.csv", "A");
  await expect.poll(() => facts.map((fact) => fact.kind), soon).toContain("AgentStopped");
  await expect.poll(() => readLive(data)?.trouble?.code, soon).toBe("agent-forked");
  expect(arrived()).toEqual([]);
  forked = false;
  const code = receiver.invite(authority.pin);
  await enrol({ data, code, version: "1", proxy: undefined, ca: undefined, env: {} });
  await expect.poll(arrived, soon).toEqual(["pos/pos1.csv created A"]);
  expect(facts.map((fact) => fact.kind)).toContain("ReceiverBack");
  expect(existsSync(join(data, "key.new"))).toBe(false);
});

test("a second source of the same name is told, and the first one works", async () => {
  const inbox = join(home, "inbox");
  writeFileSync(
    join(data, "agent.yaml"),
    `sources:\n  - { name: pos, path: ${inbox}, settle: 50ms }\n  - { name: pos, client: acme, path: ${home} }\n`,
  );
  start();
  drop("x", "X");
  await expect.poll(arrived, soon).toEqual(["pos/x created X"]);
  expect(facts).toContainEqual(
    expect.objectContaining({
      kind: "ConfigurationRefused",
      detail: expect.stringContaining("second source"),
    }),
  );
});

test("the agent's own folder is not captured, whatever links lead there", async () => {
  symlinkSync(home, join(home, "..", `${basename(home)}-link`));
  const link = join(home, "..", `${basename(home)}-link`);
  try {
    writeFileSync(
      join(data, "agent.yaml"),
      `sources:\n  - { name: pos, path: ${link}, settle: 50ms, rescan: 40d }\n`,
    );
    start();
    drop("x", "X");
    await expect.poll(arrived, soon).toEqual(["pos/inbox/x created X"]);
    await expect.poll(() => facts.filter(({ kind }) => kind === "ScanFinished").length, soon).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // A rescan beyond what a timer holds is no rescan without a pause.
    expect(facts.filter(({ kind }) => kind === "ScanFinished")).toHaveLength(1);
    expect(arrived()).toHaveLength(1);
  } finally {
    rmSync(link);
  }
});

test.for(["", "/spool", "/../link"])(
  "a source that is the agent's own folder, or inside it (%j), is refused",
  async (below) => {
    symlinkSync(data, join(home, "link"));
    writeFileSync(
      join(data, "agent.yaml"),
      `sources:\n  - { name: own, path: ${data}${below}, settle: 50ms }\n  - { name: pos, path: ${join(home, "inbox")}, settle: 50ms }\n`,
    );
    start();
    drop("x", "X");
    await expect.poll(arrived, soon).toEqual(["pos/x created X"]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(arrived()).toHaveLength(1);
    expect(facts).toContainEqual(
      expect.objectContaining({
        kind: "ConfigurationRefused",
        detail: expect.stringContaining("own folder"),
      }),
    );
  },
);

test("a proxy that is none sets nothing aside: all waits until it is mended", async () => {
  const stopping = new AbortController();
  const log = {
    report: (fact: Fact) => void facts.push(fact),
    level: () => {},
    say: () => {},
    last: () => [],
  };
  const env = { HTTPS_PROXY: "socks5://me:secret@127.0.0.1:1" };
  const ended = run({
    data,
    config: join(data, "agent.yaml"),
    env,
    log,
    stop: stopping.signal,
    redactor,
  });
  drop("pos1.csv", "A");
  await expect.poll(() => facts.map((fact) => fact.kind), soon).toContain("ReceiverLost");
  await expect.poll(() => facts.map((fact) => fact.kind), soon).toContain("ParcelSealed");
  stopping.abort();
  await ended;
  expect(facts.map((fact) => fact.kind)).not.toContain("ParcelSetAside");
  expect(
    JSON.stringify(facts, (_key, value) => (typeof value === "bigint" ? `${value}` : value)),
  ).not.toContain("secret");
  start();
  await expect.poll(arrived, soon).toEqual(["pos/pos1.csv created A"]);
});

test("what was set aside goes again beside the running agent, when it is asked for", async () => {
  receiver.intercept = (request, response, path) => {
    if (!path.startsWith("/v1/files")) return false;
    request.resume().on("end", () => response.writeHead(422).end('{"code":"path-invalid","detail":"no"}'));
    return true;
  };
  start();
  drop("pos1.csv", "A");
  await expect.poll(() => facts.map((fact) => fact.kind), soon).toContain("ParcelSetAside");
  receiver.intercept = () => false;
  const db = openQueueFile(join(data, "queue.sqlite"));
  expect(askRetry(db, () => true)).toBe(1);
  db.close();
  await expect.poll(arrived, soon).toEqual(["pos/pos1.csv created A"]);
});

test("what waited for a source that was taken out goes as soon as it is there again", async () => {
  receiver.intercept = (request, response, path) => {
    if (!path.startsWith("/v1/files")) return false;
    request.resume().on("end", () => response.writeHead(429).end('{"code":"quota-day","detail":"full"}'));
    return true;
  };
  start();
  drop("pos1.csv", "A");
  const postponed = (code: string) => () =>
    facts.some((fact) => fact.kind === "ParcelPostponed" && fact.code === code);
  await expect.poll(postponed("quota-day"), soon).toBe(true);
  configure("till");
  await expect.poll(postponed("source-unreachable"), { ...soon, timeout: 20_000 }).toBe(true);
  receiver.intercept = () => false;
  configure("pos");
  await expect.poll(arrived, soon).toEqual(["pos/pos1.csv created A"]);
}, 45_000);

test("an empty folder in place of the root ends no parcel: it goes when the root is back", async () => {
  receiver.intercept = (request, response, path) => {
    if (!path.startsWith("/v1/files")) return false;
    request.resume().on("end", () => response.writeHead(429).end('{"code":"quota-day","detail":"full"}'));
    return true;
  };
  start();
  drop("pos1.csv", "A");
  const postponed = (code: string) => () =>
    facts.some((fact) => fact.kind === "ParcelPostponed" && fact.code === code);
  await expect.poll(postponed("quota-day"), soon).toBe(true);
  renameSync(join(home, "inbox"), join(home, "share"));
  mkdirSync(join(home, "inbox"));
  await expect.poll(postponed("root-changed"), { ...soon, timeout: 25_000 }).toBe(true);
  receiver.intercept = () => false;
  rmdirSync(join(home, "inbox"));
  renameSync(join(home, "share"), join(home, "inbox"));
  await expect.poll(arrived, { ...soon, timeout: 25_000 }).toEqual(["pos/pos1.csv created A"]);
  expect(facts.map(({ kind }) => kind)).not.toContain("ParcelSuperseded");
  expect(facts.filter(({ kind }) => kind === "ParcelSealed")).toHaveLength(1);
}, 60_000);
