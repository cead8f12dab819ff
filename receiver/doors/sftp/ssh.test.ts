/** The SSH side of the door alone, over real sockets: what strangers may do before they have logged in, and what is told of them. */
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import { string } from "@tributary/test/site/sftp-wire.ts";
import { sendPacket, socketOf } from "@tributary/test/site/ssh-packets.ts";
import type { AuthenticationType, Client, ConnectConfig } from "ssh2";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Account } from "../../identity/account.ts";
import type { SftpLogin } from "../../identity/sftp-login.ts";
import { fingerprintOf } from "../../identity/ssh-fingerprint.ts";
import { makePrivateKey } from "../../identity/ssh-private-key.ts";
import { fields, mpint } from "../../identity/ssh-wire.ts";
import type { SftpFact } from "./facts.ts";
import { loadSsh2 } from "./library.ts";
import { SftpScene } from "./scene.ts";
import { listenSsh } from "./ssh.ts";
import type { SshParts } from "./visitor.ts";

const { ssh2 } = await loadSsh2(".");
const account = new SftpScene().account("till");
const PASSWORD = "correct horse battery";
const RIGHT = Buffer.from(PASSWORD);
const wrong = new ProblemError("unauthenticated", "the user or the password is wrong");

/** By the password alone, unless `login` says otherwise. */
async function open({ host = "0.0.0.0", login = {}, ...more }: Partial<Settings> = {}) {
  const facts: SftpFact[] = [];
  const listening = await listenSsh(
    {
      library: ssh2,
      hostKeys: [makePrivateKey("ssh-ed25519", "test").text],
      login: {
        byKey: async () => undefined,
        byPassword: async (_user, password) => (Buffer.from(password).equals(RIGHT) ? account : wrong),
        loggedIn: async () => {},
        ...login,
      },
      ident: "test",
      connections: { most: 100, perAddress: 50 },
      ...{ loginWithin: 20_000, sessions: 2 },
      report: (fact) => void facts.push(fact),
      enter: () => () => {},
      ...more,
    },
    host,
    0,
  );
  onTestFinished(() => listening.stop(0));
  const of = <K extends SftpFact["kind"]>(kind: K) =>
    facts.filter((fact): fact is Extract<SftpFact, { kind: K }> => fact.kind === kind);
  return { port: listening.port, stop: (ms: number) => listening.stop(ms), of };
}

interface Settings extends Omit<SshParts, "login"> {
  readonly host: string;
  readonly login: Partial<SftpLogin>;
}

type Next = (attempt: AuthenticationType | object | false) => void;

/** `tries` is called whenever SSH asks how to log in. */
function client(port: number, tries: (client: Client, next: Next) => unknown, more: ConnectConfig = {}) {
  const made = new ssh2.Client();
  const ended = new Promise<void>((resolve) => made.once("close", () => resolve()));
  made.on("error", () => {});
  made.connect({
    ...{ host: "127.0.0.1", port, username: "till" },
    // Whatever this answered would be tried.
    authHandler: (_left: unknown, _partial: unknown, next: unknown): void => void tries(made, next as Next),
    ...more,
  } as ConnectConfig);
  onTestFinished(() => void made.destroy());
  return { made, ended };
}

function exchangeKeys(client: Client): void {
  (client as unknown as { readonly _protocol: { rekey(): void } })._protocol.rekey();
}

const withPassword =
  (password: string, username = "till") =>
  (_: Client, next: Next) =>
    next({ type: "password", username, password });

async function stranger(port: number, options: object = {}): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, ...options });
  socket.on("error", () => {});
  socket.resume();
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

