import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Faults, startProxy, type TcpProxy } from "./proxy.ts";

/** Echoes everything; remembers its connections and how they ended. */
let target: Server;
let proxy: TcpProxy;
const seen: { socket: Socket; received: number; end?: "fin" | "reset" }[] = [];

beforeEach(async () => {
  seen.length = 0;
  target = createServer((socket) => {
    const one: (typeof seen)[number] = { socket, received: 0 };
    seen.push(one);
    socket.on("data", (data) => {
      one.received += data.length;
      socket.write(data);
    });
    socket.on("end", () => {
      one.end ??= "fin";
    });
    socket.on("error", () => {
      one.end ??= "reset";
    });
  }).listen(0, "127.0.0.1");
  await once(target, "listening");
  const { port } = target.address() as AddressInfo;
  proxy = await startProxy({ target: { host: "127.0.0.1", port } });
});

afterEach(async () => {
  await proxy.stop();
  for (const { socket } of seen) socket.destroy();
  target.close();
});

/** A client that sends `bytes` and waits until it has `expected` of them back, or the connection ends. */
async function talk(bytes: number, expected = bytes, faults: Faults = {}) {
  proxy.set(faults);
  const begin = performance.now();
  const socket = connect(proxy.port, "127.0.0.1");
  const parts: Buffer[] = [];
  let received = 0;
  const sent = Buffer.alloc(bytes, "tributary ");
  const end = await new Promise<"all" | "fin" | "reset">((resolve) => {
    socket.on("data", (data) => {
      parts.push(data);
      received += data.length;
      if (received >= expected) resolve("all");
    });
    socket.on("end", () => resolve("fin"));
    socket.on("error", () => resolve("reset"));
    socket.write(sent);
  });
  const intact = Buffer.concat(parts).equals(sent.subarray(0, received));
  return { socket, end, received, intact, milliseconds: performance.now() - begin };
}

const silence = (socket: Socket, milliseconds: number) =>
  Promise.race([
    once(socket, "data").then(() => "data"),
    once(socket, "close").then(() => "close"),
    new Promise((resolve) => setTimeout(resolve, milliseconds, "silence")),
  ]);

test("passes everything on, in both directions, and counts it", async () => {
  const { end, intact, socket } = await talk(5_000_000);
  expect({ end, intact }).toEqual({ end: "all", intact: true });
  socket.end();
  await expect.poll(() => seen[0]?.end).toBe("fin");
  expect(proxy.bytes).toEqual({ up: 5_000_000, down: 5_000_000 });
  expect(proxy.connections).toBe(1);
});

test("a half-closed connection still carries the answer", async () => {
  const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end("question");
  const [answer] = await once(socket, "data");
  expect(String(answer)).toBe("question");
  await once(socket, "end");
});

test("latency delays each direction and keeps the pieces on their way together", async () => {
  const { milliseconds, intact } = await talk(1_000_000, 1_000_000, { latency: 50 });
  expect(intact).toBe(true);
  expect(milliseconds).toBeGreaterThanOrEqual(98);
  expect(milliseconds).toBeLessThan(1000);
});

test("bandwidth holds each direction back", async () => {
  const { milliseconds } = await talk(100_000, 100_000, { bandwidth: 200_000 });
  expect(milliseconds).toBeGreaterThan(450);
  expect(milliseconds).toBeLessThan(5000);
});

test("healing ends a slow line at once", async () => {
  const slow = talk(1_000_000, 1_000_000, { bandwidth: 10 });
  await expect.poll(() => proxy.connections).toBe(1);
  proxy.set({});
  expect((await slow).intact).toBe(true);
});

test.for<[string, Faults, "fin" | "reset"]>([
  ["cut up", { cut: { up: 70_001 } }, "fin"],
  ["reset up", { reset: { up: 70_001 } }, "reset"],
])("%s: the target gets exactly so many bytes, then the end", async ([, faults, end]) => {
  const client = await talk(300_000, 300_000, faults);
  expect(client.end).toBe(end);
  await expect.poll(() => seen[0]?.end).toBe(end);
  expect(proxy.bytes.up).toBe(70_001);
  if (end === "fin") expect(seen[0]?.received).toBe(70_001);
});

test.for<[string, Faults, "fin" | "reset"]>([
  ["cut down", { cut: { down: 70_001 } }, "fin"],
  ["reset down", { reset: { down: 70_001 } }, "reset"],
])("%s: the client gets at most so many bytes, then the end", async ([, faults, end]) => {
  const client = await talk(300_000, 300_000, faults);
  expect(client.end).toBe(end);
  expect(client.intact).toBe(true);
  expect(proxy.bytes.down).toBe(70_001);
  if (end === "fin") expect(client.received).toBe(70_001);
});

test("a limit holds for each connection, and is gone when healed", async () => {
  await talk(2000, 2000, { cut: { up: 1000 } });
  await talk(2000, 2000, { cut: { up: 1000 } });
  await expect
    .poll(() => seen.map((one) => [one.received, one.end]))
    .toEqual([
      [1000, "fin"],
      [1000, "fin"],
    ]);
  expect((await talk(2000)).end).toBe("all");
});

test("half-open: nothing passes, nobody is told, and healing lets it go on", async () => {
  const { socket } = await talk(10);
  proxy.set({ halfOpen: true });
  socket.write("lost?");
  expect(await silence(socket, 200)).toBe("silence");
  const late = connect(proxy.port, "127.0.0.1");
  late.write("late");
  expect(await silence(late, 200)).toBe("silence");
  expect(seen.length).toBe(1);
  proxy.set({});
  expect(String((await once(socket, "data"))[0])).toBe("lost?");
});

test("half-open: the other side does not hear that one is gone, until the network is healed", async () => {
  const { socket } = await talk(10);
  proxy.set({ halfOpen: true });
  socket.resetAndDestroy();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(seen[0]?.end).toBeUndefined();
  proxy.set({});
  await expect.poll(() => seen[0]?.end).toBe("reset");
});

test("refuse resets new connections and leaves the others", async () => {
  const { socket } = await talk(10);
  expect((await talk(10, 10, { refuse: true })).end).not.toBe("all");
  socket.write("still here");
  expect(String((await once(socket, "data"))[0])).toBe("still here");
  expect(seen.length).toBe(1);
});

test("dropAll resets what is open; a new connection works", async () => {
  const { socket } = await talk(10);
  proxy.dropAll();
  await once(socket, "error");
  await expect.poll(() => seen[0]?.end).toBe("reset");
  expect((await talk(10)).end).toBe("all");
});

test("a target that is not there resets the client", async () => {
  const lonely = await startProxy({ target: { host: "127.0.0.1", port: 1 } });
  const socket = connect(lonely.port, "127.0.0.1");
  const [error] = await once(socket, "error");
  expect((error as NodeJS.ErrnoException).code).toBe("ECONNRESET");
  await lonely.stop();
});

test("stopping does not wait for open connections", async () => {
  const { socket } = await talk(10);
  proxy.set({ halfOpen: true });
  await proxy.stop();
  socket.on("error", () => {});
  proxy = await startProxy({ target: { host: "127.0.0.1", port: 1 } });
});
