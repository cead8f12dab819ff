import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { endSessions, freeze, halted, thaw } from "./processes.ts";
import { createSandbox, freePorts, type Sandbox, untilReady } from "./sandbox.ts";

/** Where Debian puts it, which is not in everybody's PATH. */
export const SSHD = "/usr/sbin/sshd";

export interface SshdOptions {
  /** Clients see `root` as `/`. Only where root runs the tests. */
  readonly chroot?: boolean;
  /** Where a session starts, as clients see it; without, in `root`. */
  readonly start?: string;
  /** The account's user, for what permissions deny; without, who runs the tests. Only where root runs them. */
  readonly uid?: number;
  /** No client can change anything (`internal-sftp -R`). */
  readonly readOnly?: boolean;
  /** Lines of sshd_config, before all others: the first one counts. */
  readonly settings?: readonly string[];
}

export interface HostKey {
  readonly kind: "ssh-ed25519" | "ssh-rsa";
  /** `kind base64`, as in known_hosts. */
  readonly publicKey: string;
  /** `SHA256:…`, as ssh-keygen says it. */
  readonly fingerprint: string;
}

export interface Sshd {
  readonly port: number;
  readonly username: string;
  /** Undefined unless root runs the tests: sshd can check no password otherwise. */
  readonly password: string | undefined;
  /** An OpenSSH private key (ed25519) that may log in. */
  readonly privateKey: string;
  /** Who may log in by key; sshd reads it at each login. */
  readonly authorizedKeys: string;
  /** The folder that is served, on this machine. */
  readonly root: string;
  /** `root` as clients see it. */
  readonly seen: string;
  hostKeys(): Promise<readonly HostKey[]>;
  /** The only password from the next login on. Only where root runs the tests. */
  setPassword(next: string): Promise<void>;
  /** Ends the connections that there are, and takes new ones. */
  dropConnections(): Promise<void>;
  /** It hangs: what is open stays open, what is new is accepted, and nothing is answered until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The listener and every connection end. */
  halt(): Promise<void>;
  /** Listens at the same port again, with other host keys when asked. */
  resume(hostKeys?: "same" | "other"): Promise<void>;
  stop(): Promise<void>;
}

/** Passwords and chroots are root's, in a namespace of sshd's own. */
const isRoot = process.getuid?.() === 0;

/**
 * In a mount namespace of its own sshd finds one account and its password, and the served folder at a path that nobody
 * else can write to, which is what it asks of a chroot. The machine's accounts stay as they are.
 */
const enter = `set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
mount --bind "$1/root" /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd
exec ${SSHD} -D -e -f "$1/sshd_config"`;

/** A real OpenSSH server with SFTP on loopback, for one account that is the user who runs the tests. */
export async function startSshd(options: SshdOptions = {}, attempts = 3): Promise<Sshd> {
  const sandbox = await createSandbox("sshd");
  try {
    return await boot(sandbox, options);
  } catch (error) {
    const words = await sandbox.lastWords("sshd");
    await sandbox.stop();
    // A port that was free may be taken by the time that it is used.
    if (attempts > 1 && /in use|EADDRINUSE/i.test(`${error}\n${words}`))
      return startSshd(options, attempts - 1);
    throw new Error(`sshd did not start: ${error}\n${words}`, { cause: error });
  }
}

