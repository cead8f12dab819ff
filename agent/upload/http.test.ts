import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer as createTcp, type Socket } from "node:net";
import { makeTestAuthority, type TestAuthority } from "@tributary/test/network/authority.ts";
import { type ConnectProxy, startConnectProxy } from "@tributary/test/network/connect-proxy.ts";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ReceiverClock } from "../identity/clock.ts";
import type { Trust } from "../identity/trust.ts";
import { FakeReceiver } from "./fake-receiver.ts";
import { HttpReceiver } from "./http.ts";

let authority: TestAuthority;
let next: TestAuthority;
let receiver: FakeReceiver;
let trust: Trust;
let proxy: string | undefined;
let url: string;
const key = generateKeyPairSync("ed25519");
const ending: (() => unknown)[] = [];

beforeAll(async () => {
  authority = await makeTestAuthority("Tributary test authority");
  next = await makeTestAuthority("The next authority");
});

beforeEach(async () => {
  receiver = await start(authority);
  trust = only(authority);
  proxy = undefined;
  url = receiver.url;
});

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

const only = (one: TestAuthority): Trust => ({
  authorities: [{ pem: one.cert, lastNamedAt: 0 }],
  systemNamedAt: null,
});

async function start(by: TestAuthority): Promise<FakeReceiver> {
  const one = await new FakeReceiver(await by.issue(["127.0.0.1"]), by.cert).start();
  one.agentKey = key.publicKey;
  ending.push(() => one.stop());
  return one;
}

function client(
  options: { env?: Record<string, string>; silenceMs?: number; clock?: ReceiverClock } = {},
): HttpReceiver {
  const http = new HttpReceiver({
    bearing: () => ({
      agentId: receiver.agentId,
      site: receiver.site,
      url,
      key: key.privateKey,
      trust,
      proxy,
      ca: undefined,
    }),
    clock: options.clock ?? new ReceiverClock(),
    connections: 4,
    env: options.env ?? {},
    ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
  });
  ending.push(() => http.close());
  return http;
}

const beat = (http: HttpReceiver) => http.call({ method: "POST", path: "/v1/heartbeat", body: "{}" });

test("a token for each method and path, over kept lines", async () => {
  const http = client();
  for (let i = 0; i < 5; i += 1) expect((await beat(http)).status).toBe(200);
  expect(receiver.beats).toHaveLength(5);
});

test("a host clock wrong by a day: one refusal, then the receiver's time", async () => {
  receiver.clockAheadMs = 86_400_000;
  const clock = new ReceiverClock();
  const http = client({ clock });
  await beat(http);
  await beat(http);
  expect(receiver.requests).toHaveLength(3);
  expect(Math.abs(clock.skewMs() - 86_400_000)).toBeLessThan(2_000);
});

test("a certificate of a stranger is refused, the issuer named, nothing sent", async () => {
  trust = only(next);
  await expect(beat(client())).rejects.toMatchObject({
    code: "receiver-untrusted",
    message: expect.stringContaining("CN=Tributary test authority"),
  });
  expect(receiver.requests).toEqual([]);
});

test("a new trust counts without a restart", async () => {
  const http = client();
  await beat(http);
  const moved = await start(next);
  url = moved.url;
  await expect(beat(http)).rejects.toMatchObject({ code: "receiver-untrusted" });
  trust = { ...trust, authorities: [...trust.authorities, ...only(next).authorities] };
  await expect(beat(http)).rejects.toMatchObject({ code: "unauthenticated" });
  expect(moved.requests).toHaveLength(1);
});

test("a problem comes with its name and its Retry-After", async () => {
  receiver.intercept = (request, response) => {
    request.resume();
    response.writeHead(429, { "retry-after": "17" }).end('{"code":"quota-day","detail":"full"}');
    return true;
  };
  await expect(beat(client())).rejects.toMatchObject({ code: "quota-day", retryAfter: 17 });
});

test("a kept line that the receiver closed meanwhile costs nothing", async () => {
  let cut = 0;
  receiver.intercept = (request) => {
    cut += 1;
    if (cut !== 2) return false;
    request.socket.destroy();
    return true;
  };
  const http = client();
  await beat(http);
  await beat(http);
  expect(receiver.beats).toHaveLength(2);
});

test("a receiver that takes the request and says nothing more counts as lost", async () => {
  receiver.intercept = () => true;
  await expect(beat(client({ silenceMs: 1_000 }))).rejects.toMatchObject({ code: "receiver-unreachable" });
});

test("a line that goes dead in the middle of a body is noticed", async () => {
  const sockets: Socket[] = [];
  let passed = 0;
  const relay = createTcp((socket) => {
    const onward = connect(receiver.port, "127.0.0.1");
    sockets.push(socket, onward);
    onward.pipe(socket);
    for (const one of [socket, onward]) one.on("error", () => {});
    socket.on("data", (data: Buffer) => {
      passed += data.length;
      // Half-open: nothing is read, nothing is closed.
      if (passed > 100_000) socket.pause();
      else onward.write(data);
    });
  }).listen(0, "127.0.0.1");
  await once(relay, "listening");
  ending.push(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  url = `https://127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const endless = async function* () {
    for (let i = 0; i < 1000; i += 1) yield Buffer.alloc(100_000);
  };
  const call = client({ silenceMs: 1_000 }).call({
    method: "PUT",
    path: "/v1/files/pos/a",
    headers: { "content-length": "100000000" },
    body: endless,
  });
  await expect(call).rejects.toMatchObject({ code: "receiver-unreachable" });
});

async function startProxy(wanted?: string): Promise<ConnectProxy> {
  const proxy = await startConnectProxy(wanted);
  ending.push(proxy.stop);
  return proxy;
}

test("through the proxy of the environment, unless NO_PROXY names the receiver", async () => {
  const { targets, port } = await startProxy();
  const HTTPS_PROXY = `http://127.0.0.1:${port}`;
  await beat(client({ env: { HTTPS_PROXY } }));
  expect(targets).toEqual([`127.0.0.1:${receiver.port}`]);
  await beat(client({ env: { HTTPS_PROXY, no_proxy: "localhost,127.0.0.1" } }));
  expect(targets).toHaveLength(1);
  expect(receiver.beats).toHaveLength(2);
});

test("through the proxy of the configuration, with a password", async () => {
  const { targets, port } = await startProxy(`Basic ${Buffer.from("till:p@ss").toString("base64")}`);
  proxy = `http://till:p%40ss@127.0.0.1:${port}`;
  await beat(client({ env: { NO_PROXY: "*" } }));
  expect(targets).toHaveLength(1);
  proxy = `http://till:wrong@127.0.0.1:${port}`;
  await expect(beat(client())).rejects.toMatchObject({
    code: "receiver-unreachable",
    message: expect.stringMatching(/through the proxy 127\.0\.0\.1.*407/),
  });
});

test("a proxy that is not there is named", async () => {
  const { stop, port } = await startProxy();
  stop();
  proxy = `http://127.0.0.1:${port}`;
  await expect(beat(client())).rejects.toMatchObject({
    code: "receiver-unreachable",
    message: expect.stringContaining(`through the proxy 127.0.0.1:${port}`),
  });
});
