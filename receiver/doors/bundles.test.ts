import { execFileSync } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type BundleLine, bundleLine, PAX } from "@tributary/shared/protocol.ts";
import { verifyReceipt } from "@tributary/shared/receipt.ts";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Rig, startRig } from "../rig.ts";

let rig: Rig;
let folder: string;
beforeAll(async () => {
  rig = await startRig({ settings: { limits: { bundle: { bytes: "200MB", ratio: 100 } } } });
  folder = mkdtempSync(join(tmpdir(), "tributary-bundles-"));
});
afterAll(async () => {
  await rig.stop();
  rmSync(folder, { recursive: true, force: true });
});

const asKey = { authorization: "Bearer key" };
const asAgent = { authorization: "Bearer agent" };
const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

interface File {
  readonly path: string | Buffer;
  readonly bytes: string | Buffer;
  readonly records?: Readonly<Record<string, string>>;
}

function tarOf(...files: readonly File[]): Buffer {
  return Buffer.concat([...files.map(entryOf), TRAILER]);
}
function entryOf({ path, bytes, records = {} }: File): Buffer {
  const content = Buffer.from(bytes as string);
  const head = entryHead({
    path: Buffer.from(path as string),
    size: content.length,
    mtimeNs: 1_700_000_000_500_000_000n,
    records: Object.entries(records),
  });
  return Buffer.concat([head, content, Buffer.alloc(padding(content.length))]);
}
const sealed = (bytes: string | Buffer, captureId: string = randomUUID()) => ({
  [PAX.captureId]: captureId,
  [PAX.sha256]: sha256(bytes),
  [PAX.sealedAt]: "2026-01-01T00:00:00.000Z",
});

async function send(
  body: Buffer | AsyncIterable<Uint8Array>,
  headers: Record<string, string> = asKey,
  source = "pos",
): Promise<BundleLine[]> {
  const answer = await rig.ask("POST", `/v1/bundles/${source}`, headers, body);
  expect(answer.status, answer.body.toString()).toBe(200);
  return linesOf(answer.body.toString());
}
const linesOf = (text: string): BundleLine[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => bundleLine.parse(JSON.parse(line)));
/** What became of each entry, by their numbers, and behind them of the whole. */
function told(lines: readonly BundleLine[]): string[] {
  const entries = lines.flatMap((line) => ("end" in line ? [] : [line]));
  const end = lines.at(-1);
  return [
    ...entries
      .toSorted((one, other) => (one.entry ?? 1e9) - (other.entry ?? 1e9))
      .map((line) => `${line.entry ?? "-"} ${"problem" in line ? line.problem.code : line.status}`),
    end !== undefined && "end" in end
      ? `end ${end.complete ? "complete" : "cut"} ${end.delivered}/${end.refused}`
      : "no end",
  ];
}

