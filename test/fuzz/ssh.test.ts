/**
 * The SSH side of the SFTP door, by strangers and by clients who have logged in and mean harm: whatever comes, the
 * receiver lives, its memory has a bound, and others are served meanwhile.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setImmediate as immediate, setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import ssh2 from "ssh2";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Running, until } from "../site/process.ts";
import { Sftp, SftpSession } from "../site/sftp.ts";
import { OPEN, packet, string, TYPE, uint32, uint64 } from "../site/sftp-wire.ts";
import { makeSite, peakMemory, type Site } from "../site/site.ts";
import { newSshKey } from "../site/ssh-key.ts";
import { sendPacket, socketOf, ssh } from "../site/ssh-packets.ts";
import { Witness } from "./witness.ts";

const SECONDS = Number(process.env.TRIBUTARY_FUZZ_SECONDS ?? 10) / 4;
const timeout = SECONDS * 1000 + 60_000;
const box = {
  numRuns: 1_000_000,
  interruptAfterTimeLimit: SECONDS * 1000,
  markInterruptAsFailure: false,
} as const;
const MIB = 2 ** 20;

describe(`SSH under ${SECONDS} s of rubbish`, () => {
  let site: Site;
  let receiver: Running;
  let witness: Witness;
  const { public: publicKey, private: privateKey } = newSshKey();
  const login = async (user = "fuzz"): Promise<Sftp> =>
    await Sftp.connect({ port: site.sftpPort, user, privateKey });

  beforeAll(async () => {
    const sftp = { login: "2s", perAddress: 24, handles: 32 };
    site = await makeSite({
      sftp: true,
      receiver: { sftp, log: "error", limits: { uploads: 4 } },
    });
    const file = join(site.dir, "fuzz.pub");
    writeFileSync(file, publicKey);
    for (const name of ["fuzz", "witness"]) {
      await site.command("client", "add", name);
      await site.command(
        "sftp",
        "add",
        "--client",
        name,
        "--user",
        name,
        "--public-key",
        file,
        "--access",
        "read-write",
      );
    }
    receiver = await site.serve();
  });
  afterAll(async () => {
    await receiver?.stop();
    site?.remove();
  });
  beforeEach(async () => {
    witness = await Witness.begin(await login("witness"));
  });
  afterEach(async () => {
    expect(receiver.exited(), receiver.stderr().slice(-3000)).toBe(false);
    await witness.end();
    expect(peakMemory(receiver.pid)).toBeLessThan(400 * MIB);
  });

  const stranger = async (): Promise<Socket> =>
    await new Promise((resolve, reject) => {
      const socket = connect(site.sftpPort, "127.0.0.1", () => resolve(socket));
      socket.on("error", reject);
      socket.on("error", () => {});
      socket.resume();
    });
  const closed = async (socket: Socket): Promise<void> => {
    if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  };

  test("strangers: any bytes in the place of a greeting, and behind one", { timeout }, async () => {
    const greeting = fc.constantFrom(
      "",
      "SSH-2.0-x\r\n",
      "SSH-1.99-\n",
      "SSH-2.0-OpenSSH_9.2\r\n",
      "GET / HTTP/1.1\r\n\r\n",
    );
    const rest = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc
        .tuple(fc.nat(0xffffffff), fc.uint8Array({ maxLength: 300 }))
        .map(([length, bytes]) => Buffer.concat([uint32(length), bytes])),
      fc.constant(Buffer.alloc(100_000, "x")),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(greeting, rest), { minLength: 1, maxLength: 8 }), async (many) => {
        await Promise.all(
          many.map(async ([greeted, bytes]) => {
            const socket = await stranger();
            socket.end(Buffer.concat([Buffer.from(greeted), bytes]));
            await closed(socket);
          }),
        );
      }),
      box,
    );
  });

  test("strangers: who says nothing, or stops after the greeting, is cut when logging in takes too long", async () => {
    const sayings = ["", "SSH-2.0-x\r\n", `SSH-2.0-x\r\n${"\0".repeat(20)}`];
    const from = performance.now();
    await Promise.all(
      sayings.map(async (words) => {
        const socket = await stranger();
        socket.write(words);
        await closed(socket);
      }),
    );
    expect(performance.now() - from).toBeLessThan(4000);
  });

  test("strangers: a flood from one address leaves room for others, and ends", async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, stranger));
    // Before those that may stay are cut, because they do not log in.
    const open = (): number => sockets.filter((socket) => !socket.closed).length;
    await until("all but 24 are turned away", () => open() <= 24, { withinMs: 1800 });
    for (const socket of sockets) socket.destroy();
    await until(
      "room again",
      async () =>
        await login()
          .then((one) => one.close().then(() => true))
          .catch(() => false),
    );
  });

  test("strangers: guessing has an end", async () => {
    const client = new ssh2.Client();
    let asked = 0;
    const ended = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.on("error", () => {});
    client.connect({
      ...{ host: "127.0.0.1", port: site.sftpPort, username: "fuzz" },
      authHandler: (_left, _partial, next) => {
        asked += 1;
        next({ type: "password", username: "fuzz", password: `guess ${asked}` });
      },
    });
    await ended;
    expect(asked).toBeLessThan(50);
  });

  test("packets of every type, of any content, by somebody who is in", { timeout }, async () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .array(
          fc.oneof(
            fc.nat(0xffffffff).map(uint32),
            fc.constantFrom("session", "sftp", "", "x".repeat(9000)).map(string),
          ),
          { maxLength: 6 },
        )
        .map((parts) => Buffer.concat(parts)),
    );
    const payload = fc
      .tuple(fc.integer({ min: 0, max: 255 }), body)
      .map(([type, bytes]) => Buffer.concat([Buffer.from([type]), bytes]));
    await fc.assert(
      fc.asyncProperty(fc.array(payload, { minLength: 1, maxLength: 30 }), async (payloads) => {
        const one = await login();
        const session = await one.session();
        for (const bytes of payloads) sendPacket(one.ssh, bytes);
        await Promise.race([session.stat("/").catch(() => {}), pause(200)]);
        one.destroy();
      }),
      box,
    );
  });

  test.for([0, 1, 7, 0xffffffff])("a channel whose packets may have %i bytes", async (most) => {
    const one = await login();
    sendPacket(one.ssh, ssh.open(0, 2 * MIB, most));
    sendPacket(one.ssh, ssh.subsystem(0));
    sendPacket(one.ssh, ssh.data(0, packet(TYPE.init, uint32(3))));
    sendPacket(one.ssh, ssh.data(0, packet(TYPE.realpath, uint32(1), string("/"))));
    await Promise.race([one.ended, pause(300)]);
    one.destroy();
  });

  test("a client that sends beyond the window, and reads no answer", { timeout: 60_000 }, async () => {
    const one = await login();
    sendPacket(one.ssh, ssh.open(0, 100, 32_768));
    sendPacket(one.ssh, ssh.subsystem(0));
    sendPacket(one.ssh, ssh.data(0, packet(TYPE.init, uint32(3))));
    const piece = Buffer.concat(
      Array.from({ length: 300 }, (_, i) => packet(TYPE.realpath, uint32(i), string(Buffer.alloc(90, "x")))),
    );
    let ended = false;
    void one.ended.then(() => {
      ended = true;
    });
    let sent = 0;
    const takes = (): boolean => ended || socketOf(one.ssh).writableLength < MIB;
    // Until it is cut off, or nothing more is taken from it.
    while (!ended && sent < 512 * MIB) {
      sendPacket(one.ssh, ssh.data(0, piece));
      sent += piece.length;
      // While every write is taken at once, nothing else would be heard: not even that the other side has ended.
      await immediate();
      if (!(await until("", takes, { everyMs: 2, withinMs: 1000 }).catch(() => false))) break;
    }
    expect(sent).toBeLessThan(64 * MIB);
    one.destroy();
  });

  test("requests to the connection itself whose answers nobody reads", { timeout: 60_000 }, async () => {
    const one = await login();
    socketOf(one.ssh).pause();
    const enough = performance.now() + SECONDS * 1000;
    for (let i = 0; performance.now() < enough && socketOf(one.ssh).writableLength < MIB; i += 1) {
      sendPacket(one.ssh, ssh.globalRequest());
      if (i % 300 === 0) await pause(1);
    }
    await pause(300);
    expect(peakMemory(receiver.pid)).toBeLessThan(300 * MIB);
    one.destroy();
  });

  test("sessions that are opened and closed without being used have an end", {
    timeout: 60_000,
  }, async () => {
    const one = await login();
    let ended = false;
    void one.ended.then(() => {
      ended = true;
    });
    for (let i = 0; i < 30_000 && !ended; i += 1) {
      sendPacket(one.ssh, ssh.open(i, 1000, 32_768));
      sendPacket(one.ssh, ssh.close(i));
      if (i % 100 === 0) await pause(1);
    }
    await until("the receiver has enough of it", () => ended, { withinMs: 5000 });
  });

  test("who goes while answers wait for him leaves no upload behind", { timeout: 60_000 }, async () => {
    for (let i = 0; i < 6; i += 1) {
      const one = await login();
      const session = await one.session();
      await session.mkdir("/stuck").catch(() => {});
      // A second channel whose window is too small for any answer.
      sendPacket(one.ssh, ssh.open(99, 150, 32_768));
      sendPacket(one.ssh, ssh.subsystem(1));
      const handle = Buffer.from("0000000000000001", "hex");
      const requests = [
        packet(TYPE.init, uint32(3)),
        packet(
          TYPE.open,
          uint32(1),
          string(`/stuck/${i}`),
          uint32(OPEN.write | OPEN.create | OPEN.read),
          uint32(0),
        ),
        packet(TYPE.write, uint32(2), string(handle), uint64(0), string(randomBytes(20_000))),
        ...Array.from({ length: 200 }, (_, n) =>
          packet(TYPE.read, uint32(3 + n), string(handle), uint64(0), uint32(20_000)),
        ),
      ];
      for (const request of requests) sendPacket(one.ssh, ssh.data(1, request));
      for (let n = 0; n < 60; n += 1)
        sendPacket(
          one.ssh,
          ssh.data(1, packet(TYPE.realpath, uint32(999), string(Buffer.alloc(30_000, "x")))),
        );
      await pause(200);
      one.destroy();
    }
    const after = await login();
    const session = new SftpSession(await after.channel(), after.ended);
    await session.begin();
    await until(
      "a place among the uploads",
      async () =>
        await session.put("/stuck/after", Buffer.from("x")).then(
          () => true,
          () => false,
        ),
      { withinMs: 5000, everyMs: 300 },
    );
    await after.close();
  });
});