describe("a stranger", () => {
  test("who exchanges keys again before he has logged in is cut off: it costs us more than him", async () => {
    const { port, of } = await open();
    let exchanges = 0;
    const again = (): void => exchangeKeys(made);
    const { made, ended } = client(port, again);
    made.on("handshake", () => {
      exchanges += 1;
      if (exchanges > 1 && exchanges < 30) again();
      if (exchanges === 30) made.destroy();
    });
    await ended;
    expect(exchanges).toBeLessThan(4);
    expect(of("SftpFailed")).toEqual([]);
  });

  test("who sends much, whatever it is, is cut off", async () => {
    const { port } = await open();
    let sent = 0;
    let over = false;
    const { ended } = client(port, async (made) => {
      const ignored = Buffer.concat([Buffer.from([2]), string(Buffer.alloc(30_000))]);
      for (; !over && sent < 20; sent += 1) {
        sendPacket(made, ignored);
        await pause(5);
      }
      made.destroy();
    });
    void ended.then(() => {
      over = true;
    });
    await ended;
    expect(sent).toBeLessThan(15);
  });

  test("who would change a password while logging in is refused, which is no fault of ours", async () => {
    const { port, of } = await open();
    const { made } = client(port, () =>
      sendPacket(
        made,
        Buffer.concat([
          Buffer.from([50]),
          ...["till", "ssh-connection", "password"].map((text) => string(text)),
          Buffer.from([1]),
          string("old"),
          string("new"),
        ]),
      ),
    );
    await vi.waitFor(() => expect([...of("SftpRefused"), ...of("SftpFailed")]).not.toEqual([]));
    expect(of("SftpFailed")).toEqual([]);
    expect(of("SftpRefused")).toMatchObject([{ method: "password", code: "unauthenticated" }]);
  });

  test("who guesses and does not wait for the answer is in the audit all the same", async () => {
    const { port, of } = await open({
      login: {
        byPassword: async () => {
          await pause(100);
          return wrong;
        },
      },
    });
    const { made } = client(port, (one, next) => {
      withPassword("guess")(one, next);
      setTimeout(() => made.destroy(), 30);
    });
    await vi.waitFor(() => expect(of("SftpRefused")).toHaveLength(1));
  });

  test("who leaves is not waited for", async () => {
    let gone: AbortSignal | undefined;
    const { port } = await open({
      login: {
        byPassword: async (_user, _password, _address, signal) => {
          gone = signal;
          await pause(2000, undefined, { signal }).catch(() => {});
          return wrong;
        },
      },
    });
    const { made } = client(port, withPassword("guess"));
    await vi.waitFor(() => expect(gone).toBeDefined());
    made.destroy();
    await vi.waitFor(() => expect(gone?.aborted).toBe(true), { timeout: 1000 });
  });

  test("whose user name is longer than any is in the audit, cut short", async () => {
    const { port, of } = await open();
    const username = "x".repeat(3000);
    client(port, withPassword("guess", username), { username });
    await vi.waitFor(() => expect(of("SftpRefused")).not.toEqual([]));
    expect(of("SftpRefused")[0]?.user).toBe("x".repeat(64));
  });

  test("who comes again and again waits for his turn, and nobody waits for all of his", async () => {
    const { port } = await open();
    const greeted: string[] = [];
    const greeting = async (from: string): Promise<void> => {
      const socket = connect({ host: "127.0.0.1", port, localAddress: from });
      onTestFinished(() => void socket.destroy());
      await once(socket, "data");
      greeted.push(from);
    };
    const flood = Array.from({ length: 40 }, () => greeting("127.0.0.8"));
    await Promise.all([...flood, greeting("127.0.0.9")]);
    expect(greeted.indexOf("127.0.0.9")).toBeLessThan(20);
  });

  test("who comes and breaks off, again and again, is no fault of ours, and keeps nobody's turn", async () => {
    const { port, of } = await open({ connections: { most: 100, perAddress: 5 } });
    for (let round = 0; round < 40; round += 1) {
      const sockets = await Promise.all(Array.from({ length: 5 }, () => stranger(port)));
      for (const socket of sockets) socket.resetAndDestroy();
    }
    const comesIn = async (): Promise<boolean> => {
      const { made, ended } = client(port, withPassword(PASSWORD));
      return await Promise.race([once(made, "ready").then(() => true), ended.then(() => false)]);
    };
    await vi.waitUntil(comesIn, { timeout: 10_000 });
    expect(of("SftpFailed")).toEqual([]);
  });

  test("does not hold up a receiver that stops", async () => {
    const { port, stop } = await open();
    const silent = await stranger(port);
    await pause(50);
    const from = performance.now();
    await stop(5000);
    expect(performance.now() - from).toBeLessThan(1000);
    silent.destroy();
  });
});

