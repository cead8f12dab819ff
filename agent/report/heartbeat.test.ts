import { ProblemError } from "@tributary/shared/problems.ts";
import type {
  Command,
  CommandOutcome,
  HeartbeatAnswer,
  HeartbeatRequest,
  Pipe,
} from "@tributary/shared/protocol.ts";
import { heartbeatRequest } from "@tributary/shared/protocol.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ReceiverClock } from "../identity/clock.ts";
import type { Standing } from "../identity/identity.ts";
import { Heartbeat } from "./heartbeat.ts";

const names = [Buffer.from([0xff, 0x61]), Buffer.alloc(5000, 1), Buffer.from(`a${"😀".repeat(1000)}`)];
const PIPE: Pipe = {
  ...{ settling: 0, sealing: 0, queued: { files: 0, bytes: 0 }, aside: 0, held: [] },
  sending: { files: 0, bytes: 0, bytesPerSecond: 0 },
  delivered: { day: "2026-01-01", files: 0, bytes: 0 },
};
let standing: Standing;
let sent: HeartbeatRequest[];
let steps: string[];
let answer: Partial<HeartbeatAnswer>;
let take: () => void;
let problem: string;
let refusal: ProblemError | undefined;
let commands: Command[];
let done: CommandOutcome[];
let heartbeat: Heartbeat;

beforeEach(() => {
  standing = {
    publicKey: "x",
    clients: ["acme"],
    trust: { authorities: [{ pem: "old", lastNamedAt: Date.now() }], systemNamedAt: null },
    jwks: { keys: [] },
    nonce: "n0",
    heartbeatSeconds: 0.02,
  };
  sent = [];
  steps = [];
  answer = {};
  take = () => {};
  refusal = undefined;
  problem = "\u0001".repeat(5000);
  commands = [];
  done = [];
  heartbeat = new Heartbeat({
    receiver: {
      call: async ({ body, signal }) => {
        await new Promise(setImmediate);
        if (signal?.aborted) throw signal.reason;
        sent.push(heartbeatRequest.parse(JSON.parse(String(body))));
        steps.push(`sent ${sent.at(-1)?.nonce}`);
        if (refusal !== undefined) throw refusal;
        const json = {
          nonce: `n${sent.length}`,
          heartbeatSeconds: 0.02,
          configurationRevision: 0,
          clients: ["acme", "beta"],
          trust: { authorities: ["new"], system: false },
          jwks: { keys: [] },
          commands: [{ kind: "scan", source: "pos" }],
          ...answer,
        };
        return { status: 200, headers: {}, json };
      },
    },
    clock: new ReceiverClock(),
    standing: () => standing,
    take: (fresh) => {
      take();
      steps.push(`stored ${fresh.nonce}`);
      standing = fresh;
    },
    queue: {
      depth: () => ({ depth: 3, bytes: 10, oldestSealedAt: "2026-01-01T00:00:00.000Z", aside: 1 }),
      problems: (limit) =>
        Array.from({ length: limit }, (_, i) => ({
          client: "acme",
          source: "pos",
          path: names.at(i % names.length) as Buffer,
          code: "file-unreadable" as const,
          detail: problem,
          since: "2026-01-01T00:00:00.000Z",
          captureId: undefined,
          aside: false,
          until: undefined,
        })),
    },
    sources: () => [
      {
        ...{ name: "pos", client: "acme", kind: "folder", reachable: false, reason: problem },
        ...{ files: 0, settling: 0, problems: 0 },
      },
    ],
    version: "1.2.3",
    pipes: () => ({ all: PIPE, of: new Map([["acme/pos", { ...PIPE, settling: 7 }]]) }),
    orders: {
      take: (all) => void commands.push(...all),
      done: () => done,
      told: (all) => void steps.push(`told ${all.length}`),
    },
    denies: () => ["pause"],
    paused: () => standing.pause !== undefined,
    heard: () => steps.push("heard"),
    refused: (problem) => steps.push(`refused ${problem.code}`),
    fault: (cause) => steps.push(`fault ${(cause as Error).message}`),
    words: (text) => text.replaceAll("hunter2", "[secret]"),
    random: () => 0.5,
  });
});
afterEach(() => heartbeat.stop());

test("each nonce is stored before it is used", async () => {
  void heartbeat.start();
  await expect.poll(() => sent.length).toBeGreaterThan(2);
  expect(steps.slice(0, 6)).toEqual([
    ...["sent n0", "stored n1", "told 0", "heard"],
    ...["sent n1", "stored n2"],
  ]);
});

