/** The sender against endpoints that do everything that endpoints should not. */
import type { LookupAddress } from "node:dns";
import { createServer, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { issueServerCertificate, makeAuthority } from "../identity/certificate.ts";
import { allowedOf } from "./address.ts";
import { startEndpoint, status } from "./endpoint.place.ts";
import { createSender, type HttpsSettings } from "./https.ts";
import type { Resolve } from "./lookup.ts";
import type { Outcome } from "./webhook.ts";

function sender(more: Partial<HttpsSettings> = {}) {
  const made = createSender({ allowed: allowedOf(["127.0.0.1"]), connectMs: 500, answerMs: 700, ...more });
  onTestFinished(() => made.close());
  return async (url: string, signal = new AbortController().signal): Promise<Outcome> =>
    await made.send({ url, headers: { "webhook-id": "1" }, body: '{"a":1}' }, signal);
}

/** A resolver that gives these in turn, the last one for ever. */
function resolving(...answers: readonly (readonly string[])[]) {
  let asked = 0;
  const resolve: Resolve = (_name, _options, found) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] as readonly string[];
    asked += 1;
    found(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
  return { resolve, asked: () => asked };
}

describe("answers", () => {
  test.for<[number, string]>([
    [200, "delivered"],
    [204, "delivered"],
    [400, "failed"],
    [404, "failed"],
    [410, "gone"],
    [500, "failed"],
  ])("%d: %s", async ([code, kind]) => {
    const endpoint = await startEndpoint();
    endpoint.answer = status(code);
    expect(await sender()(endpoint.url)).toMatchObject({ kind });
    expect(endpoint.got[0]?.body).toBe('{"a":1}');
  });

  test.for([301, 302, 303, 307, 308])("%d is not followed, and says so", async (code) => {
    const [endpoint, elsewhere] = [await startEndpoint(), await startEndpoint()];
    endpoint.answer = status(code, { location: elsewhere.url });
    const outcome = await sender()(endpoint.url);
    expect(outcome).toMatchObject({
      kind: "failed",
      why: expect.stringContaining(`redirect to ${elsewhere.url}`),
    });
    expect(elsewhere.connections()).toBe(0);
  });

  test.for<[number, string, number | undefined]>([
    [429, "17", 17_000],
    [503, "Fri, 01 Jan 2100 00:00:00 GMT", expect.any(Number)],
    [503, "soon", undefined],
    [500, "17", undefined],
  ])("%d with Retry-After: %s", async ([code, text, retryAfter]) => {
    const endpoint = await startEndpoint();
    endpoint.answer = status(code, { "retry-after": text });
    const outcome = await sender()(endpoint.url);
    expect(outcome).toEqual({
      kind: "failed",
      why: `it answered ${code}`,
      ...(retryAfter && { retryAfter }),
    });
  });

  test("that never come, or come drop by drop, end in time", async () => {
    const endpoint = await startEndpoint();
    endpoint.answer = () => {};
    const hanging = { kind: "failed", why: "no answer within 0.7 s" };
    expect(await sender()(endpoint.url)).toEqual(hanging);
    endpoint.answer = (response) => {
      response.writeHead(500);
      const timer = setInterval(() => response.write("."), 20);
      response.once("close", () => clearInterval(timer));
    };
    const from = performance.now();
    expect(await sender()(endpoint.url)).toEqual({ kind: "failed", why: "it answered 500" });
    expect(performance.now() - from).toBeLessThan(2000);
    // Headers drop by drop.
    const server = createServer((socket: Socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const timer = setInterval(() => socket.write(`x-a: ${"a".repeat(9)}\r\n`), 20);
      socket.on("error", () => {}).once("close", () => clearInterval(timer));
    });
    await new Promise<void>((go) => server.listen(0, "127.0.0.1", go));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    expect(await sender()(`http://127.0.0.1:${port}/`)).toEqual(hanging);
  });

  test("that are huge are cut off, and count by their status", async () => {
    const endpoint = await startEndpoint();
    let sent = 0;
    endpoint.answer = (response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) sent += 64 * 1024;
      };
      response.on("drain", more);
      more();
    };
    expect(await sender()(endpoint.url)).toEqual({ kind: "delivered" });
    expect(sent).toBeLessThan(32 * 2 ** 20);
  });

  test("from nobody: a closed port, a peer that speaks no HTTP or hangs up", async () => {
    const server = createServer((socket) =>
      socket
        .on("error", () => {})
        .resume()
        .end("SSH-2.0-nobody\r\n"),
    );
    await new Promise<void>((go) => server.listen(0, "127.0.0.1", go));
    const { port } = server.address() as { port: number };
    expect(await sender()(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: "failed" });
    await new Promise((go) => server.close(go));
    const outcome = await sender()(`http://127.0.0.1:${port}/`);
    expect(outcome).toMatchObject({ kind: "failed", why: expect.stringContaining("ECONNREFUSED") });
  });

  test("are not waited for when we stop", async () => {
    const endpoint = await startEndpoint();
    endpoint.answer = () => {};
    const stop = new AbortController();
    const sent = sender({ answerMs: 60_000 })(endpoint.url, stop.signal);
    await expect.poll(() => endpoint.got).toHaveLength(1);
    stop.abort();
    expect(await sent).toEqual({ kind: "cut" });
  });
});

