import { createHash, generateKeyPairSync } from "node:crypto";
import { ProblemError, problemBody } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { makeTestAuthority, type TestAuthority } from "@tributary/test/network/authority.ts";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Answer } from "../identity/answer.ts";
import { ReceiverClock } from "../identity/clock.ts";
import type { Call, Receiver } from "../identity/receiver.ts";
import type { VersionParcel } from "../queue/queue.ts";
import { Bundles } from "./bundles.ts";
import { FakeReceiver } from "./fake-receiver.ts";
import { HttpReceiver } from "./http.ts";

let authority: TestAuthority;
let credentials: { cert: string; key: string };
beforeAll(async () => {
  authority = await makeTestAuthority("Tributary test authority");
  credentials = await authority.issue(["127.0.0.1"]);
});

let stop: AbortController;
let now: number;
beforeEach(() => {
  stop = new AbortController();
  now = 1_000_000;
});

const bytesOf = (name: string): Buffer => Buffer.from(`the bytes of ${name}`);
function parcel(name: string, source = "pos", bytes = bytesOf(name)): VersionParcel {
  return {
    kind: "version",
    captureId: uuidv7(),
    client: "acme",
    source,
    path: Buffer.from(name, "latin1"),
    sealedAt: new Date().toISOString(),
    state: { size: bytes.length, mtimeNs: 1_700_000_000_123_456_789n, ctimeNs: 1n, fileId: 7n },
    sha256: createHash("sha256").update(bytes).digest("hex"),
    partDigests: undefined,
    spooled: undefined,
  };
}
const many = (count: number, source?: string): VersionParcel[] =>
  Array.from({ length: count }, (_, i) => parcel(`f${i}`, source));
const headers = { [HEADER.client]: "acme" };
const carryAll = (bundles: Bundles, parcels: readonly VersionParcel[]) =>
  Promise.allSettled(
    parcels.map((one) => bundles.carry(one, bytesOf(one.path.toString("latin1")), headers, stop.signal)),
  );
type Settled = Awaited<ReturnType<typeof carryAll>>;
const codes = (settled: Settled): (string | undefined)[] =>
  settled.map((one) =>
    one.status === "rejected"
      ? String((one.reason as Partial<ProblemError>).code)
      : one.value === "alone"
        ? "alone"
        : String((one.value.json as { status: string }).status),
  );

