import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import { request } from "node:https";
import { createInterface } from "node:readline";
import { connect } from "node:tls";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";
import { bundleLine } from "@tributary/shared/protocol.ts";
import { verifyReceipt } from "@tributary/shared/receipt.ts";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Rig, startRig } from "../rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

interface Spec {
  readonly bytes?: Uint8Array | string;
  readonly captureId?: string;
  readonly records?: readonly (readonly [string, string])[];
  /** The type flag, for what is no file. */
  readonly type?: string;
}

/** One entry, headers and all. */
function entry(path: string, spec: Spec = {}): Buffer {
  const bytes = Buffer.from((spec.bytes ?? path) as string);
  const id: [string, string][] =
    spec.captureId === undefined ? [] : [["TRIBUTARY.captureId", spec.captureId]];
  const head = entryHead({
    path: Buffer.from(path, "latin1"),
    size: bytes.length,
    mtimeNs: 1_700_000_000_123_456_789n,
    records: [...id, ...(spec.records ?? [])],
  });
  if (spec.type !== undefined) {
    const own = head.subarray(-512);
    own.write(spec.type, 156, "latin1");
    own.fill(" ", 148, 156);
    const sum = own.reduce((all, byte) => all + byte, 0);
    own.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return Buffer.concat([head, bytes, Buffer.alloc(padding(bytes.length))]);
}
const tar = (...entries: Buffer[]): Buffer => Buffer.concat([...entries, TRAILER]);
const sealed = (path: string, bytes: Uint8Array | string = path, captureId: string = randomUUID()): Buffer =>
  entry(path, { bytes, captureId, records: [["TRIBUTARY.sha256", sha256(bytes)]] });

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Line = any;
const parse = (body: Buffer): Line[] =>
  body
    .toString()
    .split("\n")
    .slice(0, -1)
    .map((line) => bundleLine.parse(JSON.parse(line)));

async function send(
  body: Uint8Array | AsyncIterable<Uint8Array>,
  headers: Record<string, string> = {},
  at: Rig = rig,
  source = "pos",
): Promise<{ status: number; lines: Line[]; problem: Line }> {
  const answer = await at.ask(
    "POST",
    `/v1/bundles/${source}`,
    { authorization: "Bearer key", ...headers },
    body,
  );
  const lines = answer.status === 200 ? parse(answer.body) : [];
  return { status: answer.status, lines, problem: answer.status === 200 ? undefined : answer.json };
}
/** What became of each entry, and how it ended. */
const brief = (lines: Line[]): string[] =>
  lines.map((line) =>
    line.end
      ? `${line.complete ? "whole" : "broken"} ${line.delivered}/${line.refused}`
      : `${line.entry} ${line.status ?? line.problem.code}`,
  );
const newest = async (path: string, at: Rig = rig): Promise<Line[]> => {
  const query = `client=acme&source=pos&path=${path}`;
  const answer = await at.ask("GET", `/v1/versions?${query}`, { authorization: "Bearer reader" });
  return answer.json.entries as Line[];
};

/** A bundle whose sender does as it is told, and hears each line as it comes. */
interface Talk {
  readonly sent: ClientRequest;
  readonly answer: Promise<IncomingMessage>;
  line(): Promise<Line>;
  rest(): Promise<Line[]>;
}
const gone = new Error("the answer is over");
function talk(at: Rig = rig, headers: Record<string, string> = {}, agent?: import("node:https").Agent): Talk {
  const { hostname, port } = new URL(at.receiver.url);
  const sent = request({
    ...{ hostname, port, ca: at.ca, method: "PUT", path: "/v1/bundles/pos" },
    ...(agent === undefined ? {} : { agent }),
    headers: { authorization: "Bearer key", ...headers },
  });
  sent.on("error", () => {});
  sent.flushHeaders();
  const answer = once(sent, "response").then(([incoming]) => incoming as IncomingMessage);
  const lines = answer.then((incoming) =>
    createInterface(incoming.on("error", () => {}))[Symbol.asyncIterator](),
  );
  lines.catch(() => {});
  answer.catch(() => {});
  const line = async (): Promise<Line> => {
    const { value, done } = await (await lines).next();
    if (done === true) throw gone;
    return bundleLine.parse(JSON.parse(value));
  };
  return {
    ...{ sent, answer, line },
    async rest() {
      const all: Line[] = [];
      try {
        for (;;) all.push(await line());
      } catch (error) {
        if (error !== gone && (error as Error).message !== "aborted") throw error;
        return all;
      }
    },
  };
}

test("every file is in the lake, the ledger and the manifest, as it lay there, and its receipt is signed", async () => {
  const large = randomBytes(700_000);
  const body = tar(
    entry("./", { bytes: "", type: "5" }),
    entry("./day/1.csv", { bytes: "hello" }),
    entry("large", { bytes: large }),
    entry("\xff\n", { bytes: "" }),
  );
  const { status, lines } = await send(body);
  expect(status).toBe(200);
  expect(brief(lines)).toEqual(["2 created", "3 created", "4 created", "whole 3/0"]);
  expect(lines[0]).toMatchObject({ path: "day/1.csv", size: 5, sha256: sha256("hello"), client: "acme" });
  expect(verifyReceipt(lines[1].receipt, rig.keys.jwks())).toMatchObject({
    ...{ channel: "bundle", agentId: "key", pathEncoded: "large", sha256: sha256(large) },
  });
  expect(lines[2].pathEncoded).toBe("%FF%0A");
  const key = [...rig.lake.objects.keys()].find((name) => name.includes(lines[1].versionId)) as string;
  expect(rig.lake.objects.get(key)?.equals(large)).toBe(true);
  const manifest = [...rig.lake.objects].filter(([name]) => name.startsWith("manifest/"));
  for (const { versionId } of lines.slice(0, 3))
    expect(manifest.some(([, bytes]) => bytes.includes(versionId))).toBe(true);
  expect((await newest("day/1.csv"))[0].modifiedAt).toMatch(/^2023-11-14T22:13:20.123/);
  expect(rig.lake.staged()).toBe(0);
});

test("many files share their commit and their segment", async () => {
  const segments = (): number =>
    [...rig.lake.objects.keys()].filter((key) => key.startsWith("manifest/")).length;
  const before = segments();
  const { lines } = await send(tar(...Array.from({ length: 1000 }, (_, i) => entry(`many/${i}`))));
  expect(lines.at(-1)).toMatchObject({ complete: true, delivered: 1000, refused: 0 });
  expect(new Set(lines.map(({ entry }) => entry)).size).toBe(1001);
  expect(segments() - before).toBeLessThan(20);
});

describe("packed", () => {
  const [a, b] = [
    entry("packed/a", { bytes: randomBytes(3000) }),
    entry("packed/b", { bytes: randomBytes(300_000) }),
  ];
  const whole = tar(a, b);
  const cut = 1700;
  test.for([
    ["gzip", undefined, gzipSync(whole)],
    ["gzip, said", "gzip", gzipSync(whole)],
    [
      "gzip of several members",
      "x-gzip",
      Buffer.concat([gzipSync(whole.subarray(0, cut)), gzipSync(whole.subarray(cut))]),
    ],
    ["gzip, padded with zeros", undefined, Buffer.concat([gzipSync(whole), Buffer.alloc(5000)])],
    ["zstd", undefined, zstdCompressSync(whole)],
    ["zstd, said", "zstd", zstdCompressSync(whole)],
    [
      "zstd of several frames",
      undefined,
      Buffer.concat([zstdCompressSync(whole.subarray(0, cut)), zstdCompressSync(whole.subarray(cut))]),
    ],
    ["plain, said", "identity", whole],
  ] as const)("%s", async ([, coding, body]) => {
    for (const size of [body.length, 1000]) {
      const sent = (async function* () {
        for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
      })();
      const { lines, problem } = await send(sent, coding === undefined ? {} : { "content-encoding": coding });
      expect(problem).toBeUndefined();
      expect(lines.map(({ sha256 }) => sha256).slice(0, 2)).toEqual([
        sha256(a.subarray(-3072, -72)),
        sha256(b.subarray(-300_032, -32)),
      ]);
      expect(lines.at(-1)).toMatchObject({ complete: true, delivered: 2 });
    }
  });

  test("another coding, one that it is not, and one that nobody knows", async () => {
    for (const [coding, body, status, code] of [
      ["br", whole, 415, "content-encoding-refused"],
      ["gzip, zstd", whole, 415, "content-encoding-refused"],
      ["gzip", whole, 400, "bundle-invalid"],
      ["zstd", gzipSync(whole), 400, "bundle-invalid"],
    ] as const)
      expect(await send(body, { "content-encoding": coding })).toMatchObject({ status, problem: { code } });
  });

  test("a second tar behind the first is never passed over in silence", async () => {
    const second = tar(entry("packed/second"));
    for (const body of [
      Buffer.concat([gzipSync(whole), gzipSync(second)]),
      Buffer.concat([zstdCompressSync(whole), zstdCompressSync(second)]),
      Buffer.concat([zstdCompressSync(whole), gzipSync(second)]),
      Buffer.concat([gzipSync(whole), Buffer.alloc(100), gzipSync(second)]),
    ]) {
      const { lines } = await send(body);
      expect(brief(lines).slice(2)).toEqual([" bundle-invalid".replace(" ", "null "), "broken 2/0"]);
    }
  });

  test("cut or corrupted, what was acknowledged stays", async () => {
    for (const pack of [gzipSync, zstdCompressSync]) {
      const id = randomUUID();
      const packed = pack(tar(entry(`cut/${id}`), entry("cut/big", { bytes: randomBytes(600_000) })));
      const { lines } = await send(packed.subarray(0, 400_000));
      expect(lines.at(-2)).toMatchObject({ entry: null, problem: { code: "bundle-invalid" } });
      expect(lines[0]).toMatchObject({ path: `cut/${id}`, status: "created" });
      expect(await newest(`cut/${id}`)).toHaveLength(1);
    }
  });
});

describe("bombs", () => {
  test("by ratio, and by what all of it may be; what was acknowledged stays", async () => {
    const bounded = await startRig({ settings: { limits: { bundle: { bytes: "100MiB", ratio: 20 } } } });
    try {
      const zeros = Buffer.alloc(2 ** 20);
      const bomb = async function* (): AsyncGenerator<Uint8Array> {
        yield gzipSync(entry("first"));
        const head = entryHead({ path: Buffer.from("bomb"), size: 2 ** 32, mtimeNs: 0n, records: [] });
        yield gzipSync(head);
        const packed = gzipSync(zeros);
        for (let i = 0; i < 4096; i += 1) yield packed;
      };
      const answer = await send(bomb(), {}, bounded);
      expect(brief(answer.lines)).toEqual([
        "1 created",
        "2 bundle-inflated",
        "null bundle-inflated",
        "broken 1/1",
      ]);
      expect(answer.lines[1].problem.detail).toMatch(/more than 20 times/);
      const plain = async function* (): AsyncGenerator<Uint8Array> {
        yield entry("second");
        for (let i = 0; i < 101; i += 1) yield entry(`f${i % 3}`, { bytes: zeros });
      };
      const large = await send(plain(), {}, bounded);
      expect(large.lines[0]).toMatchObject({ path: "second", status: "created" });
      expect(large.lines.at(-2).problem).toMatchObject({ code: "bundle-inflated" });
      expect(await newest("second", bounded)).toHaveLength(1);
      expect(bounded.lake.staged()).toBe(0);
    } finally {
      await bounded.stop();
    }
  });

  test("a window of zstd that is larger than any decoder has to hold", async () => {
    const { constants } = await import("node:zlib");
    const params = { [constants.ZSTD_c_windowLog]: 27 };
    const body = zstdCompressSync(tar(entry("w", { bytes: Buffer.alloc(200_000_000) })), { params });
    expect(await send(body)).toMatchObject({ status: 400, problem: { code: "bundle-invalid" } });
  });
});

describe("refused, and all around it is taken", () => {
  const around = async (bad: Buffer, headers: Record<string, string> = {}): Promise<Line[]> => {
    const [one, two] = [randomUUID(), randomUUID()];
    const { lines } = await send(tar(sealed(`around/${one}`), bad, sealed(`around/${two}`)), headers);
    const delivered = lines.filter(({ status }) => status === "created").map(({ path }) => path);
    expect(new Set(delivered)).toEqual(new Set([`around/${one}`, `around/${two}`]));
    expect(lines.at(-1)).toMatchObject({ complete: true, delivered: 2, refused: 1 });
    return lines.filter(({ problem }) => problem !== undefined);
  };

  test.for([
    "../up",
    "/etc/passwd",
    "a/../../b",
    "a//b",
    "..",
    "c:/x",
    "a\\..\\b",
    "",
    "./",
    "./../x",
    "a/",
    "x".repeat(4097),
    ".//..//x",
  ])("the path %j", async (path) => {
    expect(await around(sealed(path, "x"))).toMatchObject([{ entry: 2, problem: { code: "path-invalid" } }]);
  });

  test.for([
    ["1", "a hard link"],
    ["2", "a symbolic link"],
    ["3", "a character device"],
    ["4", "a block device"],
    ["6", "a pipe"],
    ["S", "a sparse file"],
    ["V", 'an entry of type "V"'],
  ] as const)("of type %s: %s", async ([type, what]) => {
    const bad = entry("odd", { bytes: "", type, captureId: "of-it" });
    expect(await around(bad)).toMatchObject([
      {
        entry: 2,
        path: "odd",
        captureId: "of-it",
        problem: { code: "entry-refused", detail: expect.stringContaining(what) },
      },
    ]);
  });

  test.for([
    [[["GNU.sparse.major", "1"]], "entry-refused"],
    [[["TRIBUTARY.source", "till"]], "source-not-allowed"],
    [[["TRIBUTARY.client", "other"]], "client-not-allowed"],
    [[["TRIBUTARY.sha256", "0".repeat(64)]], "digest-mismatch"],
    [[["TRIBUTARY.sha256", "ABC"]], "request-invalid"],
    [[["TRIBUTARY.captureId", "a b"]], "request-invalid"],
    [[["TRIBUTARY.sealedAt", "yesterday"]], "request-invalid"],
  ] as const)("with %j: %s", async ([records, code]) => {
    for (const bytes of ["small", Buffer.alloc(300_000)])
      expect(await around(entry("odd", { bytes, records }))).toMatchObject([{ entry: 2, problem: { code } }]);
  });

  test("one captureId for two contents: the first stands, the second is a conflict; for one content the receipt comes again", async () => {
    for (const size of [10, 300_000]) {
      const id = randomUUID();
      const [one, two] = [Buffer.alloc(size, 1), Buffer.alloc(size, 2)];
      const path = `twice/${size}`;
      const { lines } = await send(tar(sealed(path, one, id), sealed(path, two, id), sealed(path, one, id)));
      expect(brief(lines)).toEqual(["1 created", "2 capture-conflict", "3 created", "whole 2/1"]);
      expect(lines[2].receipt).toBe(lines[0].receipt);
      const elsewhere = await send(tar(sealed(`${path}/b`, one, id)));
      expect(brief(elsewhere.lines)).toEqual(["1 capture-conflict", "whole 0/1"]);
      expect(await newest(path)).toHaveLength(1);
    }
  });
});

describe("not read on, and what was acknowledged stays", () => {
  let before = 0;
  beforeEach(async () => {
    before = await rig.entries();
  });
  const broken = async (body: Uint8Array, taken: number, code = "bundle-invalid"): Promise<Line[]> => {
    const { lines } = await send(body);
    expect(lines.at(-2)).toMatchObject({ entry: null, problem: { code } });
    expect(lines.at(-1)).toMatchObject({ end: true, complete: false });
    expect(lines.filter(({ status }) => status === "created")).toHaveLength(taken);
    expect(await rig.entries()).toBe(before + taken);
    expect(rig.lake.staged()).toBe(0);
    return lines;
  };

  test("a tar that was cut: in a header, in a small file, in a large one, before its end", async () => {
    const [one, small, large] = [
      () => sealed(randomUUID()),
      sealed("s", "s".repeat(2000)),
      sealed("l", randomBytes(500_000)),
    ];
    await broken(Buffer.concat([one(), small.subarray(0, 300)]), 1);
    before += 1;
    await broken(Buffer.concat([one(), small.subarray(0, -600)]), 1);
    before += 1;
    const lines = await broken(Buffer.concat([one(), large.subarray(0, -600)]), 1);
    expect(lines[1]).toMatchObject({ entry: 2, path: "l", problem: { code: "bundle-invalid" } });
    before += 1;
    await broken(Buffer.concat([one(), one()]), 2);
  });

  test("a lying size: the file is not taken, larger or smaller", async () => {
    for (const size of ["3", "600", "1000000"]) {
      const lie = entry("lie", { bytes: "four", records: [["size", size]] });
      await broken(tar(sealed(randomUUID()), lie, sealed(randomUUID())), 1);
      before += 1;
    }
  });

  test("a gigabyte of headers", async () => {
    const zeros = Buffer.concat(
      Array.from({ length: 512 }, () => entry("", { bytes: "", type: "g" }).subarray(-512)),
    );
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield sealed("before/headers");
      for (let sent = 0; sent < 2 ** 30; sent += zeros.length) yield zeros;
    };
    const { lines } = await send(endless());
    expect(brief(lines)).toEqual(["1 created", "null bundle-invalid", "broken 1/0"]);
  });

  test("where nothing was taken yet the answer is the problem itself", async () => {
    const answer = await send(Buffer.from("no tar".repeat(200)));
    expect(answer).toMatchObject({ status: 400, problem: { code: "bundle-invalid" } });
    expect(await send(new Uint8Array())).toMatchObject({ status: 400, problem: { code: "bundle-invalid" } });
  });
});

