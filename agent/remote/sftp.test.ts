/** Against OpenSSH's own server. */
import { chmod, mkdir, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { type Sshd, type SshdOptions, startSshd } from "@tributary/test/servers/sshd.ts";
import { describe, expect, test } from "vitest";
import { afterByHands } from "../source/after.ts";
import { join, parent } from "../source/bytes.ts";
import type { RemoteTools } from "./kind.ts";
import { remoteContract, type Yard } from "./remote.contract.ts";
import { type Entry, type Remote, RemoteError } from "./remote.ts";
import { sftp } from "./sftp.ts";

function tools(values: Readonly<Record<string, string>>): RemoteTools {
  return {
    secrets: {
      read: (reference) => Promise.resolve(values["secret" in reference ? reference.secret : ""] ?? ""),
    },
    parallel: 4,
    warn: () => undefined,
  };
}

async function connected(sshd: Sshd, more: object = {}): Promise<Remote> {
  const settings = sftp.settings.parse({
    name: "s",
    kind: "sftp",
    host: "127.0.0.1",
    port: sshd.port,
    user: sshd.username,
    privateKey: { secret: "key" },
    hostKey: (await sshd.hostKeys()).map(({ fingerprint }) => fingerprint),
    path: sshd.seen,
    ...more,
  });
  return await sftp.connect(settings, tools({ key: sshd.privateKey, password: sshd.password ?? "" }));
}

async function yard(): Promise<Yard> {
  const sshd = await startSshd();
  const at = (path: Buffer): Buffer => join(Buffer.from(sshd.root), path);
  return {
    connect: () => connected(sshd),
    root: sshd.seen,
    async write(path, bytes) {
      await mkdir(parent(at(path)), { recursive: true });
      await writeFile(at(path), bytes);
    },
    remove: (path) => rm(at(path)),
    async paths() {
      const found = await readdir(sshd.root, { recursive: true, withFileTypes: true });
      return found
        .filter((one) => one.isFile())
        .map((one) => `${one.parentPath}/${one.name}`.slice(sshd.root.length + 1));
    },
    async away() {
      await sshd.halt();
      return () => sshd.resume();
    },
    cut: () => sshd.dropConnections(),
    folders: true,
    anyBytes: true,
    close: () => sshd.stop(),
  };
}

remoteContract("sftp", yard);

const isRoot = process.getuid?.() === 0;

async function served(options: SshdOptions = {}): Promise<AsyncDisposable & { readonly sshd: Sshd }> {
  const sshd = await startSshd(options);
  return { sshd, [Symbol.asyncDispose]: () => sshd.stop() };
}

async function listed(remote: Remote, folder = ""): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const some of remote.list(Buffer.from(folder), new AbortController().signal))
    found.push(...some);
  return found;
}

async function read(remote: Remote, path: string): Promise<string> {
  await using file = await remote.open(Buffer.from(path), {} as never);
  let text = "";
  for await (const piece of file.bytes(0)) text += piece;
  return text;
}

async function failing(work: Promise<unknown>): Promise<RemoteError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
}

