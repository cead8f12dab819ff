import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { formatDigest } from "@tributary/shared/digest.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { setQuotas } from "./ledger/clients.ts";
import { type Rig, startRig } from "./rig.ts";

let rig: Rig;
let hold: Promise<void> | undefined;
beforeEach(async () => {
  hold = undefined;
  rig = await startRig({
    settings: { limits: { idle: "400ms", minRate: "1KB/s", concurrent: 2 }, stopWithin: "1s" },
    wrap: (lake) => ({
      ...lake,
      async publish(staged, key, metadata) {
        await hold;
        await lake.publish(staged, key, metadata);
      },
    }),
  });
});
afterEach(() => rig.stop());

/** A connection on which we write what we like; `text` is all that came back. */
async function dial(): Promise<{ socket: TLSSocket; text: () => string; closed: () => boolean }> {
  const { hostname, port } = new URL(rig.receiver.url);
  const socket = connect({ host: hostname, port: Number(port), ca: rig.ca });
  let text = "";
  let closed = false;
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("close", () => {
    closed = true;
  });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  return { socket, text: () => text, closed: () => closed };
}
const head = (line: string, headers: Record<string, string> = {}, name = "key"): string =>
  `${line} HTTP/1.1\r\n${Object.entries({ Host: "localhost", Authorization: `Bearer ${name}`, ...headers })
    .map(([key, value]) => `${key}: ${value}\r\n`)
    .join("")}\r\n`;
const nothing = async (): Promise<void> => {
  expect([await rig.entries(), rig.lake.objects.size]).toEqual([0, 0]);
  await expect.poll(() => rig.lake.staged()).toBe(0);
};

describe("bodies that are not what they say", () => {
  test("a connection that ends before the body does records nothing", async () => {
    for (const headers of [{ "Content-Length": "10" }, { "Transfer-Encoding": "chunked" }] as Record<
      string,
      string
    >[]) {
      const { socket, closed } = await dial();
      socket.write(
        `${head("PUT /v1/files/pos/x", headers)}${headers["Content-Length"] ? "half" : "4\r\nhalf\r\n"}`,
      );
      socket.end();
      await expect.poll(closed).toBe(true);
    }
    await nothing();
  });

  test("a body longer than its length is refused, and is no second request", async () => {
    const { socket, text } = await dial();
    socket.write(`${head("PUT /v1/files/pos/x", { "Content-Length": "4" })}four and more`);
    await expect.poll(text).toMatch(/^HTTP\/1.1 400 [\s\S]*length-mismatch/);
    socket.destroy();
    await nothing();
  });

  test("who ends its side of the connection inside the body is told so; a broken chunk is no HTTP", async () => {
    for (const [headers, body, code] of [
      [{ "Content-Length": "10" }, "half", "length-mismatch"],
      [{ "Transfer-Encoding": "chunked" }, "4\r\nhalf\r\n", "length-mismatch"],
      [{ "Transfer-Encoding": "chunked" }, "no length\r\nhalf\r\n", "request-invalid"],
    ] as const) {
      const { socket, text } = await dial();
      socket.end(`${head("PUT /v1/files/pos/x", headers)}${body}`);
      await expect.poll(text).toMatch(new RegExp(`^HTTP/1.1 400 [\\s\\S]*${code}`));
    }
    await nothing();
  });

  test("contradicting lengths are refused", async () => {
    const { socket, text } = await dial();
    socket.write(
      `PUT /v1/files/pos/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer key\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n`,
    );
    await expect.poll(text).toMatch(/^HTTP\/1.1 400 [\s\S]*request-invalid/);
    await nothing();
  });

  test("a transfer coding that nobody takes off is refused, not stored", async () => {
    for (const coding of ["gzip, chunked", "x-other, chunked", "chunked, chunked"]) {
      const { socket, text } = await dial();
      socket.write(`${head("PUT /v1/files/pos/x", { "Transfer-Encoding": coding })}4\r\nhalf\r\n0\r\n\r\n`);
      await expect.poll(text, { message: coding }).toMatch(/^HTTP\/1.1 400 [\s\S]*request-invalid/);
      socket.destroy();
    }
    await nothing();
  });

  test("a sender that falls silent, and one that drips for ever, are told so and cut", async () => {
    const silent = await dial();
    silent.socket.write(`${head("PUT /v1/files/pos/x", { "Content-Length": "1000000" })}some`);
    await expect.poll(silent.text, { timeout: 5000 }).toMatch(/^HTTP\/1.1 408 [\s\S]*body-too-slow/);
    await expect.poll(silent.closed, { timeout: 5000 }).toBe(true);
    await nothing();
  });
});