describe("who sends", () => {
  const asAgent = { authorization: "Bearer agent" };
  test("an agent names every capture and its digest", async () => {
    const id = randomUUID();
    const { lines } = await send(
      tar(
        sealed("by/agent", "x", id),
        entry("no/digest", { captureId: randomUUID() }),
        entry("no/id", { records: [["TRIBUTARY.sha256", sha256("no/id")]] }),
      ),
      asAgent,
    );
    expect(brief(lines).toSorted()).toEqual([
      "1 created",
      "2 digest-required",
      "3 request-invalid",
      "whole 1/2",
    ]);
    expect(lines.find(({ entry }) => entry === 1)).toMatchObject({ captureId: id });
    expect(verifyReceipt(lines.find(({ entry }) => entry === 1).receipt, rig.keys.jwks()).agentId).toBe(
      "agent",
    );
  });

  test("nobody, somebody else's client or source, somebody who may not write: nothing is read", async () => {
    rig.gate.add("bound", { kind: "key", source: "till" });
    rig.gate.add("reads", { kind: "key", acts: new Set(["read"]) });
    rig.gate.add("house", { clients: ["acme", "other"] });
    const before = await rig.entries();
    for (const [name, headers, status, code] of [
      ["nobody", {}, 401, "unauthenticated"],
      ["key", { "tributary-client": "other" }, 403, "client-not-allowed"],
      ["bound", {}, 403, "source-not-allowed"],
      ["reads", {}, 403, "forbidden"],
      ["house", {}, 400, "client-required"],
    ] as const)
      expect(await send(tar(entry("x")), { ...headers, authorization: `Bearer ${name}` })).toMatchObject({
        status,
        problem: { code },
      });
    expect(await send(tar(entry("x")), {}, rig, "a_b")).toMatchObject({
      status: 422,
      problem: { code: "source-invalid" },
    });
    expect(await rig.entries()).toBe(before);
  });

  test("a captureId of another client says nothing, and takes nothing", async () => {
    rig.gate.add("theirs", { kind: "key", clients: ["other"] });
    const id = randomUUID();
    const [own] = (await send(tar(sealed("same", "ours", id)))).lines;
    const [theirs] = (await send(tar(sealed("same", "theirs", id)), { authorization: "Bearer theirs" }))
      .lines;
    expect([own, theirs]).toMatchObject([
      { status: "created", client: "acme" },
      { status: "created", client: "other" },
    ]);
  });

  test("quotas are asked entry by entry", async () => {
    const poor = await startRig({ settings: { quota: { file: "1KB", stored: "3KB" } } });
    try {
      const bytes = (size: number) => randomBytes(size);
      const { lines } = await send(
        tar(
          entry("1", { bytes: bytes(900) }),
          entry("2", { bytes: bytes(1100) }),
          entry("3", { bytes: bytes(400_000) }),
          entry("4", { bytes: bytes(900) }),
        ),
        {},
        poor,
      );
      expect(brief(lines).toSorted()).toEqual([
        "1 created",
        "2 quota-file",
        "3 quota-file",
        "4 created",
        "whole 2/2",
      ]);
      const more = await send(tar(...[5, 6, 7].map((n) => entry(`${n}`, { bytes: bytes(900) }))), {}, poor);
      expect(more.lines.filter(({ status }) => status === "created")).toHaveLength(1);
      expect(more.lines.filter(({ problem }) => problem?.code === "quota-stored")).toHaveLength(2);
    } finally {
      await poor.stop();
    }
  });
});