describe("addresses", () => {
  test.for([
    "http://127.0.0.1",
    "http://localhost",
    "http://2130706433",
    "http://0x7f.1",
    "http://[::ffff:127.0.0.1]",
    "http://127.1",
  ])("%s is loopback, however it is written, and not connected to", async (origin) => {
    const endpoint = await startEndpoint();
    const outcome = await sender({ allowed: allowedOf([]) })(`${origin}:${endpoint.port}/`);
    expect(outcome).toMatchObject({
      kind: "failed",
      why: expect.stringMatching(/(loopback|IPv4-mapped) address/),
    });
    expect(endpoint.connections()).toBe(0);
  });

  test("a name that resolves to a private address is not connected to; among several only open ones are", async () => {
    const endpoint = await startEndpoint();
    const url = `http://hooks.example.com:${endpoint.port}/`;
    const to = (...addresses: string[]) => sender({ resolve: resolving(addresses).resolve })(url);
    expect(await to("10.0.0.1")).toMatchObject({
      why: expect.stringContaining("10.0.0.1, which is a private address"),
    });
    expect(await to("169.254.169.254", "127.0.0.2")).toMatchObject({ kind: "failed" });
    expect(endpoint.connections()).toBe(0);
    expect(await to("10.0.0.1", "127.0.0.1")).toEqual({ kind: "delivered" });
  });

  test("a name that answers otherwise the next time is connected to where it was judged, and judged again", async () => {
    const [endpoint, inside] = [await startEndpoint(), await startEndpoint()];
    // What it says first is permitted, what it says then is not.
    const names = resolving(["127.0.0.1"], ["127.0.0.2"]);
    const send = sender({ resolve: names.resolve });
    endpoint.answer = status(204, { connection: "close" });
    const url = `http://rebinding.example.com:${endpoint.port}/`;
    expect(await send(url)).toEqual({ kind: "delivered" });
    expect(names.asked()).toBe(1);
    expect(await send(url)).toMatchObject({ kind: "failed", why: expect.stringContaining("127.0.0.2") });
    expect([endpoint.connections(), inside.connections()]).toEqual([1, 0]);
  });

  test("a name is asked for once at a time, though eight wait for it and none gets an answer", async () => {
    const pending: (() => void)[] = [];
    const resolve: Resolve = (_name, _options, found) =>
      void pending.push(() => found(null, [{ address: "127.0.0.1", family: 4 }]));
    const endpoint = await startEndpoint();
    const send = sender({ resolve, connectMs: 600, answerMs: 300 });
    const url = `http://silent.example.com:${endpoint.port}/`;
    const late = await Promise.all(Array.from({ length: 8 }, () => send(url)));
    expect(late).toEqual(late.map(() => ({ kind: "failed", why: "no answer within 0.3 s" })));
    expect(pending).toHaveLength(1);
    const next = send(url);
    for (const answer of pending.splice(0)) answer();
    expect(await next).toEqual({ kind: "delivered" });
    expect(endpoint.got).toHaveLength(1);
  });

  test("a name that does not resolve says so", async () => {
    const resolve: Resolve = (name, _options, found) => found(new Error(`getaddrinfo ENOTFOUND ${name}`), []);
    expect(await sender({ resolve })("https://nowhere.example.com/")).toMatchObject({
      why: expect.stringContaining("ENOTFOUND nowhere.example.com"),
    });
  });
});

test("TLS is verified, by the authorities of webhooks.ca too", async () => {
  const authority = await makeAuthority("Hooks authority", Date.now());
  const tls = await issueServerCertificate(authority, ["127.0.0.1"], Date.now());
  const endpoint = await startEndpoint(tls);
  expect(await sender()(endpoint.url)).toMatchObject({
    kind: "failed",
    why: expect.stringMatching(/certificate/),
  });
  expect(endpoint.got).toHaveLength(0);
  expect(await sender({ ca: authority.cert })(endpoint.url)).toEqual({ kind: "delivered" });
});