test("what it says fits the wire, whatever the names and the details are", async () => {
  await heartbeat.beat();
  expect(sent[0]).toMatchObject({ version: "1.2.3", queue: { depth: 3, aside: 1 } });
  expect(sent[0]?.problems).toHaveLength(100);
  expect(sent[0]?.problems[0]?.path).toBe("\ufffda");
  expect(sent[0]?.problems[1]?.path).toBe(`${"\u0001".repeat(499)}…`);
  // Half of a pair is no character.
  expect(sent[0]?.problems[2]?.path).toMatch(/^a(😀)+\ufffd?…$/u);
  expect(JSON.stringify(sent[0]).length).toBeLessThan(2 ** 20);
});

test("its words of problems are said as they may be, before they are cut", async () => {
  problem = `${"x".repeat(495)}hunter2`;
  await heartbeat.beat();
  expect(sent[0]?.problems[0]?.detail).toMatch(/^x{495}\[sec…?/);
  expect(sent[0]?.sources[0]?.reason).toMatch(/^x{495}\[sec…?/);
});

test("trust, clients and commands are taken up", async () => {
  await heartbeat.beat();
  expect(standing.clients).toEqual(["acme", "beta"]);
  expect(standing.trust.authorities.map((one) => one.pem)).toEqual(["new", "old"]);
  expect(commands).toEqual([{ kind: "scan", source: "pos" }]);
});

test("asked twice at once it beats once", async () => {
  await Promise.all([heartbeat.beat(), heartbeat.beat()]);
  expect(sent).toHaveLength(1);
});

test("a refusal is told and changes nothing; the old nonce is kept", async () => {
  refusal = new ProblemError("agent-forked", "two hosts");
  await expect(heartbeat.beat()).rejects.toBe(refusal);
  expect(steps).toEqual(["sent n0", "refused agent-forked"]);
  expect(standing.nonce).toBe("n0");
  refusal = undefined;
  await heartbeat.beat();
  expect(standing.nonce).toBe("n2");
});

test("a fault of ours is told, and the next beat comes", async () => {
  let broken = true;
  take = () => {
    if (broken) throw new TypeError("take is broken");
  };
  void heartbeat.start();
  await expect.poll(() => steps).toContain("fault take is broken");
  broken = false;
  await expect.poll(() => steps).toContain("heard");
  await heartbeat.stop();
  expect(steps.filter((step) => step.startsWith("refused"))).toEqual([]);
  expect(steps.at(-1)).not.toMatch(/^fault the agent stops/);
});

test("an answer that is none changes nothing", async () => {
  answer = { nonce: 7 as unknown as string };
  await expect(heartbeat.beat()).rejects.toMatchObject({ code: "receiver-unreachable" });
  expect(standing.nonce).toBe("n0");
});

test("commands of a newer receiver, fields that are not known and those that are missing break nothing", async () => {
  const id = "01890a5d-ac96-774b-bcce-b302099a8057";
  answer = { commands: [{ kind: "dance", id }, { kind: "scan" }], news: true } as never;
  await heartbeat.beat();
  expect(commands).toEqual([{ kind: "dance", id }, { kind: "scan" }]);
});

test("the wish to pause is stored before it counts, with its first time, and ends with an answer that has none", async () => {
  answer = { paused: true, pausedBy: "anna" };
  await heartbeat.beat();
  const { pause } = standing;
  expect(pause).toMatchObject({ by: "anna", since: expect.stringMatching(/^20/) });
  await heartbeat.beat();
  expect(standing.pause).toEqual(pause);
  expect(sent[1]).toMatchObject({ paused: true, knows: ["scan", "diagnostics", "pause"], denies: ["pause"] });
  answer = {};
  await heartbeat.beat();
  expect(standing.pause).toBeUndefined();
});

test("what is done is told until it is answered; the pipe goes with its source", async () => {
  done = [{ id: "01890a5d-ac96-774b-bcce-b302099a8057", ok: true, detail: "x" }];
  refusal = new ProblemError("busy", "later");
  await expect(heartbeat.beat()).rejects.toBe(refusal);
  expect(steps.filter((step) => step.startsWith("told"))).toEqual([]);
  refusal = undefined;
  await heartbeat.beat();
  expect(sent.map((one) => one.done?.length)).toEqual([1, 1]);
  expect(steps).toContain("told 1");
  expect(sent[0]?.sources[0]?.pipe?.settling).toBe(7);
  expect(sent[0]?.pipe).toEqual(PIPE);
});

test("what is told at once goes with a beat that begins after it", async () => {
  standing = { ...standing, heartbeatSeconds: 60 };
  answer = { heartbeatSeconds: 60 };
  const first = heartbeat.start();
  done = [{ id: "01890a5d-ac96-774b-bcce-b302099a8057", ok: true, detail: "x" }];
  await heartbeat.tell();
  await first;
  expect(sent.map((one) => one.done?.length)).toContain(1);
  expect(sent.length).toBeLessThanOrEqual(2);
});