test("only who has proved who he is hears that his client is suspended", async () => {
  const suspended = new ProblemError("client-suspended", 'the client "bakery" is suspended');
  const { port, of } = await open({
    login: { byPassword: async (_user, password) => (password === PASSWORD ? suspended : wrong) },
  });
  const banners: string[] = [];
  const tries = ["guess", PASSWORD, PASSWORD, "guess"];
  const { made, ended } = client(port, (_, next) => {
    const password = tries.shift();
    next(password !== undefined && { type: "password", username: "till", password });
  });
  made.on("banner", (words) => void banners.push(`${words.trim()}, before ${tries.length} more`));
  await ended;
  expect(banners).toEqual(['tributary: client-suspended: the client "bakery" is suspended, before 2 more']);
  expect(of("SftpRefused").map(({ code }) => code)).toEqual([
    ...["unauthenticated", "client-suspended", "client-suspended", "unauthenticated"],
  ]);
});

test("two connections from one port of a host to two addresses of ours are two", async () => {
  const { port, of, stop } = await open();
  const one = await stranger(port, { host: "127.0.0.2", localAddress: "127.0.0.1" });
  const two = await stranger(port, {
    ...{ host: "127.0.0.3", localAddress: "127.0.0.1", localPort: one.localPort },
  });
  await pause(50);
  one.destroy();
  await pause(50);
  // The one that is left is still served, and found when the receiver stops.
  two.write("SSH-2.0-x\r\n");
  await vi.waitFor(() => expect(of("SftpConnected")).toHaveLength(1));
  await pause(50);
  expect(two.destroyed).toBe(false);
  const from = performance.now();
  await stop(100);
  expect(performance.now() - from).toBeLessThan(2000);
});

test("when all places are taken by who has not logged in, the next one gets one of theirs", async () => {
  const { port, of } = await open({ connections: { most: 4, perAddress: 4 } });
  const strangers = [];
  for (let i = 0; i < 4; i += 1) strangers.push(await stranger(port, { localAddress: "127.0.0.8" }));
  const { made } = client(port, withPassword(PASSWORD));
  await once(made, "ready");
  expect(strangers.map((one) => one.destroyed)).toEqual([true, false, false, false]);
  expect(of("SftpTurnedAway")).toMatchObject([{ address: "127.0.0.8" }]);
});

test("a program that is too old is in the log, with what it lacks", async () => {
  const { port, of } = await open();
  const algorithms = { kex: ["diffie-hellman-group14-sha1" as const] };
  const { ended } = client(port, () => {}, { algorithms, ident: "ancient" });
  await ended;
  expect(of("SftpNotAgreed")).toMatchObject([
    { program: "ancient", why: expect.stringContaining("no matching key exchange algorithm") },
  ]);
});

test("an address of IPv4 is called the same, whichever way it came", async () => {
  const { port, of } = await open({ host: "::" });
  const { made } = client(port, withPassword(PASSWORD));
  await once(made, "ready");
  expect(of("SftpLoggedIn")).toMatchObject([{ address: "127.0.0.1" }]);
});

test("keys are exchanged again by who is in, but not without end", async () => {
  const { port, of } = await open();
  const { made, ended } = client(port, withPassword(PASSWORD));
  await once(made, "ready");
  let exchanges = 0;
  made.on("handshake", () => {
    exchanges += 1;
    if (exchanges < 200) exchangeKeys(made);
    else made.destroy();
  });
  exchangeKeys(made);
  await ended;
  expect(exchanges).toBeGreaterThan(5);
  expect(exchanges).toBeLessThan(100);
  await vi.waitFor(() => expect(of("SftpEnded")[0]?.why).toMatch(/exchanged keys again and again/));
});

