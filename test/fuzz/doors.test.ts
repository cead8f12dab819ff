/**
 * Every door, fuzzed for TRIBUTARY_FUZZ_SECONDS each (10 by default): whatever is sent, the receiver answers with a
 * problem or hangs up, never with `internal`, never dies, and what it records is exactly what it acknowledged.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { percentDecode } from "@tributary/shared/path.ts";
import { bundleLine } from "@tributary/shared/protocol.ts";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Caller, caller } from "../site/caller.ts";
import type { Running } from "../site/process.ts";
import { makeSite, peakMemory, type Site } from "../site/site.ts";

const SECONDS = Number(process.env.TRIBUTARY_FUZZ_SECONDS ?? 10);
const box = {
  numRuns: 1_000_000,
  interruptAfterTimeLimit: SECONDS * 1000,
  markInterruptAsFailure: false,
} as const;
const timeout = SECONDS * 1000 + 60_000;

describe(`doors under ${SECONDS} s of rubbish each`, () => {
  let site: Site;
  let receiver: Running;
  let api: Caller;
  let acknowledged = 0;
  /** By bundles. */
  const created = new Set<string>();

  beforeAll(async () => {
    site = await makeSite({ receiver: { limits: { idle: "2s" } } });
    await site.command("client", "add", "demo");
    receiver = await site.serve();
    api = caller(site, await site.command("key", "add", "--client", "demo", "--scope", "write,read,remove"));
  });
  afterAll(async () => {
    await api?.close();
    await receiver?.stop();
    site?.remove();
  });

  const sane = (answer: { status: number; body: { code?: string } }): void => {
    if (receiver.exited()) throw new Error(`the receiver died:\n${receiver.stderr().slice(-3000)}`);
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(500);
    if (answer.status >= 400) expect(answer.body.code, JSON.stringify(answer)).toBeTypeOf("string");
  };

  /** Bytes on the wire, answered or hung up on. */
  const raw = async (bytes: Uint8Array): Promise<string> =>
    await new Promise((resolve) => {
      let text = "";
      const socket = connect({ port: site.port, host: "127.0.0.1", ca: readFileSync(site.ca) }, () => {
        socket.write(bytes);
        socket.end();
      });
      socket.on("data", (chunk) => (text += chunk.toString("latin1")));
      socket.on("error", () => {});
      socket.on("close", () => resolve(text));
      socket.setTimeout(8000, () => socket.destroy());
    });

  const token = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }).map((s) => encodeURIComponent(s.toWellFormed())),
    fc.constantFrom(
      "..",
      "%2e%2e",
      "%2E.",
      ".",
      "%2F",
      "%5C",
      "..%5c",
      "C:",
      "%00",
      "%",
      "%zz",
      "%C3",
      "a//b",
      "",
      "é",
      "%ED%A0%80",
      "x".repeat(5000),
      "con",
      "a;b",
      "a?b",
      "a#b",
    ),
  );

  test("PUT /v1/files: any path", { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(token, { maxLength: 6 }),
        fc.constantFrom("pos", "POS", "..", "a_b", "s"),
        fc.uint8Array({ maxLength: 50 }),
        async (segments, source, body) => {
          const path = segments.join("/");
          if (/[^\x21-\x7e]|[?#]/.test(path)) return;
          const answer = await api.put(source, path, Buffer.from(body));
          sane(answer);
          if (answer.status < 300) {
            if (answer.status === 201) acknowledged += 1;
            // What was acknowledged is the path that was asked for, byte for byte.
            expect(percentDecode(answer.body.pathEncoded as string).equals(percentDecode(path))).toBe(true);
          }
        },
      ),
      box,
    );
  });

  test("JSON doors: any JSON, and nearly valid bodies", { timeout }, async () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("../x", "", "a/b", -1, 1e300, null, "0".repeat(64), "a".repeat(20_000), 5 * 2 ** 60),
    );
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record(
          {
            source: fc.oneof(fc.constant("pos"), value),
            pathEncoded: value,
            size: value,
            sha256: fc.oneof(fc.constant("0".repeat(64)), value),
            captureId: fc.oneof(fc.uuid(), value),
            wants: fc.array(fc.oneof(fc.constant({ client: "demo", source: "pos" }), value), {
              maxLength: 3,
            }),
            releases: fc.array(fc.record({ client: value, source: value, term: value }), { maxLength: 3 }),
            extra: value,
          },
          { requiredKeys: [] },
        )
        .map((o) => JSON.stringify(o)),
    );
    const route = fc.constantFrom(
      ["POST", "/v1/uploads"],
      ["POST", "/v1/removals"],
      ["POST", "/v1/enroll"],
      ["POST", "/v1/heartbeat"],
      ["POST", "/v1/leases"],
      ["POST", "/v1/diagnostics"],
      ["POST", "/v1/diagnostics?command=01890a5d-ac96-774b-bcce-b302099a8057"],
      ["PUT", "/v1/uploads/x/parts/1"],
      ["POST", "/v1/uploads/x/complete"],
      ["DELETE", "/v1/uploads/x"],
    );
    await fc.assert(
      fc.asyncProperty(route, body, async ([method, path], text) => {
        const answer = await api.call(method as string, path as string, {
          body: text,
          headers: { "content-type": "application/json" },
        });
        sane(answer);
        expect(answer.body.status).not.toBe("created");
      }),
      box,
    );
  });

  test("bundles: tars of odd entries, cut, corrupted, packed, in pieces", { timeout }, async () => {
    const type = fc.oneof(
      { weight: 6, arbitrary: fc.constant("0") },
      fc.constantFrom(..."1234567xgLKSV\0".split("")),
    );
    const text = (most: number) =>
      fc.string({ unit: "binary", maxLength: most }).map((s) => s.toWellFormed());
    const record = fc.oneof(
      fc.tuple(
        fc.constantFrom(
          "path",
          "size",
          "mtime",
          "TRIBUTARY.sha256",
          "TRIBUTARY.captureId",
          "TRIBUTARY.source",
          "GNU.sparse.major",
        ),
        fc.oneof(
          text(30),
          fc.constantFrom("", "0", "7", "-1", "1e9", "../x", "pos", "0".repeat(64), "99999999999999999999"),
        ),
      ),
      fc.tuple(fc.constant("comment"), text(2000)),
    );
    const entry = fc
      .record({
        path: fc.oneof(
          token.map((t) => Buffer.from(t, "latin1")),
          fc.uint8Array({ maxLength: 120 }).map((b) => Buffer.from(b)),
        ),
        bytes: fc.oneof(
          fc.uint8Array({ maxLength: 1500 }).map((b) => Buffer.from(b)),
          fc.constant(Buffer.alloc(300_000)),
        ),
        records: fc.array(record, { maxLength: 3 }),
        type,
      })
      .map(({ path, bytes, records, type }) => {
        const head = entryHead({ path, size: bytes.length, mtimeNs: 5n, records });
        const own = head.subarray(-512);
        own.write(type, 156, "latin1");
        own.fill(" ", 148, 156);
        own.write(
          `${own
            .reduce((sum, byte) => sum + byte, 0)
            .toString(8)
            .padStart(6, "0")}\0 `,
          148,
          "latin1",
        );
        return Buffer.concat([head, bytes, Buffer.alloc(padding(bytes.length))]);
      });
    const harm = fc.oneof(
      { weight: 3, arbitrary: fc.constant((tar: Buffer) => tar) },
      fc.nat().map((n) => (tar: Buffer) => tar.subarray(0, n % (tar.length + 1))),
      fc.tuple(fc.nat(), fc.nat(255)).map(([n, byte]) => (tar: Buffer) => {
        const copy = Buffer.from(tar);
        copy[n % copy.length] = byte;
        return copy;
      }),
      fc.uint8Array({ maxLength: 600 }).map((more) => (tar: Buffer) => Buffer.concat([tar, more])),
    );
    const pack = fc.constantFrom<(tar: Buffer) => Buffer>((tar) => tar, gzipSync, zstdCompressSync);
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 12 }),
        ...([harm, pack, harm] as const),
        fc.integer({ min: 1, max: 40_000 }),
        fc.constantFrom(undefined, "gzip", "zstd", "identity", "br"),
        fc.boolean(),
        async (entries, before, packed, after, size, coding, keyed) => {
          const body = after(packed(before(Buffer.concat([...entries, TRAILER]))));
          const pieces = async function* (): AsyncGenerator<Uint8Array> {
            for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
          };
          const answer = await api.call("POST", "/v1/bundles/pos", {
            body: size < body.length ? pieces() : body,
            headers: {
              ...(coding === undefined ? {} : { "content-encoding": coding }),
              ...(keyed ? { "idempotency-key": randomBytes(8).toString("hex") } : {}),
            },
          });
          if (answer.status !== 200) {
            sane(answer);
            return;
          }
          const lines = String(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body))
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => bundleLine.parse(JSON.parse(line)));
          // Every answer ends with how it ended, and counts what it said.
          const end = lines.at(-1);
          if (end === undefined || !("end" in end)) throw new Error(`no end: ${answer.body}`);
          const receipts = lines.filter((line) => "receipt" in line);
          expect(receipts).toHaveLength(end.delivered);
          expect(lines.filter((line) => "problem" in line && line.entry !== null)).toHaveLength(end.refused);
          for (const line of lines)
            if ("problem" in line) sane({ status: line.problem.status, body: line.problem });
          for (const line of receipts) if (line.status === "created") created.add(line.versionId);
        },
      ),
      box,
    );
    expect(created.size).toBeGreaterThan(0);
  });

  test("queries: any parameter", { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          "/v1/versions",
          "/v1/events",
          "/v1/versions/x",
          "/v1/versions/x/content",
          "/v1/clients",
        ),
        fc.constantFrom(
          "cursor",
          "asOf",
          "client",
          "source",
          "path",
          "pathEncoded",
          "latest",
          "removals",
          "limit",
        ),
        token,
        async (route, name, text) => {
          sane(await api.call("GET", `${route}?${name}=${text.replaceAll(/[^\x21-\x7e]|[#]/g, "")}`));
        },
      ),
      box,
    );
  });

  test("headers: any value", { timeout }, async () => {
    const name = fc.constantFrom(
      "authorization",
      "idempotency-key",
      "repr-digest",
      "content-digest",
      "tributary-client",
      "tributary-modified-at",
      "tributary-sealed-at",
      "tributary-lease",
      "content-encoding",
      "range",
      "x-request-id",
      "content-length",
    );
    await fc.assert(
      fc.asyncProperty(
        name,
        fc.oneof(
          fc.string({ maxLength: 200 }),
          fc.constantFrom(
            "Bearer x.y.z",
            "sha-256=:AAAA:",
            "gzip",
            "bytes=5-1",
            "-1",
            "a, b",
            "x".repeat(14_000),
          ),
        ),
        async (header, text) => {
          const clean = text.replaceAll(/[^\x20-\x7e]/g, "");
          const lines = [
            `PUT /v1/files/pos/fuzzed HTTP/1.1`,
            "Host: x",
            "Connection: close",
            `${header}: ${clean}`,
            ...(header === "content-length" ? [] : ["Content-Length: 2"]),
            "",
            "hi",
          ];
          const answer = await raw(Buffer.from(lines.join("\r\n")));
          expect(answer).not.toMatch(/^HTTP\/1.1 5/);
          expect(answer).not.toMatch(/^HTTP\/1.1 2/);
          expect(receiver.exited()).toBe(false);
        },
      ),
      box,
    );
  });

  test("raw bytes on a TLS connection", { timeout }, async () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom(
          "GET / HTTP/1.1\r\n",
          "PUT /v1/files/pos/x HTTP/1.1\r\n",
          "Host: x\r\n",
          "Transfer-Encoding: chunked\r\n",
          "Content-Length: 5\r\n",
          "Content-Length: 99999999999999999999\r\n",
          "\r\n",
          "5\r\nhello\r\n",
          "0\r\n\r\n",
          "ffffffffffffffff\r\n",
          "Expect: 100-continue\r\n",
          "X: ".padEnd(20_000, "y"),
        ),
        fc.string({ unit: "binary", maxLength: 100 }),
      ),
      { maxLength: 10 },
    );
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const answer = await raw(Buffer.from(parts.join(""), "latin1"));
        expect(answer).not.toMatch(/HTTP\/1\.1 5\d\d /);
        expect(answer).not.toMatch(/"internal"/);
        expect(receiver.exited()).toBe(false);
      }),
      box,
    );
  });

  test("not even TLS", { timeout }, async () => {
    const { connect: plain } = await import("node:net");
    for (let i = 0; i < 50; i += 1) {
      await new Promise<void>((resolve) => {
        const socket = plain(site.port, "127.0.0.1", () => socket.end(randomBytes(200)));
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.resume();
      });
    }
    expect(receiver.exited()).toBe(false);
  });

  test("afterwards the ledger holds what was acknowledged and nothing else, and memory is bounded", async () => {
    const entries = await site.history("--client", "demo");
    expect(entries).toHaveLength(acknowledged + created.size);
    const known = new Set(entries.map(({ versionId }) => versionId));
    expect([...created].filter((versionId) => !known.has(versionId))).toEqual([]);
    await site.command("verify");
    expect(peakMemory(receiver.pid)).toBeLessThan(400 * 2 ** 20);
    expect((await api.put("pos", "still-alive", Buffer.from("x"))).status).toBe(201);
  });
});
