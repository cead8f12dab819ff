/** Who may come in, what is said when he may not, and that no secret is in it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { AuthContext } from "ssh2";
import { expect, onTestFinished, test } from "vitest";
import { RemoteError } from "../remote.ts";
import { fakeServer, fingerprintOf, hostKey } from "./fake-server.ts";
import type { ReadSecret } from "./login.ts";

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(RemoteError);
  expect((error as RemoteError).failure).toBe("away");
  return (error as RemoteError).message;
}

const secretsOf =
  (values: Readonly<Record<string, string>>): ReadSecret =>
  (reference) =>
    Promise.resolve(("secret" in reference ? values[reference.secret] : undefined) ?? "");

test("a password that is right", async () => {
  await using server = await fakeServer();
  await using remote = await server.remote();
  expect(await remote.identity()).toBe(`sftp://u@127.0.0.1:${server.port}/`);
});

test("a password that is wrong is tried once, and not shown", async () => {
  let tries = 0;
  await using server = await fakeServer({
    login(context) {
      if (context.method !== "none") tries += 1;
      context.reject(["password", "keyboard-interactive"]);
    },
  });
  await using remote = await server.remote({}, {}, () => Promise.resolve("hunter2"));
  const message = await refusal(remote.identity());
  expect(message).toContain(`127.0.0.1:${server.port}`);
  expect(message).toContain("refused the password of user u");
  expect(message).not.toContain("hunter2");
  expect(tries).toBe(1);
});

test("a password is given where the server only asks for it in a dialogue", async () => {
  await using server = await fakeServer({
    login(context) {
      if (context.method !== "keyboard-interactive") return context.reject(["keyboard-interactive"]);
      context.prompt([{ prompt: "Password:", echo: false }], ([answer]) =>
        answer === "right" ? context.accept() : context.reject(),
      );
    },
  });
  await using remote = await server.remote();
  expect(await remote.identity()).toContain("sftp://");
});

test("a second question is not answered with the password", async () => {
  const answers: string[] = [];
  await using server = await fakeServer({
    login(context) {
      if (context.method !== "keyboard-interactive") return context.reject(["keyboard-interactive"]);
      context.prompt([{ prompt: "Password:", echo: false }], (first) => {
        context.prompt([{ prompt: "Code:", echo: true }], (second) => {
          answers.push(...first, ...second);
          context.reject(["keyboard-interactive"]);
        });
      });
    },
  });
  await using remote = await server.remote();
  expect(await refusal(remote.identity())).toContain('asks for more than a password: "Code:"');
  expect(answers).toEqual(["right", ""]);
});

test("a server that takes no passwords says what it takes", async () => {
  await using server = await fakeServer({ login: (context) => context.reject(["publickey"]) });
  await using remote = await server.remote();
  expect(await refusal(remote.identity())).toContain(
    "takes only publickey of user u, and a password is what is given",
  );
});

test("a credential that was changed counts at the next connection", async () => {
  const secrets = ["old", "right"];
  await using server = await fakeServer();
  await using remote = await server.remote({}, {}, () => Promise.resolve(secrets.shift() ?? ""));
  expect(await refusal(remote.identity())).toContain("refused the password");
  expect(await remote.identity()).toContain("sftp://");
});

test("a secret that is not there is named", async () => {
  await using server = await fakeServer();
  await using remote = await server.remote({}, {}, () =>
    Promise.reject(new ProblemError("secret-missing", "the secret x is not there")),
  );
  expect(await refusal(remote.identity())).toContain("user u cannot log in: the secret x is not there");
});

function keyPair(...words: readonly string[]): { readonly text: string; readonly publicKey: string } {
  const folder = mkdtempSync(join(tmpdir(), "sftp-key-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  execFileSync("ssh-keygen", ["-q", "-C", "", ...words, "-f", join(folder, "key")]);
  return {
    text: readFileSync(join(folder, "key"), "utf8"),
    publicKey: readFileSync(join(folder, "key.pub"), "utf8").split(" ")[1] as string,
  };
}

function takesKey(publicKey: string): (context: AuthContext) => void {
  return (context) => {
    if (context.method === "publickey" && context.key.data.toString("base64") === publicKey) context.accept();
    else context.reject(["publickey"]);
  };
}

test.each([
  ["Ed25519", ["-t", "ed25519", "-N", ""], undefined],
  ["encrypted", ["-t", "ed25519", "-N", "open sesame"], "open sesame"],
  ["RSA", ["-t", "rsa", "-b", "2048", "-N", ""], undefined],
  ["RSA in PEM, encrypted", ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"], "open sesame"],
] as const)("a private key: %s", async (_, words, passphrase) => {
  const { text, publicKey } = keyPair(...words);
  await using server = await fakeServer({ login: takesKey(publicKey) });
  const more = passphrase === undefined ? {} : { passphrase: { secret: "phrase" } };
  await using remote = await server.remote(
    { password: undefined, privateKey: { secret: "key" }, ...more },
    {},
    secretsOf({ key: text, phrase: passphrase ?? "" }),
  );
  expect(await remote.identity()).toContain("sftp://");
});

test.each([
  [
    "a wrong passphrase",
    ["-t", "ed25519", "-N", "open sesame"],
    "wrong one",
    /is not the passphrase of the private key/,
  ],
  [
    "a wrong passphrase (PEM)",
    ["-t", "rsa", "-m", "PEM", "-N", "open sesame"],
    "wrong one",
    /is not the passphrase of/,
  ],
  [
    "no passphrase",
    ["-t", "ed25519", "-N", "open sesame"],
    undefined,
    /is encrypted: name its passphrase as `passphrase`/,
  ],
  [
    "no passphrase (PEM)",
    ["-t", "rsa", "-m", "PEM", "-N", "open sesame"],
    undefined,
    /is encrypted: name its passphrase/,
  ],
] as const)("an encrypted private key with %s", async (_, words, passphrase, expected) => {
  const { text, publicKey } = keyPair(...words);
  await using server = await fakeServer({ login: takesKey(publicKey) });
  await using remote = await server.remote(
    {
      password: undefined,
      privateKey: { secret: "key" },
      ...(passphrase === undefined ? {} : { passphrase: { secret: "phrase" } }),
    },
    {},
    secretsOf({ key: text, phrase: passphrase ?? "" }),
  );
  const message = await refusal(remote.identity());
  expect(message).toMatch(expected);
  expect(message).not.toContain("wrong one");
  expect(message).not.toContain(text.slice(40, 60));
});

test("an RSA key where the server does not say which signatures it takes", async () => {
  const { text, publicKey } = keyPair("-t", "rsa", "-b", "2048", "-N", "");
  await using server = await fakeServer({ login: takesKey(publicKey), met: withoutSignatures });
  await using remote = await server.remote(
    { password: undefined, privateKey: { secret: "key" } },
    {},
    secretsOf({ key: text }),
  );
  expect(await remote.identity()).toContain("sftp://");
});

/** ssh2's own server says it to everybody (RFC 8308). */
function withoutSignatures(client: object): void {
  const { _protocol: protocol } = client as { _protocol: object };
  let exchange: object | undefined;
  Object.defineProperty(protocol, "_kex", {
    get: () => exchange,
    set(next: object | undefined) {
      exchange = next;
      if (next !== undefined)
        Object.defineProperty(next, "remoteExtInfoEnabled", {
          get: () => false,
          set() {
            // It is what it is.
          },
        });
    },
  });
}