describe("refused before the body", () => {
  test("100-continue is said only to those whose file will be taken", async () => {
    const expects = { "Content-Length": "4", Expect: "100-continue" };
    const welcome = await dial();
    welcome.socket.write(head("PUT /v1/files/pos/x", expects));
    await expect.poll(welcome.text).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    welcome.socket.write("four");
    await expect.poll(welcome.text).toMatch(/201 Created/);
    for (const [line, name, status] of [
      ["PUT /v1/files/pos/../x", "key", 422],
      ["PUT /v1/files/pos/x", "nobody", 401],
      ["PUT /v1/files/pos/x", "agent", 400],
    ] as const) {
      const refused = await dial();
      refused.socket.write(head(line, expects, name));
      await expect.poll(refused.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(refused.text()).toMatch(/connection: close/i);
      expect(refused.text()).not.toMatch(/100 Continue/);
      refused.socket.destroy();
    }
    expect(await rig.entries()).toBe(1);
  });

  test("an older HTTP hears no interim answer, and what else is expected is passed over", async () => {
    const older = await dial();
    const expects = { "Content-Length": "4", Expect: "100-continue" };
    older.socket.write(head("PUT /v1/files/pos/older", expects).replace("HTTP/1.1", "HTTP/1.0"));
    older.socket.write("four");
    await expect.poll(older.text).toMatch(/^HTTP\/1.1 201 /);
    const other = await dial();
    other.socket.write(`${head("PUT /v1/files/pos/other", { ...expects, Expect: "wonders" })}four`);
    await expect.poll(other.text).toMatch(/^HTTP\/1.1 201 /);
    for (const { socket } of [older, other]) socket.destroy();
  });

  test("a file that is larger than agreed: before its body, and not to come again within the hour", async () => {
    await setQuotas(rig.database.db, "acme", { file: 3 });
    const expects = { "Content-Length": "4", Expect: "100-continue" };
    const tooLarge = await dial();
    tooLarge.socket.write(head("PUT /v1/files/pos/x", expects));
    await expect.poll(tooLarge.text).toMatch(/^HTTP\/1.1 413 [\s\S]*quota-file/);
    expect(tooLarge.text()).toMatch(/retry-after: 3600/i);
    tooLarge.socket.destroy();
    const request = { source: "pos", pathEncoded: "x", size: 4, sha256: "0".repeat(64), captureId: uuidv7() };
    const upload = await rig.ask(
      "POST",
      "/v1/uploads",
      { authorization: "Bearer key", "content-type": "application/json" },
      JSON.stringify(request),
    );
    expect([upload.status, upload.json["code"], upload.headers["retry-after"]]).toEqual([
      413,
      "quota-file",
      "3600",
    ]);
    await nothing();
  });

  test("a sender of gigabytes sees the answer, and is not read to the end", async () => {
    const { socket, text, closed } = await dial();
    socket.write(head("PUT /v1/files/pos/..", { "Content-Length": String(2 ** 33) }));
    let sent = 0;
    const chunk = Buffer.alloc(2 ** 20);
    const pump = (): void => {
      while (!socket.destroyed && sent < 2 ** 30) {
        sent += chunk.length;
        if (!socket.write(chunk)) return void socket.once("drain", pump);
      }
    };
    pump();
    await expect.poll(text, { timeout: 5000 }).toMatch(/^HTTP\/1.1 422 [\s\S]*path-invalid/);
    await expect.poll(closed, { timeout: 5000 }).toBe(true);
    expect(sent).toBeLessThan(2 ** 27);
  });

  test("headers that are too large, and what is not HTTP", async () => {
    const large = await dial();
    large.socket.write(head("GET /healthz", { "X-Much": "x".repeat(65_536) }));
    await expect.poll(large.text).toMatch(/^HTTP\/1.1 431 [\s\S]*headers-too-large/);
    const garbage = await dial();
    garbage.socket.write("\u0016\u0003 hello\r\n\r\n");
    await expect
      .poll(garbage.text)
      .toMatch(/^HTTP\/1.1 400 [\s\S]*application\/problem\+json[\s\S]*request-invalid/);
    const star = await dial();
    star.socket.write(head("OPTIONS *"));
    await expect.poll(star.text).toMatch(/^HTTP\/1.1 400 /);
    const absolute = await dial();
    absolute.socket.write(head("GET https://elsewhere/healthz"));
    await expect.poll(absolute.text).toMatch(/^HTTP\/1.1 200 /);
    const hostless = await dial();
    hostless.socket.write("GET /healthz HTTP/1.1\r\n\r\n");
    await expect.poll(hostless.text).toMatch(/^HTTP\/1.1 400 [\s\S]*request-invalid[\s\S]*no Host/);
    for (const { socket } of [large, garbage, star, absolute, hostless]) socket.destroy();
  });

  test("raw bytes in the request line are the name's bytes", async () => {
    const { socket, text } = await dial();
    socket.write(
      Buffer.concat([
        Buffer.from("PUT /v1/files/pos/caf"),
        Buffer.from([0xe9]),
        Buffer.from(head("", { "Content-Length": "1" }).slice(0)),
        Buffer.from("x"),
      ]),
    );
    await expect.poll(text).toMatch(/^HTTP\/1.1 (201 [\s\S]*"pathEncoded":"caf%E9"|400 )/);
    socket.destroy();
  });
});

test("more files at once than there are places are told to come again", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  hold = promise;
  const put = async (path: string) =>
    await rig.ask("PUT", `/v1/files/pos/${path}`, { authorization: "Bearer key" }, path);
  const [one, two] = [put("one"), put("two")];
  await expect.poll(() => rig.lake.staged()).toBe(2);
  const third = await put("three");
  expect([third.status, third.json["code"], third.headers["retry-after"]]).toEqual([503, "busy", "1"]);
  resolve();
  expect([(await one).status, (await two).status]).toEqual([201, 201]);
});

