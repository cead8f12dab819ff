import { once } from "node:events";
import { createServer } from "node:net";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { sameState } from "../../source/same-state.ts";
import type { Entry, Remote, RemoteError } from "../remote.ts";
import { type FakeFtp, type FakeOptions, SILENCE, startFakeFtp } from "./fake-server.ts";
import { type FtpPlace, ftpRemote } from "./ftp-remote.ts";

const PATIENCE = { connect: 10_000, silent: 10_000, idle: 60_000 };
/** For who is waited for in vain. */
const SHORT = { ...PATIENCE, silent: 400 };
const NOW = Date.parse("2026-11-27T12:00:00Z");

async function started(
  options: FakeOptions = {},
  place: Partial<FtpPlace> = {},
  patience = PATIENCE,
  now = () => NOW,
): Promise<{ readonly fake: FakeFtp; readonly remote: Remote }> {
  const fake = await startFakeFtp(options);
  onTestFinished(() => fake[Symbol.asyncDispose]());
  return { fake, remote: remoteOf(fake.port, place, patience, now) };
}

function remoteOf(port: number, place: Partial<FtpPlace> = {}, patience = PATIENCE, now = () => NOW): Remote {
  const remote = ftpRemote(
    {
      host: "127.0.0.1",
      port,
      tls: "none",
      user: "u",
      password: { secret: "s" },
      listTimeZone: "UTC",
      ...place,
    },
    { secrets: { read: () => Promise.resolve("pass word") }, parallel: 2 },
    patience,
    now,
  );
  onTestFinished(() => remote[Symbol.asyncDispose]());
  return remote;
}

const path = (text: string): Buffer => Buffer.from(text, "latin1");
async function listed(remote: Remote, folder = ""): Promise<Entry[]> {
  return (await Array.fromAsync(remote.list(path(folder), new AbortController().signal))).flat();
}
async function stateOf(remote: Remote, name: string) {
  const entry = await remote.look(path(name));
  if (entry?.kind !== "file") throw new Error(`${name} is ${entry?.kind}`);
  return entry.state;
}
async function read(remote: Remote, name: string, from = 0, into: Buffer[] = []): Promise<string> {
  await using file = await remote.open(path(name), await stateOf(remote, name));
  for await (const piece of file.bytes(from)) into.push(piece);
  return Buffer.concat(into).toString("latin1");
}
const failing = async (work: Promise<unknown>): Promise<RemoteError> =>
  await work.then(
    (value) => Promise.reject(new Error(`it did not fail: ${String(value)}`)),
    (error: RemoteError) => error,
  );
const GOOD = { "/a": "0123456789", "/b": "b" };
const MLST = ["MLST type*;size*;modify*;perm*;"];

test("the listing of a server of Microsoft's", async () => {
  const { remote } = await started({
    listing: () => [
      "11-27-26  05:03PM       <DIR>          Some Folder\r\n",
      "11-27-26  05:03PM           4294967297 big.csv\r\n",
    ],
  });
  expect(await listed(remote)).toEqual([
    { kind: "folder", name: path("Some Folder") },
    {
      kind: "file",
      name: path("big.csv"),
      state: {
        size: 4_294_967_297,
        mtimeNs: BigInt(Date.parse("2026-11-27T17:03Z")) * 1_000_000n,
        ctimeNs: 0n,
        fileId: undefined,
      },
    },
  ]);
});

test("a server that sends less than it said: what came is not the file", async () => {
  const { remote } = await started({
    files: GOOD,
    on: { SIZE: (argument) => (argument === "/a" ? "213 100" : undefined) },
  });
  const error = await failing(read(remote, "a"));
  expect(error).toMatchObject({ failure: "failed" });
  expect(error.message).toContain("100 bytes, and sent 10");
  expect(await read(remote, "b")).toBe("b");
});

test("the address in PASV is another's, or of the inside of a network: it is not used", async () => {
  const { remote } = await started({
    files: GOOD,
    on: {
      EPSV: () => "500 what?",
      // Its port, with an address that is not to be asked.
      async PASV(_, session) {
        const port = await session.passive();
        return `227 Entering Passive Mode (10,9,8,7,${port >> 8},${port & 255})`;
      },
    },
  });
  expect(await read(remote, "a")).toBe("0123456789");
});