describe("over the wire", () => {
  let receiver: FakeReceiver;
  let http: HttpReceiver;
  let bundles: Bundles;
  const key = generateKeyPairSync("ed25519");
  beforeEach(async () => {
    receiver = await new FakeReceiver(credentials, authority.cert).start();
    receiver.agentKey = key.publicKey;
    const { url } = receiver;
    http = new HttpReceiver({
      bearing: () => ({
        agentId: receiver.agentId,
        site: receiver.site,
        url,
        key: key.privateKey,
        trust: { authorities: [{ pem: authority.cert, lastNamedAt: 0 }], systemNamedAt: null },
        proxy: undefined,
        ca: undefined,
      }),
      clock: new ReceiverClock(),
      connections: 16,
      env: {},
      silenceMs: 2_000,
    });
    bundles = new Bundles({ receiver: http, now: () => now });
  });
  afterEach(async () => {
    await http.close();
    await receiver.stop();
  });

  test("those that come together ride together, each with its own receipt; the bytes and names are theirs", async () => {
    const parcels = [...many(300), parcel("\xff\n", "pos"), parcel("d/".repeat(400) + "x", "pos")];
    expect(new Set(codes(await carryAll(bundles, parcels)))).toEqual(new Set(["created"]));
    expect(receiver.requests).toEqual(["POST /v1/bundles/pos"]);
    const taken = new Map(receiver.taken.map(({ answer, bytes }) => [answer.captureId, { answer, bytes }]));
    for (const { captureId, path } of parcels) {
      expect(taken.get(captureId)?.bytes).toEqual(bytesOf(path.toString("latin1")));
      expect(taken.get(captureId)?.answer.path).toBe(path.toString("utf8"));
    }
  });

  test("who comes alone goes alone; sources do not mix", async () => {
    expect(codes(await carryAll(bundles, many(1)))).toEqual(["alone"]);
    await carryAll(bundles, [...many(2, "pos"), ...many(3, "till"), ...many(1, "lone")]);
    expect(receiver.requests.toSorted((a, b) => a.localeCompare(b))).toEqual([
      "POST /v1/bundles/pos",
      "POST /v1/bundles/till",
    ]);
    expect(receiver.bundles.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([2, 3]);
  });

  test("what began under one term of a lease does not ride with what comes under the next", async () => {
    const under = (term: string) => ({ ...headers, [HEADER.lease]: term });
    const carried = many(4).map((one, i) =>
      bundles.carry(one, bytesOf(`f${i}`), under(i % 2 === 0 ? "7" : "9"), stop.signal),
    );
    await Promise.all(carried);
    expect(receiver.bundles.map(({ length }) => length)).toEqual([2, 2]);
  });

  test("receipts come while it is open: who waits for one and then sends the next rides along", async () => {
    const chain = async (name: string): Promise<void> => {
      for (let i = 0; i < 20; i += 1) {
        const one = parcel(`${name}${i}`);
        const answer = await bundles.carry(one, bytesOf(`${name}${i}`), headers, stop.signal);
        expect(answer).not.toBe("alone");
      }
    };
    await Promise.all([chain("a"), chain("b"), chain("c")]);
    expect(receiver.bundles.flat()).toHaveLength(60);
    expect(receiver.bundles.length).toBeLessThan(20);
  });

  test("a bundle has so many bytes at most, and the rest goes in the next", async () => {
    const large = Buffer.alloc(64 * 1024);
    const parcels = Array.from({ length: 600 }, (_, i) => parcel(`l${i}`, "pos", large));
    const done = await Promise.all(parcels.map((one) => bundles.carry(one, large, headers, stop.signal)));
    expect(done).not.toContain("alone");
    expect(receiver.bundles.flat()).toHaveLength(600);
    expect(receiver.bundles.length).toBeGreaterThan(1);
  });

  test("the line breaks after some receipts: the others ride once more, and nobody is delivered twice", async () => {
    let lines = 0;
    receiver.intercept = (_request, response) => {
      const first = receiver.bundles.length === 0;
      receiver.line = (line) => {
        lines += 1;
        if (first && lines === 50) setImmediate(() => response.destroy());
        return first && lines >= 50 ? undefined : line;
      };
      return false;
    };
    const parcels = many(200);
    expect(new Set(codes(await carryAll(bundles, parcels)))).toEqual(new Set(["created"]));
    expect(receiver.bundles).toHaveLength(2);
    expect(receiver.taken).toHaveLength(200);
  });

  test("nobody answers: each has its problem, after one repetition, and none is kept", async () => {
    receiver.intercept = (request) => {
      request.resume();
      return true;
    };
    const settled = await carryAll(bundles, many(50));
    expect(new Set(codes(settled))).toEqual(new Set(["receiver-unreachable"]));
    expect(receiver.requests).toHaveLength(2);
  });

  test("nobody is there: the same, and it is not tried over and over", async () => {
    let asked = 0;
    await http.close();
    await receiver.stop();
    const deaf: Receiver = {
      call: (call) => http.call(call),
      lines: (call, take) => {
        asked += 1;
        return http.lines(call, take);
      },
    };
    bundles = new Bundles({ receiver: deaf, now: () => now });
    expect(new Set(codes(await carryAll(bundles, many(50))))).toEqual(new Set(["receiver-unreachable"]));
    expect(asked).toBe(2);
  });

  test.for([
    ["rubbish", "{ no json\n"],
    ["JSON that is no line", '{"hello": "world"}\n'],
    ["a line without an end", "x".repeat(70_000).repeat(40)],
  ] as const)(
    "%s: the answer is given up, and each of the unnamed has a problem that passes",
    async ([, text]) => {
      let lines = 0;
      receiver.line = (line) => (++lines > 5 ? text : line);
      const settled = codes(await carryAll(bundles, many(30)));
      expect(settled.filter((code) => code === "created")).toHaveLength(5);
      expect(settled.filter((code) => code === "receipt-invalid")).toHaveLength(25);
    },
  );

  test("closed early, in the middle of the body: ridden once more", async () => {
    let first = true;
    receiver.intercept = (request, response) => {
      if (!first) return false;
      first = false;
      request.once("data", () => response.destroy());
      return true;
    };
    expect(new Set(codes(await carryAll(bundles, many(500))))).toEqual(new Set(["created"]));
  });

  test("answered before it was read: each has the answer, and the next bundle goes", async () => {
    const busy = new ProblemError("busy", "full", { retryAfter: 3 });
    receiver.intercept = (_request, response) => {
      response.writeHead(503, { "content-type": "application/problem+json", "retry-after": "3" });
      response.end(JSON.stringify(problemBody(busy)));
      return true;
    };
    const settled = await carryAll(bundles, many(20));
    expect(new Set(codes(settled))).toEqual(new Set(["busy"]));
    expect((settled[0] as PromiseRejectedResult).reason).toMatchObject({ retryAfter: 3 });
    receiver.intercept = () => false;
    expect(new Set(codes(await carryAll(bundles, many(20))))).toEqual(new Set(["created"]));
  });

  test("told to stop while bundles are open: everybody is let go, at once, also those that had not left", async () => {
    receiver.intercept = (request, response) => {
      request.resume();
      response.writeHead(200).flushHeaders();
      return true;
    };
    const sources = ["a", "b", "c", "d", "e", "f"];
    const carrying = Promise.all(sources.map((source) => carryAll(bundles, many(20, source))));
    await expect.poll(() => receiver.requests.length).toBe(4);
    stop.abort(new Error("the agent stops"));
    const settled = (await carrying).flat();
    for (const one of settled) expect(one).toMatchObject({ reason: { message: "the agent stops" } });
    expect(receiver.requests).toHaveLength(4);
    expect(codes(await carryAll(bundles, many(2)))).toEqual(["undefined", "undefined"]);
  });
});

describe("a receiver that", () => {
  /** Reads the whole body, then says `lines`; counts how often it was asked. */
  class Scripted implements Receiver {
    asked = 0;
    readonly answer: (entries: number, asked: number, call: Call) => Iterable<unknown>;
    constructor(answer: (entries: number, asked: number, call: Call) => Iterable<unknown>) {
      this.answer = answer;
    }
    call(): Promise<Answer> {
      throw new Error("not used");
    }
    async lines({ body, ...call }: Call, take: (line: unknown) => void): Promise<void> {
      this.asked += 1;
      let bytes = 0;
      for await (const piece of (body as () => AsyncIterable<Uint8Array>)()) bytes += piece.length;
      for (const line of this.answer(bytes, this.asked, call)) take(line);
    }
  }
  const end = { end: true, complete: true, delivered: 0, refused: 0 };
  const receipt = ({ captureId, path }: VersionParcel, entry = 1) => ({
    ...{ entry, status: "created", versionId: "v", client: "acme", source: "pos", path: String(path) },
    ...{ pathEncoded: String(path), size: 1, sha256: null, captureId, receivedAt: now, receipt: "r" },
  });
  const wire = (code: string) => ({ type: "about:blank", title: code, status: 400, code, detail: "why" });
  const problem = ({ captureId }: VersionParcel, code: string) => ({
    entry: 1,
    captureId,
    problem: wire(code),
  });
  const rides = (answer: Scripted["answer"]): readonly [Bundles, Scripted] => {
    const receiver = new Scripted(answer);
    return [new Bundles({ receiver, now: () => now }), receiver];
  };

  test("answers for captures that nobody sent: nobody is deceived", async () => {
    const parcels = many(3);
    const [bundles] = rides(() => [
      receipt(parcel("stranger")),
      { ...receipt(parcel("x")), captureId: undefined },
      end,
    ]);
    expect(new Set(codes(await carryAll(bundles, parcels)))).not.toContain("created");
  });

  test("names one twice: the first word counts", async () => {
    const [a, b] = many(2) as [VersionParcel, VersionParcel];
    const line = (one: VersionParcel) => ({
      ...receipt(one),
      receivedAt: new Date(now).toISOString(),
      sha256: one.sha256,
      versionId: uuidv7(),
    });
    const [bundles] = rides(() => [
      line(a),
      problem(a, "path-invalid"),
      problem(b, "quota-file"),
      line(b),
      end,
    ]);
    expect(codes(await carryAll(bundles, [a, b]))).toEqual(["created", "quota-file"]);
  });

  test("forgets one though it read all: it rides once more, then has a problem that passes", async () => {
    const [bundles, receiver] = rides(() => [end]);
    expect(codes(await carryAll(bundles, many(2)))).toEqual(["receiver-unreachable", "receiver-unreachable"]);
    expect(receiver.asked).toBe(2);
  });

  test("has a problem with one that this agent does not know: it waits, and is not set aside", async () => {
    const parcels = many(2);
    const [bundles] = rides(() => [...parcels.map((one) => problem(one, "from-the-future")), end]);
    const settled = await carryAll(bundles, parcels);
    expect(codes(settled)).toEqual(["receipt-invalid", "receipt-invalid"]);
    expect((settled[0] as PromiseRejectedResult).reason).toMatchObject({
      message: expect.stringMatching(/from-the-future.*why/),
    });
  });

  test.for([
    ["lake-unavailable", "lake-unavailable"],
    ["client-suspended", "client-suspended"],
    ["source-not-allowed", "source-not-allowed"],
    ["agent-revoked", "agent-revoked"],
    ["from-the-future", "receipt-invalid"],
    // No word about any one of them: they hear it each of itself, or no bundle's fault sets them aside.
    ["bundle-invalid", "alone"],
    ["request-invalid", "alone"],
  ] as const)("ends the bundle with %s: the unnamed %s", async ([code, expected]) => {
    const [bundles] = rides(() => [
      { entry: null, problem: wire(code) },
      { ...end, complete: false },
    ]);
    expect(new Set(codes(await carryAll(bundles, many(5))))).toEqual(new Set([expected]));
  });

  test.for(["not-found", "method-not-allowed"] as const)(
    "knows no bundles (%s): all go alone, for an hour",
    async (code) => {
      const [bundles, receiver] = rides(() => {
        throw new ProblemError(code, "no such route");
      });
      expect(new Set(codes(await carryAll(bundles, many(5000))))).toEqual(new Set(["alone"]));
      expect(receiver.asked).toBeLessThanOrEqual(4);
      const { asked } = receiver;
      now += 3_599_000;
      expect(codes(await carryAll(bundles, many(2)))).toEqual(["alone", "alone"]);
      expect(receiver.asked).toBe(asked);
      now += 2_000;
      await carryAll(bundles, many(2));
      expect(receiver.asked).toBe(asked + 1);
    },
  );

  test("is reached by single files alone: after two bundles all go alone, and later a bundle is tried again", async () => {
    const [bundles, receiver] = rides(() => {
      throw new ProblemError("receiver-unreachable", "a proxy answered 411");
    });
    expect(codes(await carryAll(bundles, many(2)))).toEqual(["receiver-unreachable", "receiver-unreachable"]);
    expect(receiver.asked).toBe(2);
    expect(codes(await carryAll(bundles, many(3)))).toEqual(["alone", "alone", "alone"]);
    now += 61_000;
    expect(codes(await carryAll(bundles, many(2)))).toEqual(["receiver-unreachable", "receiver-unreachable"]);
    expect(receiver.asked).toBe(4);
  });

  test("found the clock wrong: with the corrected one they ride again, once", async () => {
    const parcels = many(2);
    let wrong = 1;
    const [bundles, receiver] = rides(() => {
      if (wrong-- > 0) throw new ProblemError("token-expired", "not yet valid");
      return [...parcels.map((one) => problem(one, "quota-file")), end];
    });
    expect(codes(await carryAll(bundles, parcels))).toEqual(["quota-file", "quota-file"]);
    wrong = 9;
    expect(codes(await carryAll(bundles, parcels))).toEqual(["token-expired", "token-expired"]);
    expect(receiver.asked).toBe(4);
  });

  test("throws something that is no problem: it reaches everybody", async () => {
    const fault = new TypeError("a fault");
    const [bundles] = rides(() => {
      throw fault;
    });
    for (const one of await carryAll(bundles, many(3))) expect(one).toMatchObject({ reason: fault });
  });
});
