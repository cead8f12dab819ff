/** The sender behind a proxy that only knows CONNECT (RFC 9110, 9.3.6). */
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { issueServerCertificate, makeAuthority } from "../identity/certificate.ts";
import { allowedOf } from "./address.ts";
import { startEndpoint } from "./endpoint.place.ts";
import { createSender } from "./https.ts";
import { refusalOf } from "./lookup.ts";
import type { Outcome } from "./webhook.ts";

/** Leads every name to this port of loopback, or answers what it is told; `silent`: nothing at all. */
async function startProxy(port: number, answer: number | "silent" = 200) {
  const asked: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => void response.writeHead(405).end());
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  });
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    asked.push(request);
    if (answer === "silent") return void socket.resume().once("end", () => socket.end());
    if (answer !== 200) return void socket.end(`HTTP/1.1 ${answer} No\r\n\r\n`);
    const onward = connect(port, "127.0.0.1");
    sockets.add(onward);
    onward.on("error", () => socket.destroy()).once("close", () => sockets.delete(onward));
    socket.write("HTTP/1.1 200 Connected\r\n\r\n");
    onward.pipe(socket).pipe(onward);
  });
  await new Promise<void>((go) => server.listen(0, "127.0.0.1", go));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  return {
    asked,
    open: () => sockets.size,
    url: `http://us%65r:p%40ss@127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
}

async function setUp(answer: number | "silent" = 200, allow: readonly string[] = []) {
  const authority = await makeAuthority("Hooks authority", Date.now());
  const tls = await issueServerCertificate(authority, ["hooks.example.com", "127.0.0.1"], Date.now());
  const endpoint = await startEndpoint(tls);
  const proxy = await startProxy(endpoint.port, answer);
  const sender = createSender({
    ...{ allowed: allowedOf(allow), ca: authority.cert, proxy: proxy.url, connectMs: 500, answerMs: 700 },
    resolve: (_name, _options, found) => found(new Error("nobody looks names up behind a proxy"), []),
  });
  onTestFinished(() => sender.close());
  const send = async (url: string): Promise<Outcome> =>
    await sender.send({ url, headers: { "webhook-id": "1" }, body: '{"a":1}' }, new AbortController().signal);
  return { endpoint, proxy, send };
}

test("a webhook goes through the proxy, which sees its host and no more, and TLS is verified behind it", async () => {
  const { endpoint, proxy, send } = await setUp();
  expect(await send("https://hooks.example.com/arrivals")).toEqual({ kind: "delivered" });
  expect(endpoint.got[0]).toMatchObject({ body: '{"a":1}', headers: { host: "hooks.example.com" } });
  expect(endpoint.got[0]?.headers).not.toHaveProperty("proxy-authorization");
  expect(proxy.asked.map(({ url }) => url)).toEqual(["hooks.example.com:443"]);
  const basic = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
  expect(proxy.asked[0]?.headers).toMatchObject({ "proxy-authorization": basic });
  expect(await send("https://others.example.com/")).toMatchObject({
    kind: "failed",
    why: expect.stringMatching(/altnames/),
  });
});

test("what allow names goes directly", async () => {
  const { endpoint, proxy, send } = await setUp(200, ["127.0.0.0/8"]);
  expect(await send(endpoint.url)).toEqual({ kind: "delivered" });
  expect(proxy.asked).toEqual([]);
});

test.for<[string, string]>([
  ["https://10.0.0.1/", "private"],
  ["https://169.254.169.254/latest", "link-local"],
  ["https://[::ffff:127.0.0.1]/", "IPv4-mapped"],
  ["https://0x7f.1/", "loopback"],
  ["https://localhost/", "proxy's own host"],
  ["https://a.LOCALHOST./", "proxy's own host"],
  ["http://hooks.example.com/", "without TLS"],
])("the proxy is not asked for %s", async ([url, why]) => {
  const { proxy, send } = await setUp();
  expect(await send(url)).toMatchObject({ kind: "failed", why: expect.stringContaining(why) });
  expect(await refusalOf(new URL(url), allowedOf([]), true)).toContain(why);
  expect(proxy.asked).toEqual([]);
});

test("a name that only the proxy can look up can be added", async () => {
  const url = new URL("https://hooks.invalid/");
  expect(await refusalOf(url, allowedOf([]), true)).toBeUndefined();
  expect(await refusalOf(url, allowedOf([]), false)).toContain("cannot be resolved");
});

test("a proxy that refuses says so, one that never answers holds up nothing", async () => {
  const refusing = await setUp(403);
  expect(await refusing.send("https://hooks.example.com/")).toMatchObject({
    kind: "failed",
    why: expect.stringContaining("403"),
  });
  const { proxy, send } = await setUp("silent");
  const all = await Promise.all(Array.from({ length: 4 }, () => send("https://hooks.example.com/")));
  expect(all).toEqual(all.map(() => ({ kind: "failed", why: "no answer within 0.7 s" })));
  await expect.poll(proxy.open, { timeout: 8000 }).toBe(0);
});

test("the environment names no proxy", async () => {
  const authority = await makeAuthority("Hooks authority", Date.now());
  const endpoint = await startEndpoint(await issueServerCertificate(authority, ["127.0.0.1"], Date.now()));
  const { HTTPS_PROXY } = process.env;
  process.env.HTTPS_PROXY = "http://127.0.0.1:1";
  onTestFinished(() => {
    if (HTTPS_PROXY === undefined) delete process.env.HTTPS_PROXY;
    else process.env.HTTPS_PROXY = HTTPS_PROXY;
  });
  const sender = createSender({ allowed: allowedOf(["127.0.0.1"]), ca: authority.cert });
  onTestFinished(() => sender.close());
  const sent = sender.send({ url: endpoint.url, headers: {}, body: "{}" }, new AbortController().signal);
  expect(await sent).toEqual({ kind: "delivered" });
});