test("a data connection that is cut at half fails, and says so, with and without words of the server", async () => {
  for (const words of ["426 Failure writing network stream.", SILENCE]) {
    const { remote } = await started({
      files: GOOD,
      on: {
        RETR: async (_, session) => {
          session.control.write("150 here\r\n");
          const data = await session.data();
          data.write("01234");
          await setImmediate();
          data.resetAndDestroy();
          return words;
        },
      },
    });
    const error = await failing(read(remote, "a"));
    expect(["failed", "away"]).toContain(error.failure);
    if (words !== SILENCE) expect(error.message).toContain("Failure writing");
  }
});

test("data that end well before a 226 that never comes are not the file: the last of them is kept back", async () => {
  const { remote } = await started(
    {
      files: GOOD,
      on: {
        RETR: async (_, session) => {
          session.control.write("150 here\r\n");
          (await session.data()).end("0123456789");
          return SILENCE;
        },
      },
    },
    {},
    SHORT,
  );
  const into: Buffer[] = [];
  expect(await failing(read(remote, "a", 0, into))).toMatchObject({ failure: "away" });
  expect(into).toEqual([]);
});

test("a 226 that comes before its data is no end of them", async () => {
  const { remote } = await started({
    files: GOOD,
    on: {
      RETR: async (_, session) => {
        session.control.write("150 here\r\n226 done\r\n");
        const data = await session.data();
        for (const digit of "0123456789") {
          data.write(digit);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        data.end();
        return SILENCE;
      },
    },
  });
  expect(await read(remote, "a")).toBe("0123456789");
  expect(await read(remote, "b")).toBe("0123456789");
});

test("421 in the middle: away, for a minute; and the next one is asked on a new connection", async () => {
  let busy = true;
  const { remote, fake } = await started({
    files: GOOD,
    on: {
      RETR: (_, session) => {
        if (!busy) return undefined;
        session.control.end("421 Too many users\r\n");
        return SILENCE;
      },
    },
  });
  expect(await failing(read(remote, "a"))).toMatchObject({ failure: "away", retryAfter: 60 });
  busy = false;
  expect(await read(remote, "a")).toBe("0123456789");
  expect(fake.commands.filter((one) => one.startsWith("USER")).length).toBeGreaterThan(1);
});

test("an answer that never comes: away, after a while; the others go on", async () => {
  const { remote } = await started(
    {
      files: GOOD,
      on: { SIZE: (argument) => (argument === "/a" ? SILENCE : undefined) },
    },
    {},
    SHORT,
  );
  expect(await failing(remote.look(path("a")))).toMatchObject({ failure: "away" });
  expect(await read(remote, "b")).toBe("b");
});

test("data that never come: away, after a while", async () => {
  const { remote } = await started(
    {
      files: GOOD,
      on: { RETR: () => "150 soon" },
    },
    {},
    SHORT,
  );
  const error = await failing(read(remote, "a"));
  expect(error.failure).toBe("away");
  expect(error.message).toContain("not a byte");
});

test("who takes what comes slowly is not taken for a server that is silent", async () => {
  const big = "x".repeat(20_000_000);
  const { remote } = await started({ files: { "/big": big } }, {}, SHORT);
  await using file = await remote.open(path("big"), await stateOf(remote, "big"));
  let length = 0;
  for await (const piece of file.bytes(0)) {
    if (length === 0) await new Promise((resolve) => setTimeout(resolve, 3 * SHORT.silent));
    length += piece.length;
  }
  expect(length).toBe(big.length);
});

test("a server that greets nobody is away after the time for it", async () => {
  const mute = createServer(() => undefined);
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  onTestFinished(() => void mute.close());
  const { port } = mute.address() as { port: number };
  const error = await failing(remoteOf(port, {}, { ...PATIENCE, connect: 200, silent: 10_000 }).identity());
  expect(error).toMatchObject({ failure: "away" });
  expect(error.message).toContain("within 0.2 s");
});

test("replies are read by lines, however they are cut into packets", async () => {
  const { remote } = await started({
    files: { "/a": "x".repeat(123_456) },
    on: {
      SIZE: async (_, { control }) => {
        for (const part of ["2", "13 12", "34", "56\r", "\n"]) {
          control.write(part);
          await new Promise((resolve) => setTimeout(resolve, 15));
        }
        return SILENCE;
      },
    },
  });
  expect((await stateOf(remote, "a")).size).toBe(123_456);
});

test("100,000 lines come in portions, and no faster than they are taken", async () => {
  let sent = 0;
  const { remote } = await started({
    features: MLST,
    listing: function* () {
      for (; sent < 100_000; sent += 1)
        yield `type=file;size=${sent};modify=20261127100000; ${String(sent).padStart(250, "f")}\r\n`;
    },
  });
  let count = 0;
  let most = 0;
  let ahead = 0;
  for await (const some of remote.list(path(""), new AbortController().signal)) {
    if (count === 0) await new Promise((resolve) => setTimeout(resolve, 300));
    if (count === 0) ahead = sent;
    count += some.length;
    most = Math.max(most, some.length);
  }
  expect(count).toBe(100_000);
  expect(most).toBeLessThan(20_000);
  expect(ahead).toBeLessThan(100_000);
}, 30_000);

test("a listing that breaks off says so, after what had come", async () => {
  const { remote } = await started({
    features: MLST,
    on: {
      MLSD: async (_, session) => {
        session.control.write("150 here\r\n");
        (await session.data()).end("type=file;size=1;modify=20261127100000; a\r\n");
        return "451 disk trouble";
      },
    },
  });
  const error = await failing(listed(remote));
  expect(error).toMatchObject({ failure: "failed" });
  expect(error.message).toContain("disk trouble");
});

test.for([
  ["550 Permission denied.", "denied"],
  ["550 Access is denied. ", "denied"],
  ["550 Failed to open file.", "denied"],
  ["550 Can't open a: No such file or directory", "absent"],
  ["550 The system cannot find the file specified. ", "absent"],
  ["550-The system cannot find the path specified.\r\n Win32 error:\r\n550 End", "absent"],
  ["450 /a: file busy", "failed"],
  ["425 Can't open data connection.", "failed"],
  ["426 Connection closed; transfer aborted.", "failed"],
  ["551 what", "denied"],
] as const)("one that may not be read does not keep the others: %s", async ([words, failure]) => {
  const { remote, fake } = await started({
    files: GOOD,
    on: { RETR: (argument) => (argument === "/a" ? words : undefined) },
  });
  const error = await failing(read(remote, "a"));
  expect(error.failure).toBe(failure);
  expect(error.message).toContain("/a".slice(1));
  expect(await read(remote, "b")).toBe("b");
  expect(fake.commands.filter((one) => one.startsWith("USER")).length).toBe(1);
});

test("a 550 that does not say why, of a path that is not there", async () => {
  const { remote } = await started({
    files: GOOD,
    on: { CWD: (at) => (at === "/no" ? "550 Failed to change directory." : undefined) },
  });
  expect(await failing(listed(remote, "no"))).toMatchObject({ failure: "absent" });
  expect(await remote.look(path("no/x"))).toBeUndefined();
});

test("an empty listing of a folder that could not be opened is no empty folder (vsftpd)", async () => {
  const { remote } = await started({
    on: {
      LIST: async (_, session) => {
        session.control.write("150 here\r\n");
        (await session.data()).end();
        return "226 Transfer done (but failed to open directory).";
      },
    },
  });
  expect(await failing(listed(remote))).toMatchObject({ failure: "denied" });
});

test("a server that takes -a for a name, and one that refuses it, are asked without", async () => {
  for (const refusal of [undefined, "501 no options here"]) {
    const { remote } = await started({
      files: GOOD,
      on: {
        LIST: async (argument, session) => {
          if (argument !== "-a") return undefined;
          if (refusal !== undefined) return refusal;
          session.control.write("150 here\r\n");
          (await session.data()).end();
          return "226 done";
        },
      },
    });
    expect((await listed(remote)).length).toBe(2);
  }
});

test("without REST the bytes before are read and dropped", async () => {
  const { remote } = await started({ files: GOOD, on: { REST: () => "502 no" } });
  expect(await read(remote, "a", 7)).toBe("789");
});

test("no secret is in a message, though the server repeats it", async () => {
  const { remote } = await started({ on: { PASS: (argument) => `530 "${argument}" is not the password` } });
  const error = await failing(remote.identity());
  expect(error).toMatchObject({ failure: "away" });
  expect(error.message).not.toContain("pass word");
  expect(error.message).toContain('"***" is not the password');
});

test("a server without TLS is not given the password", async () => {
  const { remote, fake } = await started({}, { tls: "explicit" });
  const error = await failing(remote.identity());
  expect(error.message).toContain("`tls: none` sends password and files in the clear");
  expect(fake.commands.some((one) => /^(USER|PASS)/.test(one))).toBe(false);
});

test("never more connections than were given", async () => {
  const { remote, fake } = await started({ files: GOOD });
  await Promise.all(Array.from({ length: 20 }, () => read(remote, "a")));
  expect(fake.most()).toBeLessThanOrEqual(3);
});

test("none that is idle for long, and none at all when the source is closed", async () => {
  const { remote, fake } = await started({ files: GOOD }, {}, { ...PATIENCE, idle: 50 });
  expect(await read(remote, "a")).toBe("0123456789");
  await expect.poll(() => fake.open()).toBe(0);
  expect(await read(remote, "a")).toBe("0123456789");
  const other = remoteOf(fake.port);
  expect(await read(other, "a")).toBe("0123456789");
  await other[Symbol.asyncDispose]();
  await remote[Symbol.asyncDispose]();
  await expect.poll(() => fake.open()).toBe(0);
  await expect(other.look(path("a"))).rejects.toThrow("closed");
});

test("what the server closed meanwhile is no failure", async () => {
  const sockets: { destroy(): void }[] = [];
  const { remote } = await started({
    files: GOOD,
    on: {
      USER(_, { control }) {
        sockets.push(control);
        return undefined;
      },
    },
  });
  for (let round = 0; round < 5; round += 1) {
    expect(await read(remote, "a")).toBe("0123456789");
    for (const socket of sockets.splice(0)) socket.destroy();
  }
});

test("looks of one folder share a listing of it", async () => {
  const names = Array.from({ length: 12 }, (_, i) => `odd name ${i}`);
  const { remote, fake } = await started({
    files: Object.fromEntries(names.map((name) => [`/${name}`, name])),
  });
  const found = await Promise.all(names.map((name) => stateOf(remote, name)));
  expect(found.map(({ size }) => size)).toEqual(names.map(({ length }) => length));
  expect(fake.commands.filter((one) => one.startsWith("LIST")).length).toBeLessThan(8);
});

test("a change of the listing's way to tell the time is no change of the file, where there is MDTM", async () => {
  let date = "Nov 27 10:00";
  let now = NOW;
  const { remote, fake } = await started(
    {
      files: GOOD,
      features: ["MDTM"],
      listing: () => [`-rw-r--r-- 1 u g 10 ${date} a\r\n`],
      on: { MDTM: () => "213 20261127090000" },
    },
    {},
    PATIENCE,
    () => now,
  );
  const before = await stateOf(remote, "a");
  // Summer time, as servers tell it that reckon with the hour of now; then half a year.
  for (const [next, at] of [
    ["Nov 27 11:00", "2027-04-01T00:00Z"],
    ["Nov 27  2026", "2027-06-01T00:00Z"],
  ] as const) {
    date = next;
    now = Date.parse(at);
    const after = await stateOf(remote, "a");
    expect(after.mtimeNs).not.toBe(before.mtimeNs);
    expect([after.fileId, after.size]).toEqual([before.fileId, before.size]);
    expect(before.fileId).toBeDefined();
  }
  // Who knows its id need not list anything to know that it is the same.
  fake.commands.length = 0;
  await using file = await remote.open(path("a"), before);
  expect(sameState(file.state, before)).toBe(true);
  expect(fake.commands.some((one) => one.startsWith("LIST"))).toBe(false);
  expect(remote.tells).toMatchObject({ contentIds: true, coarseMs: 61_000 });
});

test("a server that answers for another name is not believed", async () => {
  const { remote } = await started({
    features: MLST,
    on: { MLST: () => "250-\r\n type=file;size=1;modify=20261127100000; /a\r\n250 End" },
  });
  expect((await stateOf(remote, "a")).size).toBe(1);
  await expect(remote.look(path("a "))).rejects.toThrow("another name");
  expect(remote.tells).toMatchObject({ contentIds: false, coarseMs: 2_000 });
});

test("a listing in a form that is not known is no listing, and no empty folder", async () => {
  const { remote } = await started({
    listing: () => ["-rw-r--r-- 1 u g 9 Nov 27 10:00 a\r\n", "-rw-r--r-- 1 u g 9 Dez 27 10:00 b\r\n"],
  });
  const error = await failing(listed(remote));
  expect(error).toMatchObject({ failure: "failed" });
  expect(error.message).toContain("Dez 27");
});