test("revocation cuts an upload that is under way", async () => {
  const { socket, text, closed } = await dial();
  socket.write(`${head("PUT /v1/files/pos/x", { "Content-Length": "1000000" })}some`);
  const drip = setInterval(() => socket.write("x".repeat(1000)), 50);
  await expect.poll(() => rig.gate.watched("key")).toBe(1);
  rig.gate.revoke("key");
  await expect.poll(text).toMatch(/^HTTP\/1.1 403 [\s\S]*agent-revoked/);
  await expect.poll(closed, { timeout: 5000 }).toBe(true);
  clearInterval(drip);
  await nothing();
});

test("a revocation after the last byte, while the lake takes it, records nothing and leaves nothing", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  hold = promise;
  const put = rig.ask("PUT", "/v1/files/pos/x", { authorization: "Bearer key" }, "whole");
  await expect.poll(() => rig.lake.staged()).toBe(1);
  rig.gate.revoke("key");
  resolve();
  const answer = await put;
  expect([answer.status, answer.json["code"]]).toEqual([403, "agent-revoked"]);
  await nothing();
});

test("stopping: not ready, nothing new, what has begun is finished, what hangs is cut", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  hold = promise;
  const begun = rig.ask("PUT", "/v1/files/pos/begun", { authorization: "Bearer key" }, "begun");
  const kept = await dial();
  kept.socket.write(head("GET /readyz"));
  await expect.poll(kept.text).toMatch(/200 OK/);
  const hangs = await dial();
  hangs.socket.write(`${head("PUT /v1/files/pos/hangs", { "Content-Length": "9" })}some`);
  await expect.poll(() => rig.gate.watched("key")).toBe(2);
  const later = await dial();
  later.socket.write("PUT /v1/files/pos/later HTTP/1.1\r\n");
  const stopped = rig.receiver.stop();
  later.socket.write("Host: x\r\nContent-Length: 1\r\nAuthorization: Bearer key\r\n\r\nx");
  await expect.poll(later.text).toMatch(/^HTTP\/1.1 503 [\s\S]*stopping/);
  expect(later.text()).toMatch(/connection: close/i);
  resolve();
  expect((await begun).status).toBe(201);
  await stopped;
  await expect.poll(hangs.closed).toBe(true);
  expect(await rig.entries()).toBe(1);
});

