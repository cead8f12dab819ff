import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ClamdOptions, clamd } from "./clamd.ts";
import { EICAR, type FakeClamd, fakeClamd } from "./fake-clamd.ts";

const MiB = 2 ** 20;

async function* chunked(bytes: Buffer, size = 100_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe.for(["a port", "a Unix socket"])("clamd behind %s", (kind) => {
  let folder: string;
  let fake: FakeClamd;
  const open = (more: Partial<ClamdOptions> = {}) =>
    clamd({ address: fake.address, largest: 64 * MiB, sessions: 2, withinMs: 10_000, ...more });
  const inspect = (bytes: Buffer | string, more: Partial<ClamdOptions> = {}) => {
    const content = Buffer.from(bytes);
    return open(more).inspect(chunked(content), content.length);
  };
  const refused = (message: RegExp) => ({
    code: "inspection-unavailable",
    status: 503,
    retryAfter: 10,
    message: expect.stringMatching(message),
  });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "tributary-clamd-"));
    fake = await fakeClamd(kind === "a port" ? undefined : join(folder, "ctl"));
  });
  afterEach(async () => {
    await fake.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test.for([0, 1, 256 * 1024, 3 * MiB + 1])("%d clean bytes arrive as they are", async (size) => {
    const bytes = randomBytes(size);
    expect(await inspect(bytes)).toEqual({ kind: "clean" });
    expect(fake.seen).toHaveLength(1);
    expect(fake.seen[0]?.equals(bytes)).toBe(true);
  });

  test("a finding is told by its name", async () => {
    expect(await inspect(EICAR)).toEqual({ kind: "found", finding: "Eicar-Test-Signature" });
    fake.manner = { answer: "stream: Odd\n\u001b[31mname FOUND" };
    expect(await inspect("x")).toEqual({ kind: "found", finding: "Odd [31mname" });
  });

  test("a file that is larger than what it takes is not sent; one that it refuses in the middle is as large", async () => {
    expect(await inspect(randomBytes(11), { largest: 10 })).toEqual({ kind: "larger" });
    expect(fake.lines.count).toBe(0);
    fake.streamMax = MiB;
    let read = 0;
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (; read < 10_000; read += 1) yield randomBytes(MiB);
    };
    expect(await open().inspect(endless(), 8 * MiB)).toEqual({ kind: "larger" });
    expect(read).toBeLessThan(10_000);
  });

  test("one whose refusal is lost behind what was still written is as large, and those who wait go on", async () => {
    fake.streamMax = MiB;
    fake.loses = true;
    const inspector = open({ sessions: 1 });
    const large = inspector.inspect(chunked(randomBytes(8 * MiB)), 8 * MiB);
    const behind = inspector.inspect(chunked(Buffer.from(EICAR)), EICAR.length);
    expect(await large).toEqual({ kind: "larger" });
    expect(await behind).toMatchObject({ kind: "found" });
  });

  test("clean before it had the whole file is no verdict", async () => {
    fake.manner = "early";
    await expect(inspect(randomBytes(30 * MiB))).rejects.toMatchObject(
      refused(/answered: stream: OK, before it had the whole file|failed|hung up/),
    );
  });

  test("who it is", async () => {
    expect(await open().check()).toMatch(/^ClamAV 0\.0\.0\/1\/fake at /);
  });

  test("away, and there again: the next file is inspected", async () => {
    const inspector = open();
    await fake.stop();
    for (const call of [inspector.check(), inspector.inspect(chunked(Buffer.from("x")), 1)])
      await expect(call).rejects.toMatchObject(refused(/failed: .*; until it answers, files wait/));
    await fake.start();
    expect(await inspector.inspect(chunked(Buffer.from("x")), 1)).toEqual({ kind: "clean" });
  });

  test("it hangs up in the middle of a file", async () => {
    fake.manner = "hang up";
    await expect(inspect(randomBytes(20 * MiB))).rejects.toMatchObject(refused(/hung up|failed/));
  });

  test("it hangs: those who wait behind are told too, all within the time there is", async () => {
    fake.manner = "hang";
    const inspector = open({ withinMs: 300 });
    const from = performance.now();
    const all = await Promise.allSettled(
      Array.from({ length: 9 }, () => inspector.inspect(chunked(Buffer.from("x")), 1)),
    );
    expect(performance.now() - from).toBeLessThan(3000);
    for (const one of all)
      expect(one).toMatchObject({ status: "rejected", reason: refused(/gave no verdict within 0.3 s/) });
    await expect.poll(() => fake.lines.open).toBe(0);
    fake.manner = "scan";
    expect(await inspector.inspect(chunked(Buffer.from("x")), 1)).toEqual({ kind: "clean" });
  });

  test.for(["stream: Can't allocate memory ERROR", "stream: FOUND it?", "Command read timed out. ERROR", ""])(
    "the answer %j is no verdict",
    async (answer) => {
      fake.manner = { answer };
      await expect(inspect("x")).rejects.toMatchObject(refused(/answered: /));
    },
  );

  test("never more at once than agreed, and all get their turn", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.gate = promise;
    const inspector = open({ sessions: 3 });
    const all = Array.from({ length: 20 }, (_, i) =>
      inspector.inspect(chunked(Buffer.from(i === 7 ? EICAR : `file ${i}`)), 10),
    );
    await expect.poll(() => fake.scans.open).toBe(3);
    resolve();
    expect((await Promise.all(all)).map(({ kind }) => kind)).toEqual(
      all.map((_, i) => (i === 7 ? "found" : "clean")),
    );
    expect(fake.scans.most).toBe(3);
  });

  test("bytes that cannot be read are their own failure, and end the line", async () => {
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield randomBytes(MiB);
      throw new Error("the disk is away");
    };
    await expect(open().inspect(broken(), 2 * MiB)).rejects.toThrow("the disk is away");
    await expect.poll(() => fake.lines.open).toBe(0);
  });
});

test("an answer at great length is none", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    const more = (): void =>
      void (socket.write("x".repeat(10_000)) ? setImmediate(more) : socket.once("drain", more));
    more();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const inspector = clamd({
    address: { host: "127.0.0.1", port },
    largest: 100,
    sessions: 1,
    withinMs: 10_000,
  });
  await expect(inspector.inspect(chunked(Buffer.from("x")), 1)).rejects.toThrow("at great length");
  server.close();
});