describe("OpenSSH", () => {
  test("links are not followed, wherever they stand; the root may be one", async () => {
    await using place = await served();
    const { root } = place.sshd;
    await mkdir(`${root}/real/d`, { recursive: true });
    await writeFile(`${root}/real/d/x`, "1");
    await symlink(`${root}/real`, `${root}/root`);
    await symlink("d", `${root}/real/l`);
    await symlink("d/x", `${root}/real/f`);
    await using remote = await connected(place.sshd, { path: "root" });
    expect((await remote.identity()).endsWith(`${root}/real`)).toBe(true);
    expect((await listed(remote)).map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual([
      "folder d",
      "other f",
      "other l",
    ]);
    expect(await read(remote, "d/x")).toBe("1");
    for (const work of [() => listed(remote, "l"), () => read(remote, "l/x"), () => read(remote, "f")]) {
      const { failure, message } = await failing(work());
      expect(failure).toBe("absent");
      expect(message).toContain("links are not followed");
    }
    expect(await remote.look(Buffer.from("l/x"))).toBeUndefined();
    // A folder becomes a link between two looks.
    await rename(`${root}/real/d`, `${root}/real/e`);
    await symlink("e", `${root}/real/d`);
    expect((await failing(read(remote, "d/x"))).failure).toBe("absent");
    expect((await failing(listed(remote, "d"))).failure).toBe("absent");
  });

  test("the root is another folder now: another identity, and its files", async () => {
    await using place = await served();
    const { root } = place.sshd;
    for (const name of ["one", "two"]) {
      await mkdir(`${root}/${name}`);
      await writeFile(`${root}/${name}/x`, name);
    }
    await symlink("one", `${root}/root`);
    await using remote = await connected(place.sshd, { path: "root" });
    const first = await remote.identity();
    expect(await read(remote, "x")).toBe("one");
    await rm(`${root}/root`);
    await symlink("two", `${root}/root`);
    expect(await remote.identity()).not.toBe(first);
    expect(await read(remote, "x")).toBe("two");
  });

  test("a password; and a new host key lets nobody in before it is written down", async () => {
    await using place = await served();
    const { sshd } = place;
    if (sshd.password === undefined) return;
    await using remote = await connected(sshd, { privateKey: undefined, password: { secret: "password" } });
    const identity = await remote.identity();
    await sshd.resume("other");
    await expect
      .poll(async () => String(await remote.identity().catch(String)))
      .toContain("shows the host keys");
    const { failure, message } = await failing(remote.identity());
    expect(failure).toBe("away");
    for (const { fingerprint } of await sshd.hostKeys()) expect(message).toContain(fingerprint);
    await using again = await connected(sshd);
    expect(await again.identity()).toBe(identity);
  });

  test.runIf(isRoot)("what an account may not read, and may not change, is said of that alone", async () => {
    await using place = await served({ uid: 65_534 });
    const { root } = place.sshd;
    for (const name of ["a", "secret", "z"]) await writeFile(`${root}/${name}`, name);
    await mkdir(`${root}/closed`, { mode: 0o700 });
    await chmod(`${root}/secret`, 0o600);
    await using remote = await connected(place.sshd);
    expect((await listed(remote)).length).toBe(4);
    const secret = await failing(read(remote, "secret"));
    expect(secret.failure).toBe("denied");
    expect(secret.message).toBe('cannot read secret: the server says "Permission denied"');
    expect((await failing(listed(remote, "closed"))).failure).toBe("denied");
    expect(await read(remote, "z")).toBe("z");
    const hands = remote.hands as NonNullable<Remote["hands"]>;
    const state = await hands.look(Buffer.from(`${root}/a`));
    if (state === undefined) throw new Error("no file");
    const done = await afterByHands(Buffer.from(root), hands).act(
      { kind: "delete" },
      { path: Buffer.from("a"), state },
      "0190a8c0-0000-7000-8000-000000000001",
    );
    expect(done).toMatchObject({ kind: "failed", reason: expect.stringContaining("Permission denied") });
  });

  test("a server that knows only what is not safe is refused in words, and taken when that is asked for", async () => {
    await using place = await served({
      settings: [
        "KexAlgorithms diffie-hellman-group14-sha1",
        "HostKeyAlgorithms ssh-rsa",
        "MACs hmac-sha1",
        "Ciphers aes128-cbc",
      ],
    });
    await using safe = await connected(place.sshd);
    const { failure, message } = await failing(safe.identity());
    expect(failure).toBe("away");
    expect(message).toMatch(/knows no key exchange algorithm that is safe.*`legacy: true`/);
    await using legacy = await connected(place.sshd, { legacy: true });
    expect(await legacy.identity()).toContain("sftp://");
  });

  test.runIf(isRoot)("in a chroot, from where the login lands", async () => {
    await using place = await served({ chroot: true, start: "/in" });
    await mkdir(`${place.sshd.root}/in/b`, { recursive: true });
    await writeFile(`${place.sshd.root}/in/b/x`, "1");
    await using remote = await connected(place.sshd, { path: "b" });
    expect((await remote.identity()).endsWith("/in/b")).toBe(true);
    expect(await read(remote, "x")).toBe("1");
    await using landed = await connected(place.sshd, { path: "." });
    expect((await landed.identity()).endsWith("/in")).toBe(true);
  });
});

describe("agent.yaml", () => {
  const least = { name: "s", kind: "sftp", host: "h", user: "u", password: { secret: "p" } };
  const wrong = (more: object): string => sftp.settings.safeParse({ ...least, ...more }).error?.message ?? "";

  test("the least that is needed", () => {
    const settings = sftp.settings.parse(least);
    expect(settings).toMatchObject({ port: 22, path: ".", legacy: false });
    expect(sftp.where(settings)).toBe("sftp://u@h/~");
    expect(sftp.where({ ...settings, port: 2222, path: "/data" })).toBe("sftp://u@h:2222/data");
    expect(sftp.where({ ...settings, path: "out" })).toBe("sftp://u@h/~/out");
    expect(sftp.address(settings)).toEqual({ host: "h", port: 22 });
  });

  test("what is wrong is said", () => {
    expect(wrong({ password: undefined })).toContain("expected password or privateKey");
    expect(wrong({ passphrase: { env: "P" } })).toContain("a passphrase is nothing without a privateKey");
    expect(wrong({ hostKey: "MD5:aa:bb" })).toContain("as `ssh-keygen -l` prints it");
    expect(wrong({ host: "u@h" })).toContain("without a user, a port or a path");
    expect(wrong({ password: "hunter2" })).not.toContain("hunter2");
    expect(wrong({ passwort: 1 })).toContain("passwort");
    expect(wrong({ hostKey: [`SHA256:${"a".repeat(43)}`] })).toBe("");
  });
});