test("a public key in place of a private one", async () => {
  const { publicKey } = keyPair("-t", "ed25519", "-N", "");
  await using server = await fakeServer({ login: takesKey(publicKey) });
  await using remote = await server.remote(
    { password: undefined, privateKey: { secret: "key" } },
    {},
    secretsOf({ key: `ssh-ed25519 ${publicKey}` }),
  );
  expect(await refusal(remote.identity())).toContain("is a public key");
});

test("a key and then a password, where the server wants both", async () => {
  const { text } = keyPair("-t", "ed25519", "-N", "");
  let first = false;
  await using server = await fakeServer({
    login(context) {
      if (context.method === "password" && first && context.password === "right") context.accept();
      else if (context.method === "publickey") {
        first = context.signature !== undefined;
        if (first) context.reject(["password"], true);
        else context.accept();
      } else context.reject(["publickey"]);
    },
  });
  await using remote = await server.remote(
    { privateKey: { secret: "key" } },
    {},
    secretsOf({ key: text, password: "right" }),
  );
  expect(await remote.identity()).toContain("sftp://");
});

test("without a host key nobody logs in, and all that the server has are shown", async () => {
  const keys = [hostKey("ecdsa"), hostKey("rsa")];
  let asked = 0;
  await using server = await fakeServer({ hostKeys: keys, login: () => (asked += 1) });
  await using remote = await server.remote({ hostKeys: [] });
  const message = await refusal(remote.identity());
  for (const one of keys) expect(message).toContain(fingerprintOf(one));
  expect(message).toContain("`hostKey` is not given");
  expect(message).toContain("administrator");
  expect(asked).toBe(0);
});