describe("once, and in order", () => {
  test("the same bundle again gives the same receipts", async () => {
    const body = tar(sealed("again/a"), sealed("again/b", randomBytes(300_000)), sealed("again/c"));
    const [one, two] = [await send(body), await send(body)];
    const receipts = ({ lines }: { lines: Line[] }): Set<string> =>
      new Set(lines.map(({ receipt }) => receipt as string));
    expect(receipts(two)).toEqual(receipts(one));
    expect(await newest("again/a")).toHaveLength(1);
  });

  test("under an Idempotency-Key an entry without a captureId has one that follows from its path", async () => {
    const key = { "idempotency-key": randomUUID() };
    const [a, b] = [entry("keyed/a"), entry("keyed/b")];
    const one = await send(tar(a, b), key);
    const two = await send(tar(b, a), key);
    const of = (lines: Line[], path: string): Line => lines.find((line) => line.path === path);
    for (const path of ["keyed/a", "keyed/b"])
      expect(of(two.lines, path).receipt).toBe(of(one.lines, path).receipt);
    const other = await send(tar(entry("keyed/a", { bytes: "else" })), key);
    expect(brief(other.lines)).toEqual(["1 capture-conflict", "whole 0/1"]);
    const twice = await send(tar(entry("keyed/t", { bytes: "1" }), entry("keyed/t", { bytes: "2" })), key);
    // Said, not passed over: which of the two was meant nobody knows.
    expect(brief(twice.lines)).toEqual(["1 created", "2 capture-conflict", "whole 1/1"]);
    expect((await send(tar(a), { "idempotency-key": "k".repeat(96) })).status).toBe(400);
  });

  test("A, B, A of one path are three versions in this order, A, A is one; large between small ones", async () => {
    const large = (fill: number): Buffer => Buffer.alloc(300_000, fill);
    const { lines } = await send(
      tar(
        ...["A", "B", "A", "A"].map((bytes) => entry("aba", { bytes })),
        ...[large(1), "small", large(1), large(1)].map((bytes) => entry("mixed", { bytes })),
      ),
    );
    expect(brief(lines)).toEqual([
      ...["1 created", "2 created", "3 created", "4 unchanged"],
      ...["5 created", "6 created", "7 created", "8 unchanged", "whole 8/0"],
    ]);
    expect((await newest("aba")).map((version) => version.sha256)).toEqual(
      ["A", "B", "A"].map((t) => sha256(t)),
    );
    expect((await newest("mixed")).map((version) => version.size)).toEqual([300_000, 5, 300_000]);
    expect(rig.lake.staged()).toBe(0);
  });
});