describe("a bundle", () => {
  test.for([
    ["plain", (tar: Buffer) => tar, {}],
    ["gzip", gzipSync, {}],
    [
      "gzip in two members",
      (tar: Buffer) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
      {},
    ],
    ["zstd, which it says", zstdCompressSync, { "content-encoding": "zstd" }],
  ] as const)(
    "%s: every file is a version of its own, with the receipt that a PUT would have had",
    async ([source, pack, headers]) => {
      const name = source.replaceAll(/[^a-z]+/g, "-").replaceAll(/^-|-$/g, "");
      const files = Array.from({ length: 700 }, (_, i) => ({ path: `f/${i}.csv`, bytes: `row ${i}` }));
      const lines = await send(pack(tarOf(...files)), { ...asKey, ...headers }, name);
      expect(lines.at(-1)).toEqual({ end: true, complete: true, delivered: 700, refused: 0 });
      const one = lines.find((line) => "status" in line && line.path === "f/42.csv");
      if (one === undefined || !("status" in one)) throw new Error("no line for f/42.csv");
      expect(verifyReceipt(one.receipt, rig.keys.jwks())).toMatchObject({
        ...{
          source: name,
          pathEncoded: "f/42.csv",
          sha256: sha256("row 42"),
          size: 6,
          status: "created",
          channel: "bundle",
        },
      });
      const key = [...rig.lake.objects.keys()].find((object) => object.includes(one.versionId));
      expect(rig.lake.objects.get(String(key))?.toString()).toBe("row 42");
      expect(rig.lake.staged()).toBe(0);
    },
  );

  test("receipts come while it is still being sent", async () => {
    let first: (lines: string) => void = () => {};
    const seen = new Promise<string>((resolve) => {
      first = resolve;
    });
    async function* slowly(): AsyncGenerator<Buffer> {
      yield entryOf({ path: "first", bytes: "1" });
      // Only a receipt of the first lets the second leave.
      const started = Date.now();
      while ((await rig.entries()) === before && Date.now() - started < 5000)
        await new Promise((resolve) => setTimeout(resolve, 5));
      first(String(await rig.entries()));
      yield Buffer.concat([entryOf({ path: "second", bytes: "2" }), TRAILER]);
    }
    const before = await rig.entries();
    const lines = await send(slowly(), asKey, "slow");
    expect(Number(await seen)).toBe(before + 1);
    expect(lines.at(-1)).toMatchObject({ delivered: 2 });
  });

  test("what `tar c .` makes: folders are passed over, the leading ./ is no part of a name", async () => {
    const at = join(folder, "tree");
    mkdirSync(join(at, "deep/er"), { recursive: true });
    writeFileSync(join(at, "deep/er/a.csv"), "a");
    writeFileSync(join(at, "b.csv"), "b");
    const lines = await send(execFileSync("tar", ["-c", "-C", at, "."]), asKey, "tree");
    const paths = lines.flatMap((line) => ("status" in line ? [line.path] : []));
    expect(paths.toSorted()).toEqual(["b.csv", "deep/er/a.csv"]);
  });

  test("links, sparse files, pipes and paths that escape are refused one by one, the others are taken", async () => {
    const at = join(folder, "odd");
    mkdirSync(at);
    writeFileSync(join(at, "1-file"), "x");
    symlinkSync("1-file", join(at, "2-link"));
    linkSync(join(at, "1-file"), join(at, "3-hard"));
    writeFileSync(join(at, "4-sparse"), "");
    truncateSync(join(at, "4-sparse"), 1_000_000);
    execFileSync("mkfifo", [join(at, "5-pipe")]);
    writeFileSync(join(at, "6-file"), "y");
    for (const format of ["gnu", "posix"]) {
      const names = ["1-file", "2-link", "3-hard", "4-sparse", "5-pipe", "6-file"];
      const tar = execFileSync("tar", ["-c", "-S", `--format=${format}`, "-C", at, ...names]);
      expect(told(await send(tar, asKey, `odd-${format}`)), format).toEqual([
        "1 created",
        "2 entry-refused",
        "3 entry-refused",
        "4 entry-refused",
        "5 entry-refused",
        "6 created",
        "end complete 2/4",
      ]);
    }
    const escaping = tarOf(
      { path: "../evil", bytes: "x" },
      { path: "/etc/passwd", bytes: "x" },
      { path: "fine", bytes: "x" },
    );
    expect(told(await send(escaping, asKey, "escape"))).toEqual(
      ["1 path-invalid", "2 path-invalid", "3 created", "end complete 1/2"].toSorted(
        (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
      ),
    );
  });

  test("large entries between small ones; empty ones; names that are not UTF-8", async () => {
    const large = randomBytes(1_000_000);
    const lines = await send(
      tarOf(
        { path: "small-1", bytes: "1" },
        { path: "large", bytes: large, records: { [PAX.sha256]: sha256(large) } },
        { path: Buffer.from([0x61, 0xff]), bytes: "" },
      ),
      asKey,
      "mixed",
    );
    expect(
      lines.flatMap((line) => ("status" in line ? [`${line.pathEncoded} ${line.size}`] : [])).toSorted(),
    ).toEqual(["a%FF 0", "large 1000000", "small-1 1"]);
  });
});

describe("history and idempotency", () => {
  test("A, B, A in one tar are three versions in this order; the same bytes again are unchanged", async () => {
    const before = await rig.entries();
    const lines = await send(
      tarOf(...["A", "B", "A", "A"].map((bytes) => ({ path: "p", bytes }))),
      asKey,
      "aba",
    );
    expect(told(lines)).toEqual(
      ["1 created", "2 created", "3 created", "4 unchanged", "end complete 4/0"].toSorted(
        (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
      ),
    );
    expect(await rig.entries()).toBe(before + 3);
    const ids = [1, 2, 3].map((entry) => lines.find((line) => "status" in line && line.entry === entry));
    const times = ids.map((line) => (line !== undefined && "status" in line ? line.receivedAt : ""));
    expect(times).toEqual(times.toSorted());
  });

  test("a captureId twice: with the same content the same receipt, with other content refused", async () => {
    const id = randomUUID();
    const lines = await send(
      tarOf(
        { path: "twice", bytes: "x", records: sealed("x", id) },
        { path: "twice", bytes: "x", records: sealed("x", id) },
        { path: "twice", bytes: "y", records: sealed("y", id) },
        { path: "other", bytes: "x", records: sealed("x", id) },
      ),
      asAgent,
    );
    expect(told(lines).slice(0, -1)).toEqual([
      "1 created",
      "2 created",
      "3 capture-conflict",
      "4 capture-conflict",
    ]);
    const receipts = new Set(lines.flatMap((line) => ("status" in line ? [line.receipt] : [])));
    expect(receipts.size).toBe(1);
  });

  test("an Idempotency-Key makes the bundle the same captures when it is sent again, in any order", async () => {
    const headers = { ...asKey, "idempotency-key": "nightly-1" };
    const files = [
      { path: "a", bytes: "1" },
      { path: "b", bytes: "2" },
    ];
    const receipts = async (of: readonly File[]): Promise<string[]> =>
      (await send(tarOf(...of), headers, "again"))
        .flatMap((line) => ("status" in line ? [line.receipt] : []))
        .toSorted();
    const first = await receipts(files);
    const before = await rig.entries();
    expect(await receipts(files.toReversed())).toEqual(first);
    expect(await rig.entries()).toBe(before);
  });
});

describe("refused", () => {
  test("a lying digest, an unnamed capture of an agent, an entry of another client or source; the others are taken", async () => {
    const lines = await send(
      tarOf(
        { path: "lie", bytes: "x", records: { ...sealed("x"), [PAX.sha256]: sha256("y") } },
        { path: "nameless", bytes: "x", records: { [PAX.sha256]: sha256("x") } },
        { path: "digestless", bytes: "x", records: { [PAX.captureId]: randomUUID() } },
        { path: "foreign", bytes: "x", records: { ...sealed("x"), [PAX.source]: "hr" } },
        { path: "stranger", bytes: "x", records: { ...sealed("x"), [PAX.client]: "other" } },
        { path: "fine", bytes: "x", records: sealed("x") },
      ),
      asAgent,
    );
    expect(told(lines).slice(0, -1)).toEqual([
      "1 digest-mismatch",
      "2 request-invalid",
      "3 digest-required",
      "4 source-not-allowed",
      "5 client-not-allowed",
      "6 created",
    ]);
  });

  test.for([
    ["in a content", (tar: Buffer) => tar.subarray(0, tar.length - 1024 - 600)],
    ["in a header", (tar: Buffer) => tar.subarray(0, 1024 + 512 + 512 + 100)],
    ["before its end", (tar: Buffer) => tar.subarray(0, tar.length - 1024)],
  ] as const)("a tar that is cut %s: what came before stays, and it says so", async ([where, cut]) => {
    const source = `cut-${where.replaceAll(" ", "-")}`;
    const whole = tarOf({ path: "first", bytes: "1" }, { path: "second", bytes: "x".repeat(1000) });
    const lines = await send(cut(whole), asKey, source);
    const end = lines.at(-1);
    expect(end).toMatchObject({ end: true, complete: false });
    expect(lines.at(-2)).toMatchObject({ entry: null, problem: { code: "bundle-invalid" } });
    expect(lines[0]).toMatchObject({ entry: 1, status: "created" });
  });

  test.for([
    ["no tar", Buffer.from("hello"), 400, "bundle-invalid"],
    ["nothing", Buffer.alloc(0), 400, "bundle-invalid"],
    ["gzip that is cut", gzipSync(randomBytes(3000)).subarray(0, 2000), 400, "bundle-invalid"],
    ["an unknown coding", Buffer.from("x"), 415, "content-encoding-refused"],
  ] as const)("%s is a problem like any other", async ([, body, status, code]) => {
    const headers = status === 415 ? { ...asKey, "content-encoding": "br" } : asKey;
    const answer = await rig.ask("POST", "/v1/bundles/pos", headers, body);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });

  test("a bomb by ratio, and one by its size; what came before stays", async () => {
    const bomb = tarOf({ path: "small", bytes: "1" }, { path: "bomb", bytes: Buffer.alloc(100 * 2 ** 20) });
    const lines = await send(gzipSync(bomb), asKey, "bomb");
    expect(lines[0]).toMatchObject({ entry: 1, status: "created" });
    expect(lines.at(-2)).toMatchObject({ entry: null, problem: { code: "bundle-inflated", status: 413 } });
    async function* plain(): AsyncGenerator<Buffer> {
      yield entryHead({ path: Buffer.from("big"), size: 300 * 2 ** 20, mtimeNs: 0n, records: [] });
      for (let i = 0; i < 300; i += 1) yield Buffer.alloc(2 ** 20, i);
      yield TRAILER;
    }
    const answer = await rig.ask("POST", "/v1/bundles/size", asKey, plain());
    expect(answer.body.toString()).toContain("bundle-inflated");
  });

  test("a gigabyte of headers is refused after one megabyte of them", async () => {
    const pax = Buffer.alloc(512);
    entryHead({ path: Buffer.from("x"), size: 0, mtimeNs: 0n, records: [["pad", "x".repeat(70_000)]] }).copy(
      pax,
      0,
      0,
      512,
    );
    let sent = 0;
    async function* headers(): AsyncGenerator<Buffer> {
      const one = entryHead({
        path: Buffer.from("x"),
        size: 0,
        mtimeNs: 0n,
        records: [["pad", "x".repeat(70_000)]],
      });
      for (let i = 0; i < 15_000; i += 1) {
        sent += one.length;
        yield one.subarray(0, one.length - 512);
      }
    }
    const answer = await rig
      .ask("POST", "/v1/bundles/headers", asKey, headers())
      .catch((error: unknown) => error);
    if (!(answer instanceof Error))
      expect((answer as { json: { code: string } }).json.code).toBe("bundle-invalid");
    expect(sent).toBeLessThan(100 * 2 ** 20);
    expect((await rig.ask("GET", "/healthz")).status).toBe(200);
  });

  test("who may not write here is told before the body", async () => {
    for (const [headers, path, code] of [
      [{}, "/v1/bundles/pos", "unauthenticated"],
      [asKey, "/v1/bundles/..", "source-invalid"],
      [{ ...asKey, "content-range": "bytes 1-2/3" }, "/v1/bundles/pos", "request-invalid"],
      [{ ...asKey, "idempotency-key": "x".repeat(100) }, "/v1/bundles/pos", "request-invalid"],
    ] as const)
      expect((await rig.ask("POST", path, headers, tarOf({ path: "a", bytes: "b" }))).json.code).toBe(code);
  });

  test("revoked in the middle: it ends with the reason, and what has a receipt stays", async () => {
    rig.gate.add("leaver", { kind: "key" });
    async function* body(): AsyncGenerator<Buffer> {
      yield entryOf({ path: "stays", bytes: "1" });
      const before = Date.now();
      while (rig.gate.watched("leaver") === 0 && Date.now() - before < 5000)
        await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setTimeout(resolve, 200));
      rig.gate.revoke("leaver");
      yield entryOf({ path: "too-late", bytes: "2" });
      yield TRAILER;
    }
    const answer = await rig.ask("POST", "/v1/bundles/leaving", { authorization: "Bearer leaver" }, body());
    const lines = linesOf(answer.body.toString());
    expect(lines[0]).toMatchObject({ status: "created", path: "stays" });
    expect(lines.at(-1)).toMatchObject({ end: true, complete: false });
    expect(JSON.stringify(lines.at(-2))).toContain("agent-revoked");
  });
});