test("another host key than the pinned one: nobody logs in", async () => {
  let asked = 0;
  await using server = await fakeServer({ login: () => (asked += 1) });
  const other = `SHA256:${"A".repeat(43)}`;
  await using remote = await server.remote({ hostKeys: [other] });
  const message = await refusal(remote.identity());
  expect(message).toContain(server.fingerprints[0]);
  expect(message).toContain(`not ${other}`);
  expect(asked).toBe(0);
});

test("the pinned host key need not be the one that the server shows first", async () => {
  const keys = [hostKey("ecdsa"), hostKey("rsa")];
  let met = 0;
  await using server = await fakeServer({ hostKeys: keys, met: () => (met += 1) });
  await using remote = await server.remote({ hostKeys: [fingerprintOf(keys[1] as string)] }, { idle: 1 });
  expect(await remote.identity()).toContain("sftp://");
  expect(met).toBe(2);
  await expect.poll(() => server.connections.size).toBe(0);
  expect(await remote.identity()).toContain("sftp://");
  expect(met).toBe(3);
});

test.each([
  ["closes at once", "", /closed the connection at once: it may have too many/],
  ["closes with a word", "Not allowed at this time\r\n", /at once, and said "Not allowed at this time"/],
  ["is no SSH server", "220 ftp.example ESMTP\r\n".repeat(2), /said "220 ftp.*or be no SFTP server/],
])("a server that %s", async (_, words, expected) => {
  const server = createServer((socket) => socket.end(words)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await using fake = await fakeServer();
  const { port } = server.address() as { port: number };
  await using remote = await fake.remote({ port });
  const message = await refusal(remote.identity());
  expect(message).toContain(`127.0.0.1:${port}`);
  expect(message).toMatch(expected);
});

test("a server that takes connections and says nothing", async () => {
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await using fake = await fakeServer();
  await using remote = await fake.remote(
    { port: (server.address() as { port: number }).port },
    { login: 200 },
  );
  expect(await refusal(remote.identity())).toContain("did not let anybody in within 0.2 s");
  server.close();
});

test("nothing listens; a name that nobody knows", async () => {
  await using fake = await fakeServer();
  await using closed = await fake.remote({ port: 1 });
  expect(await refusal(closed.identity())).toMatch(
    /127\.0\.0\.1:1: nothing takes connections there.*ECONNREFUSED/,
  );
  await using unknown = await fake.remote({ host: "no-such-host.invalid" });
  expect(await refusal(unknown.identity())).toMatch(/no-such-host\.invalid:\d+: .*name/);
});

test("a server that breaks off the login says why", async () => {
  await using server = await fakeServer({
    login(context) {
      if (context.method === "none") context.reject(["password"]);
      else for (const one of server.connections) breakOff(one);
    },
  });
  await using remote = await server.remote();
  expect(await refusal(remote.identity())).toMatch(/TOO_MANY_CONNECTIONS \(during the login of user u\)/);
});

/** ssh2 sends no words of its own with it. */
function breakOff(client: object): void {
  const { _protocol: protocol } = client as { _protocol: { disconnect(reason: number): void } };
  protocol.disconnect(12);
}