test("stopping waits no longer than it may for a sweep that hangs", async () => {
  let started = false;
  let hangs = false;
  const other = await startRig({
    settings: { stopWithin: "1s", sweep: { every: "1s" } },
    wrap: (lake) => ({
      ...lake,
      list: (prefix) =>
        started
          ? {
              [Symbol.asyncIterator]: () => ({
                next: async () => {
                  hangs = true;
                  return await new Promise<never>(() => {});
                },
              }),
            }
          : lake.list(prefix),
    }),
  });
  started = true;
  await expect.poll(() => hangs, { timeout: 10_000 }).toBe(true);
  const from = performance.now();
  await other.stop();
  expect(performance.now() - from).toBeLessThan(6000);
});

test("what is no HTTP behind a request that is being answered cuts the connection, and is no piece of the answer", async () => {
  rig.gate.add("reads", { kind: "key", acts: new Set(["read"]) });
  const { socket, text, closed } = await dial();
  socket.write(head("GET /v1/events", { Accept: "text/event-stream" }, "reads"));
  await expect.poll(text).toMatch(/: tributary/);
  socket.write("\u0016\u0003 hello\r\n\r\n");
  await expect.poll(closed).toBe(true);
  expect(text()).not.toMatch(/HTTP\/1.1 400/);
});

test("however many ask whether it is ready, lake and ledger are asked once a second", async () => {
  let asked = 0;
  let fails = false;
  const other = await startRig({
    wrap: (lake) => ({
      ...lake,
      check: async () => {
        asked += 1;
        if (fails) throw new Error("the bucket is gone");
      },
    }),
  });
  try {
    const ready = async () => (await other.ask("GET", "/readyz")).status;
    const answers = await Promise.all(Array.from({ length: 40 }, ready));
    expect(new Set(answers)).toEqual(new Set([200]));
    expect(asked).toBeLessThan(5);
    fails = true;
    await expect.poll(ready, { timeout: 5000 }).toBe(503);
    fails = false;
    await expect.poll(ready, { timeout: 5000 }).toBe(200);
  } finally {
    await other.stop();
  }
});

test("health, metrics and keys", async () => {
  const { status, json } = await rig.ask("GET", "/healthz");
  expect([status, json]).toEqual([200, { status: "alive" }]);
  expect((await rig.ask("GET", "/readyz")).json).toEqual({ status: "ready" });
  await rig.ask("PUT", "/v1/files/pos/x", { authorization: "Bearer key" }, "four");
  const metrics = (await rig.ask("GET", "/metrics")).body.toString();
  expect(metrics).toContain('tributary_deliveries_total{channel="api",status="created"} 1');
  expect(metrics).toContain('tributary_delivered_bytes_total{channel="api"} 4');
  expect((await rig.ask("GET", "/metrics", { "x-forwarded-for": "203.0.113.9" })).status).toBe(404);
  expect((await rig.ask("GET", "/.well-known/jwks.json")).json).toEqual(rig.keys.jwks());
  const given = await rig.ask("GET", "/nowhere", { "x-request-id": "mine-1" });
  expect([given.headers["x-request-id"], given.json["requestId"]]).toEqual(["mine-1", "mine-1"]);
  expect((await rig.ask("GET", "/nowhere", { "x-request-id": "not sane" })).json["requestId"]).not.toBe(
    "not sane",
  );
});

const curl = ["/usr/bin/curl", "/usr/local/bin/curl"].find((file) => existsSync(file));
test.skipIf(!curl && !process.env["CI"])("curl -T, from a file and from a pipe (needs curl)", async () => {
  const bytes = randomBytes(3 * 2 ** 20 + 17);
  const [file, ca] = [join(rig.folder, "file.bin"), join(rig.folder, "ca.pem")];
  writeFileSync(file, bytes);
  writeFileSync(ca, rig.ca);
  const common = ["-sS", "--cacert", ca, "-H", "Authorization: Bearer key"];
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { stdout } = await promisify(execFile)(curl as string, [
    ...common,
    "-H",
    `Repr-Digest: ${formatDigest(sha256)}`,
    "-T",
    file,
    `${rig.receiver.url}/v1/files/pos/`,
  ]);
  expect(JSON.parse(stdout)).toMatchObject({ path: "file.bin", sha256 });
  const piped = spawn(curl as string, [...common, "-T", "-", `${rig.receiver.url}/v1/files/pos/piped`]);
  let out = "";
  piped.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  piped.stdin.end(bytes);
  await new Promise((resolve) => piped.on("close", resolve));
  expect(JSON.parse(out)).toMatchObject({ status: "created", path: "piped", size: bytes.length, sha256 });
});