describe("while it is sent", () => {
  test.for(["plain", "gzip"])(
    "%s: lines arrive though nothing more is sent, and the connection serves on",
    async (coding) => {
      const { createGzip } = await import("node:zlib");
      const { Agent } = await import("node:https");
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: rig.ca });
      const { sent, line, rest, answer } = talk(rig, {}, agent);
      const gzip = createGzip();
      gzip.pipe(sent);
      const put = async (bytes: Buffer): Promise<void> => {
        if (coding === "plain") sent.write(bytes);
        else {
          gzip.write(bytes);
          await new Promise<void>((flushed) => gzip.flush(() => flushed()));
        }
      };
      for (let i = 1; i <= 3; i += 1) {
        await put(entry(`slowly/${coding}/${i}`));
        expect(await line()).toMatchObject({ entry: i, status: "created" });
      }
      await put(
        Buffer.concat([
          entry(`slowly/${coding}/large`, { bytes: Buffer.alloc(400_000, coding) }),
          entry(`slowly/${coding}/4`),
        ]),
      );
      expect(brief([await line(), await line()])).toEqual(["4 created", "5 created"]);
      if (coding === "plain") sent.end(TRAILER);
      else gzip.end(TRAILER);
      expect(brief(await rest())).toEqual(["whole 5/0"]);
      const { socket } = await answer;
      const second = talk(rig, {}, agent);
      second.sent.end(tar(entry(`next/${coding}`)));
      expect(brief(await second.rest())).toEqual(["1 created", "whole 1/0"]);
      expect((await second.answer).socket).toBe(socket);
      agent.destroy();
    },
  );

  test.for(["plain", "gzip"])(
    "%s: refused half way, the sender hears it at once though it sends nothing more",
    async (coding) => {
      const { sent, line, rest } = talk();
      const body = Buffer.concat([entry(`half/${coding}`), Buffer.alloc(512, "?")]);
      // All that came is unpacked: whoever does it waits for more.
      const packed = gzipSync(Buffer.concat([body, randomBytes(2000)]));
      sent.write(coding === "plain" ? body : packed.subarray(0, -100));
      const from = performance.now();
      expect(brief([await line(), await line(), await line()])).toEqual([
        "1 created",
        "null bundle-invalid",
        "broken 1/0",
      ]);
      expect(performance.now() - from).toBeLessThan(1500);
      await rest();
      sent.destroy();
    },
  );

  test("Expect: 100-continue is answered before the first byte, and not at all where it is refused", async () => {
    const { sent, rest } = talk(rig, { expect: "100-continue" });
    await once(sent, "continue");
    sent.end(tar(entry("expected")));
    expect(brief(await rest())).toEqual(["1 created", "whole 1/0"]);
    const refused = talk(rig, { expect: "100-continue", authorization: "Bearer nobody" });
    let continued = false;
    refused.sent.on("continue", () => {
      continued = true;
    });
    expect((await refused.answer).statusCode).toBe(401);
    expect(continued).toBe(false);
    refused.sent.destroy();
  });

  test("a sender that goes away: what was acknowledged stays, and nothing else; the next one is served", async () => {
    for (let i = 0; i < 20; i += 1) {
      const before = await rig.entries();
      const { sent, line } = talk();
      sent.write(
        Buffer.concat([
          entry(`gone/${randomUUID()}`),
          entry("cut", { bytes: Buffer.alloc(200_000) }).subarray(0, 100_000),
        ]),
      );
      expect(await line()).toMatchObject({ status: "created" });
      sent.destroy();
      await expect.poll(() => rig.gate.watched("key")).toBe(0);
      expect(await rig.entries()).toBe(before + 1);
    }
    expect(rig.lake.staged()).toBe(0);
    const full = await send(
      tar(...Array.from({ length: 200 }, (_, i) => entry(`after/${i}`, { bytes: Buffer.alloc(250_000, i) }))),
    );
    expect(full.lines.at(-1)).toMatchObject({ complete: true, delivered: 200 });
  });

  test("revoked in the middle: the rest is not taken, what was acknowledged stays", async () => {
    rig.gate.add("falls", { kind: "key", id: "falls", acts: new Set(["write"]) });
    const before = await rig.entries();
    const { sent, line, rest } = talk(rig, { authorization: "Bearer falls" });
    sent.write(entry(`falls/${randomUUID()}`));
    expect(await line()).toMatchObject({ status: "created" });
    sent.write(entry("falls/cut", { bytes: Buffer.alloc(5000) }).subarray(0, 3000));
    rig.gate.revoke("falls");
    expect(brief(await rest())).toEqual(["null agent-revoked", "broken 1/0"]);
    expect(await rig.entries()).toBe(before + 1);
    sent.destroy();
  });

  test("two hundred bundles whose senders stop inside a file keep no memory from the next one", {
    timeout: 60_000,
  }, async () => {
    const half = entry("stalled", { bytes: Buffer.alloc(256 * 1024) }).subarray(0, 200 * 1024);
    const before = process.memoryUsage().rss;
    const talks = Array.from({ length: 200 }, () => talk());
    for (const { sent } of talks) sent.write(half);
    await expect.poll(() => rig.gate.watched("key")).toBe(200);
    const bytes = Buffer.alloc(200_000, 7);
    const { lines } = await send(
      tar(...Array.from({ length: 300 }, (_, i) => entry(`beside/${i}`, { bytes }))),
    );
    expect(lines.at(-1)).toMatchObject({ complete: true, delivered: 300 });
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * 2 ** 20);
    for (const { sent } of talks) sent.destroy();
    await expect.poll(() => rig.gate.watched("key")).toBe(0);
    // The memory that they had asked for came back, however they ended.
    const after = await send(tar(...Array.from({ length: 300 }, (_, i) => entry(`behind/${i}`, { bytes }))));
    expect(after.lines.at(-1)).toMatchObject({ complete: true, delivered: 300 });
  });
});

