/** What OpenSSH never does, and other servers and lines do. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { REQUEST, STATUS } from "@tributary/shared/sftp/words.ts";
import { expect, test } from "vitest";
import { type Entry, type Remote, RemoteError, type RemoteFailure } from "../remote.ts";
import {
  attributes,
  contentAt,
  data,
  type FakeOptions,
  FOLDER,
  fakeServer,
  file,
  names,
  status,
} from "./fake-server.ts";

const NEVER = new AbortController().signal;

async function listed(remote: Remote, folder = ""): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const some of remote.list(Buffer.from(folder), NEVER)) found.push(...some);
  return found;
}

async function read(remote: Remote, path: string, from = 0): Promise<Buffer> {
  const at = Buffer.from(path);
  const state = { size: 0, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined };
  await using opened = await remote.open(at, state);
  const pieces: Buffer[] = [];
  for await (const piece of opened.bytes(from)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function failing(work: Promise<unknown>, failure: RemoteFailure): Promise<string> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(RemoteError);
  expect((error as RemoteError).failure).toBe(failure);
  return (error as RemoteError).message;
}

const BIG = 3_000_000;

test.each([
  ["shorter", BIG, 1_234_567],
  ["longer", 1_000, BIG],
  ["empty", BIG, 0],
  ["said to be empty, and is not", 0, 100_000],
])("a file is %s than told: what is there is read", async (_, told, there) => {
  await using server = await fakeServer({
    files: { "/f": file(told) },
    answer({ type, id, offset, length }, itself) {
      if (type !== REQUEST.read) return itself();
      const some = Math.min(length, there - offset);
      return some <= 0 ? status(id, STATUS.eof) : data(id, contentAt(offset, some));
    },
  });
  await using remote = await server.remote();
  expect((await read(remote, "f")).equals(contentAt(0, there))).toBe(true);
});

test("a server that gives less than was asked for is asked for the rest", async () => {
  await using server = await fakeServer({
    files: { "/f": file(500_000) },
    answer: ({ type, id, offset, length }, itself) =>
      type === REQUEST.read && offset < 500_000
        ? data(id, contentAt(offset, Math.min(length, 10_007, 500_000 - offset)))
        : itself(),
  });
  await using remote = await server.remote();
  expect((await read(remote, "f", 77)).equals(contentAt(77, 500_000 - 77))).toBe(true);
});

test("a server that gives more than was asked for is not believed", async () => {
  await using server = await fakeServer({
    files: { "/f": file(100) },
    answer: ({ type, id }, itself) => (type === REQUEST.read ? data(id, Buffer.alloc(100_000)) : itself()),
  });
  await using remote = await server.remote();
  expect(await failing(read(remote, "f"), "away")).toContain("more of a file than was asked for");
});

test("answers in any order", async () => {
  await using server = await fakeServer({
    files: { "/f": file(BIG) },
    async answer({ type, offset }, itself) {
      if (type === REQUEST.read) await pause((offset / 32_768) % 7);
      return itself();
    },
  });
  await using remote = await server.remote();
  expect((await read(remote, "f")).equals(contentAt(0, BIG))).toBe(true);
});

test("no more is asked for than whoever reads takes", async () => {
  await using server = await fakeServer({ files: { "/f": file(100_000_000) } });
  await using remote = await server.remote();
  const state = { size: 0, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined };
  await using opened = await remote.open(Buffer.from("f"), state);
  const reads = (): number => server.asked.filter(({ type }) => type === REQUEST.read).length;
  for await (const _ of opened.bytes(0)) {
    await expect.poll(reads).toBe(64);
    await pause(100);
    expect(reads()).toBe(64);
    break;
  }
});

test("an answer that never comes", async () => {
  await using server = await fakeServer({
    files: { "/f": file(100) },
    answer: ({ type }, itself) => (type === REQUEST.read ? undefined : itself()),
  });
  await using remote = await server.remote({}, { silence: 300 });
  expect(await failing(read(remote, "f"), "away")).toMatch(/no answer for \d+ s: the server hangs/);
  // The next one is asked over a new connection.
  expect(await remote.look(Buffer.from("f"))).toMatchObject({ kind: "file" });
});

test("a slow server is waited for, while anything comes", async () => {
  await using server = await fakeServer({
    files: { "/f": file(1_000) },
    async answer({ type }, itself) {
      if (type === REQUEST.read || type === REQUEST.open) await pause(200);
      return itself();
    },
  });
  await using remote = await server.remote({}, { silence: 400 });
  expect((await read(remote, "f")).length).toBe(1_000);
});

test("one file of many may not be read", async () => {
  await using server = await fakeServer({
    files: { "/a": file(10), "/secret": file(10), "/z": file(10) },
    answer: ({ type, id, path }, itself) =>
      type === REQUEST.open && path === "/secret"
        ? status(id, STATUS.permissionDenied, "Zugriff verweigert\nwirklich")
        : itself(),
  });
  await using remote = await server.remote();
  expect(await failing(read(remote, "secret"), "denied")).toBe(
    'cannot read secret: the server says "Zugriff verweigert wirklich"',
  );
  expect((await read(remote, "a")).length).toBe(10);
});

test("a listing without attributes: each name is looked at", async () => {
  const files = { "/a": file(10), "/d": FOLDER, "/l": { ...file(1), permissions: 0o120777 }, "/x": file(1) };
  await using server = await fakeServer({
    files,
    answer({ type, id, path }, itself) {
      if (type === REQUEST.readdir && itself()[4] !== 101)
        return names(
          id,
          [".", "..", "a", "d", "l", "gone", "x"].map((name) => [name, {}]),
        );
      if (type === REQUEST.lstat && path === "/x") return status(id, STATUS.permissionDenied, "no");
      return itself();
    },
  });
  await using remote = await server.remote();
  expect((await listed(remote)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    "file a",
    "folder d",
    "other l",
    "refused x",
  ]);
});

test("names that no folder has, sizes that no file has", async () => {
  const huge = Buffer.alloc(8, 0xff);
  await using server = await fakeServer({
    files: { "/a": file(1) },
    answer({ type, id }, itself) {
      if (type !== REQUEST.readdir || itself()[4] === 101) return itself();
      const said = names(id, [
        ["a/b", file(1)],
        ["", file(1)],
        ["n\0ul", file(1)],
        ["new\nline", file(2)],
        ["big", file(7)],
      ]);
      // The last one's size.
      huge.copy(said, said.length - 20);
      return said;
    },
  });
  await using remote = await server.remote();
  expect((await listed(remote)).map(({ kind, name }) => [kind, String(name)])).toEqual([
    ["refused", "a/b"],
    ["refused", ""],
    ["refused", "n\0ul"],
    ["file", "new\nline"],
    ["refused", "big"],
  ]);
});

test("100,000 names come in portions, and no more are asked for than are taken", async () => {
  let packets = 0;
  await using server = await fakeServer({
    answer({ type, id }, itself) {
      if (type !== REQUEST.readdir) return itself();
      packets += 1;
      if (packets > 1_000) return status(id, STATUS.eof);
      return names(
        id,
        Array.from({ length: 100 }, (_, i) => [`${packets}-${i}`, file(1)]),
      );
    },
  });
  await using remote = await server.remote();
  let count = 0;
  for await (const some of remote.list(Buffer.alloc(0), NEVER)) {
    count += some.length;
    if (count === 100) {
      await pause(100);
      expect(packets).toBeLessThanOrEqual(8);
    }
  }
  expect(count).toBe(100_000);
});

test("a listing that never ends is ended", async () => {
  await using server = await fakeServer({
    answer: ({ type, id }, itself) => (type === REQUEST.readdir ? names(id, []) : itself()),
  });
  await using remote = await server.remote();
  expect(await failing(listed(remote), "failed")).toContain("never ends");
});

test("a link on the way is not followed, though the server's real paths know nothing of links", async () => {
  await using server = await fakeServer({
    files: { "/l": { ...FOLDER, permissions: 0o120777 }, "/l/f": file(5), "/d": FOLDER, "/d/f": file(5) },
  });
  await using remote = await server.remote();
  expect(await failing(listed(remote, "l"), "absent")).toContain("links are not followed");
  expect(await failing(read(remote, "l/f"), "absent")).toContain("links are not followed");
  expect(await remote.look(Buffer.from("l/f"))).toBeUndefined();
  expect(await remote.look(Buffer.from("l"))).toMatchObject({ kind: "other" });
  expect((await read(remote, "d/f")).length).toBe(5);
});

test("a link on the way is not followed, though the server's looks know nothing of links", async () => {
  await using server = await fakeServer({
    files: { "/l": FOLDER, "/l/f": file(5) },
    answer: ({ type, id, path }, itself) =>
      type === REQUEST.realpath && path === "/l" ? names(id, [["/elsewhere", {}]]) : itself(),
  });
  await using remote = await server.remote();
  expect(await failing(listed(remote, "l"), "absent")).toContain("links are not followed");
  expect(await failing(read(remote, "l/f"), "absent")).toContain("links are not followed");
  expect(await remote.look(Buffer.from("l/f"))).toBeUndefined();
});

test("a root that is not there is no empty one", async () => {
  await using server = await fakeServer();
  await using remote = await server.remote({ path: "/gone" });
  expect(await failing(listed(remote), "away")).toContain("check `path`");
  expect(await failing(remote.identity(), "away")).toContain("check `path`");
});

test("again: what was changed, and what is there no more", async () => {
  const files: Record<string, ReturnType<typeof file>> = { "/f": file(5) };
  let held: ReturnType<typeof file> | undefined;
  await using server = await fakeServer({
    files,
    answer: ({ type, id }, itself) =>
      type === REQUEST.fstat && held !== undefined ? attributes(id, held) : itself(),
  });
  await using remote = await server.remote();
  const state = { size: 5, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined };
  await using opened = await remote.open(Buffer.from("f"), state);
  expect(await opened.again()).toEqual(opened.state);
  // It has a new file's name, and what was read is another one.
  held = file(6);
  expect((await opened.again())?.size).toBe(6);
  held = undefined;
  files["/f"] = file(7);
  expect((await opened.again())?.size).toBe(7);
  delete files["/f"];
  held = file(5);
  expect(await opened.again()).toBeUndefined();
});

test("what answers is no SFTP", async () => {
  await using server = await fakeServer({
    answer: () => Buffer.from("Welcome to our server!\r\n"),
  });
  await using remote = await server.remote();
  expect(await failing(remote.identity(), "away")).toContain("what comes from there is no SFTP");
});

test("a name that is taken is not renamed over, though the server would", async () => {
  await using server = await fakeServer({
    files: { "/a": file(1), "/b": file(2) },
    answer: ({ type, id }, itself) => (type === REQUEST.rename ? status(id, STATUS.ok) : itself()),
  });
  await using remote = await server.remote();
  expect(await remote.hands?.place(Buffer.from("/a"), Buffer.from("/b"))).toBe(false);
  expect(server.asked.some(({ type }) => type === REQUEST.rename)).toBe(false);
  expect(await remote.hands?.place(Buffer.from("/a"), Buffer.from("/c"))).toBe(true);
});

test("a connection that nobody uses is closed, and made again when it is needed", async () => {
  await using server = await fakeServer({ files: { "/f": file(1) } });
  await using remote = await server.remote({}, { idle: 100 });
  await remote.identity();
  expect(server.connections.size).toBe(1);
  await expect.poll(() => server.connections.size).toBe(0);
  expect((await read(remote, "f")).length).toBe(1);
  expect(server.connections.size).toBe(1);
});

test("many at once are asked over one connection", async () => {
  await using server = await fakeServer({ files: { "/a": file(BIG), "/b": file(BIG), "/c": file(BIG) } });
  await using remote = await server.remote();
  const all = await Promise.all(["a", "b", "c"].map((name) => read(remote, name)));
  for (const one of all) expect(one.equals(contentAt(0, BIG))).toBe(true);
  expect(server.connections.size).toBe(1);
});

interface Line extends Disposable {
  readonly port: number;
  hold(): void;
  cut(): void;
}

/** Between both, and forwards until it is told to keep everything. */
async function line(port: number, delay = 0): Promise<Line> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far);
    if (delay === 0) far.pipe(near);
    else
      far.on("data", (bytes) => {
        near.write(bytes);
        far.pause();
        setTimeout(() => far.resume(), delay);
      });
    for (const socket of [near, far]) socket.on("error", () => undefined);
    sockets.push(near, far);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    [Symbol.dispose]() {
      cut();
      server.close();
    },
    port: (server.address() as { port: number }).port,
    cut,
    hold() {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

const SLOW: FakeOptions = {
  files: { "/f": file(50_000_000) },
};

test("a line that is dead and does not say so", async () => {
  await using server = await fakeServer(SLOW);
  using between = await line(server.port);
  await using remote = await server.remote({ port: between.port }, { keepalive: 100 });
  const reading = (async () => {
    await using opened = await remote.open(Buffer.from("f"), {} as never);
    for await (const _ of opened.bytes(0)) between.hold();
  })();
  expect(await failing(reading, "away")).toContain("the connection is dead");
});

test("a slow line is not taken for a dead one: signs of life wait behind what was asked for", async () => {
  await using server = await fakeServer({ files: { "/f": file(2_500_000) } });
  using between = await line(server.port, 50);
  await using remote = await server.remote({ port: between.port }, { keepalive: 100 });
  expect((await read(remote, "f")).length).toBe(2_500_000);
});

test("a line that is cut in the middle of a file", async () => {
  await using server = await fakeServer(SLOW);
  using between = await line(server.port);
  await using remote = await server.remote({ port: between.port });
  let got = 0;
  const reading = (async () => {
    await using opened = await remote.open(Buffer.from("f"), {} as never);
    for await (const piece of opened.bytes(0)) {
      got += piece.length;
      if (got > 1_000_000) between.cut();
    }
  })();
  expect(await failing(reading, "away")).toContain(`127.0.0.1:${between.port}: `);
  expect(got).toBeLessThan(50_000_000);
  expect((await remote.look(Buffer.from("f")))?.kind).toBe("file");
});

test("a source that is closed while it connects leaves no connection behind", async () => {
  await using server = await fakeServer();
  const remote = await server.remote();
  const asked = remote.identity();
  await remote[Symbol.asyncDispose]();
  expect(await failing(asked, "away")).toContain("the source is closed");
  await expect.poll(() => server.connections.size).toBe(0);
});