async function boot(sandbox: Sandbox, options: SshdOptions): Promise<Sshd> {
  const folder = sandbox.folder;
  const root = join(folder, "root");
  const username = isRoot ? "partner" : userInfo().username;
  const [port] = (await freePorts(1)) as [number];
  // Another user passes through, to what is served and to authorized_keys.
  await chmod(folder, 0o711);
  await mkdir(root);
  await chmod(root, 0o755);
  await makeHostKeys(sandbox);
  await sandbox.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", join(folder, "key")]);
  const authorizedKeys = join(folder, "authorized_keys");
  await writeFile(authorizedKeys, await readFile(join(folder, "key.pub")));
  await writeFile(join(folder, "sshd_config"), configuration(folder, port, options));

  let running: ChildProcess | undefined;
  const sshd: Sshd = {
    port,
    username,
    password: isRoot ? crypto.randomUUID() : undefined,
    privateKey: await readFile(join(folder, "key"), "utf8"),
    authorizedKeys,
    root,
    seen: options.chroot ? "/" : root,
    hostKeys: () => Promise.all(hostKeyNames.map((name) => readHostKey(join(folder, name)))),
    async setPassword(next) {
      const hash = (await sandbox.run("openssl", ["passwd", "-6", next])).trim();
      await writeFile(join(folder, "shadow"), `${username}:${hash}:20000:0:99999:7:::\n`, { mode: 0o600 });
    },
    dropConnections: () => endSessions(running),
    freeze: () => freeze(running),
    thaw: () => thaw(running),
    halt: () => halted(running),
    async resume(hostKeys = "same") {
      await sshd.halt();
      if (hostKeys === "other") await makeHostKeys(sandbox);
      running = isRoot
        ? sandbox.start("sshd", "unshare", ["--mount", "/bin/sh", "-c", enter, "enter", folder])
        : sandbox.start("sshd", SSHD, ["-D", "-e", "-f", join(folder, "sshd_config")]);
      await untilReady([running], () => greets(port), 20);
    },
    async stop() {
      await sshd.halt();
      await sandbox.stop();
    },
  };
  await writeFile(join(folder, "passwd"), accounts(username, options.uid ?? userInfo().uid, root));
  if (sshd.password !== undefined) await sshd.setPassword(sshd.password);
  await sshd.resume();
  return sshd;
}

function accounts(username: string, uid: number, home: string): string {
  return `${username}:x:${uid}:${uid}::${home}:/bin/sh\nsshd:x:65533:65533::/run/sshd:/usr/sbin/nologin\n`;
}

function configuration(folder: string, port: number, options: SshdOptions): string {
  const start = options.start ?? (options.chroot ? "/" : join(folder, "root"));
  const sftp = `internal-sftp${options.readOnly ? " -R" : ""} -d ${start}`;
  return [
    ...(options.settings ?? []),
    `ListenAddress 127.0.0.1:${port}`,
    ...hostKeyNames.map((name) => `HostKey ${join(folder, name)}`),
    `AuthorizedKeysFile ${join(folder, "authorized_keys")}`,
    `PasswordAuthentication ${isRoot ? "yes" : "no"}`,
    "KbdInteractiveAuthentication no",
    "PermitRootLogin yes",
    "UsePAM no",
    "StrictModes no",
    "PidFile none",
    "LogLevel VERBOSE",
    "MaxStartups 200",
    "UseDNS no",
    `Subsystem sftp ${sftp}`,
    ...(options.chroot ? ["ChrootDirectory /mnt"] : []),
    "",
  ].join("\n");
}

const hostKeyNames = ["host_ed25519", "host_rsa"] as const;

async function makeHostKeys(sandbox: Sandbox): Promise<void> {
  const make = async (name: string) => {
    // Beside, then in its place: a key that is there is one that ssh-keygen asks about.
    const fresh = join(sandbox.folder, `${name}.fresh`);
    const words = ["-q", "-t", name.slice("host_".length), "-N", "", "-C", "", "-f", fresh];
    await sandbox.run("ssh-keygen", words);
    await rename(fresh, join(sandbox.folder, name));
    await rename(`${fresh}.pub`, join(sandbox.folder, `${name}.pub`));
  };
  await Promise.all(hostKeyNames.map(make));
}

async function readHostKey(path: string): Promise<HostKey> {
  const [kind, base64] = (await readFile(`${path}.pub`, "utf8")).trim().split(" ") as [
    HostKey["kind"],
    string,
  ];
  const hash = createHash("sha256").update(Buffer.from(base64, "base64")).digest("base64");
  return { kind, publicKey: `${kind} ${base64}`, fingerprint: `SHA256:${hash.replace(/=+$/, "")}` };
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", (said) => {
      socket.destroy();
      resolve(String(said).startsWith("SSH-2.0-"));
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}