test("why a connection ended is told, not guessed", async () => {
  const { port, of } = await open();
  const { made } = client(port, withPassword(PASSWORD));
  await once(made, "ready");
  (socketOf(made) as Socket).resetAndDestroy();
  await vi.waitFor(() => expect(of("SftpEnded")).toHaveLength(1));
  expect(of("SftpEnded")[0]?.why).toMatch(/the connection failed: .*ECONNRESET/);
});

describe("keys", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const { e = "", n = "" } = rsa.publicKey.export({ format: "jwk" });
  const blob = fields("ssh-rsa", ...[e, n].map((text) => mpint(Buffer.from(text, "base64url"))));

  /** A signed request, whose signature says it is `algorithm` and is made with `digest`. */
  async function signed(algorithm: string, digest: string): Promise<"in" | "refused"> {
    const { port, of } = await open({
      login: { byKey: async (_user, asked) => (asked.equals(blob) ? (account as Account) : undefined) },
    });
    const { made } = client(port, () => {
      const { sessionID } = (made as unknown as { _protocol: { _kex: { sessionID: Buffer } } })._protocol
        ._kex;
      const request = Buffer.concat([
        Buffer.from([50]),
        ...["till", "ssh-connection", "publickey"].map((text) => string(text)),
        Buffer.from([1]),
        string(algorithm),
        string(blob),
      ]);
      const signature = sign(digest, Buffer.concat([string(sessionID), request]), rsa.privateKey);
      sendPacket(made, Buffer.concat([request, string(fields(algorithm, signature))]));
    });
    await vi.waitFor(() => expect([...of("SftpLoggedIn"), ...of("SftpRefused")]).toHaveLength(1));
    return of("SftpLoggedIn").length > 0 ? "in" : "refused";
  }

  test.for([
    ["rsa-sha2-256", "sha256", "in"],
    ["rsa-sha2-512", "sha512", "in"],
    ["ssh-rsa", "sha1", "refused"],
    ["rsa-sha2-256", "sha1", "refused"],
    // What the client calls the signature decides nothing: SHA-1 by another name is SHA-1.
    ["ssh-ed25519", "sha1", "refused"],
    ["anything", "sha1", "refused"],
  ] as const)("an RSA signature called %s, made with %s: %s", async ([algorithm, digest, outcome]) => {
    expect(await signed(algorithm, digest)).toBe(outcome);
  });

  test("that are not the user's are in the audit once, with what they are", async () => {
    const { port, of } = await open();
    const keys = ["a", "b"].map((comment) => makePrivateKey("ssh-ed25519", comment));
    let tried = 0;
    const { ended } = client(port, (_, next) => {
      const key = keys[tried];
      tried += 1;
      next(key === undefined ? false : { type: "publickey", username: "till", key: key.text });
    });
    await ended;
    await vi.waitFor(() => expect(of("SftpRefused")).toHaveLength(1));
    const [refused] = of("SftpRefused");
    expect(refused).toMatchObject({ user: "till", method: "publickey", code: "unauthenticated" });
    for (const key of keys) expect(refused?.why).toContain(fingerprintOf(key.blob));
  });

  test("of which one is right leave no refusal behind, and are told apart", async () => {
    const right = makePrivateKey("ssh-ed25519", "right");
    const proved = { ...account, principal: { ...account.principal, proof: right.fingerprint } };
    const { port, of } = await open({
      login: { byKey: async (_user, asked) => (asked.equals(right.blob) ? proved : undefined) },
    });
    const other = makePrivateKey("ssh-ed25519", "other");
    let tried = 0;
    const { made, ended } = client(port, (_, next) => {
      tried += 1;
      next({ type: "publickey", username: "till", key: tried === 1 ? other.text : right.text });
    });
    await once(made, "ready");
    made.end();
    await ended;
    await vi.waitFor(() => expect(of("SftpEnded")).toHaveLength(1));
    expect(of("SftpRefused")).toEqual([]);
    expect(of("SftpLoggedIn")).toMatchObject([{ method: "publickey", key: right.fingerprint }]);
  });
});