describe("who reads no answer", () => {
  test("is waited for, and then told; nobody else waits for it", { timeout: 60_000 }, async () => {
    const hurried = await startRig({ settings: { limits: { idle: "1s" } } });
    try {
      const { hostname, port } = new URL(hurried.receiver.url);
      const socket = connect({ host: hostname, port: Number(port), ca: hurried.ca });
      let over = false;
      socket
        .on("error", () => {})
        .on("close", () => {
          over = true;
        })
        .write(
          "PUT /v1/bundles/pos HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key\r\ntransfer-encoding: chunked\r\n\r\n",
        );
      const bad = Buffer.concat(
        Array.from({ length: 1000 }, (_, i) => entry(`${"n".repeat(2000)}/../${i}`, { bytes: "" })),
      );
      socket.setMaxListeners(0);
      const closed = once(socket, "close");
      const chunk = Buffer.concat([Buffer.from(`${bad.length.toString(16)}\r\n`), bad, Buffer.from("\r\n")]);
      let written = 0;
      for (; !socket.destroyed && written < 2 ** 28; written += bad.length)
        if (!socket.write(chunk)) await Promise.race([once(socket, "drain"), closed]).catch(() => {});
      await expect.poll(() => over).toBe(true);
      expect(written).toBeLessThan(100 * 2 ** 20);
      const { lines } = await send(tar(entry("meanwhile")), {}, hurried);
      expect(lines.at(-1)).toMatchObject({ complete: true });
    } finally {
      await hurried.stop();
    }
  });
});

describe("a receiver in trouble", () => {
  test("a lake that fails ends the bundle with a problem that passes; what it took before stays", async () => {
    let failing = false;
    const troubled = await startRig({
      wrap: (lake) => ({
        ...lake,
        publish: async (staged, key, metadata) => {
          if (failing && key.startsWith("raw/")) {
            await staged.discard();
            throw new ProblemError("lake-unavailable", "/var/lib/secret is full", { retryAfter: 7 });
          }
          await lake.publish(staged, key, metadata);
        },
      }),
    });
    try {
      const { sent, line, rest } = talk(troubled);
      sent.write(entry("before"));
      expect(await line()).toMatchObject({ status: "created" });
      failing = true;
      sent.write(Buffer.concat([entry("during/1"), entry("during/2")]));
      sent.end(tar(...Array.from({ length: 600 }, (_, i) => entry(`later/${i}`))));
      const lines = await rest();
      expect(lines.at(-1)).toMatchObject({ complete: false, delivered: 1 });
      for (const { problem } of lines.slice(0, -1)) {
        expect(problem).toMatchObject({ code: "lake-unavailable", retryAfter: 7 });
        expect(problem.detail).not.toMatch(/secret/);
      }
      expect(await troubled.entries()).toBe(1);
      expect(troubled.lake.staged()).toBe(0);
      failing = false;
      expect((await send(tar(entry("during/1")), {}, troubled)).lines).toMatchObject([
        { status: "created" },
        { complete: true },
      ]);
    } finally {
      await troubled.stop();
    }
  });

  test("stops in the middle of a bundle: what was acknowledged stays, and it stops", async () => {
    const stopping = await startRig({ settings: { stopWithin: "1s" } });
    const { sent, line, rest } = talk(stopping);
    sent.write(entry("acknowledged"));
    const { versionId } = await line();
    sent.write(entry("unfinished", { bytes: Buffer.alloc(9000) }).subarray(0, 4000));
    const lines = rest();
    await stopping.receiver.stop();
    expect((await lines).filter(({ status }) => status !== undefined)).toEqual([]);
    expect(await stopping.entries()).toBe(1);
    expect([...stopping.lake.objects.keys()].filter((key) => key.startsWith("raw/"))).toEqual([
      expect.stringContaining(versionId),
    ]);
    sent.destroy();
    await stopping.stop();
  });

  test("as many at once as it has places, and then it is busy", async () => {
    const small = await startRig({ settings: { limits: { concurrent: 2 } } });
    try {
      const talks = [talk(small), talk(small)];
      for (const { sent } of talks) sent.write(entry("x").subarray(0, 100));
      await expect.poll(() => small.gate.watched("key")).toBe(2);
      expect(await send(tar(entry("y")), {}, small)).toMatchObject({
        status: 503,
        problem: { code: "busy" },
      });
      for (const { sent } of talks) sent.destroy();
      await expect.poll(async () => (await send(tar(entry("y")), {}, small)).status).toBe(200);
    } finally {
      await small.stop();
    }
  });
});
