import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { endSessions, freeze, halted, thaw } from "./processes.ts";
import { createSandbox, freePorts, type Sandbox, untilReady } from "./sandbox.ts";

/** Where Debian puts it, which is not in everybody's PATH. */
export const SMBD = "/usr/sbin/smbd";
/** What mounts a share, too. */
export const sambaPrograms = [SMBD, "smbpasswd", "rclone", "fusermount3"];

export interface Mount {
  /** The share as a folder of this machine. */
  readonly folder: string;
  /** As when the machine that mounted it forgets it: the folder is there, and empty. */
  unmount(): Promise<void>;
  /** The client dies: whoever touches the folder gets ENOTCONN. */
  kill(): Promise<void>;
  mount(): Promise<void>;
  /** The client hangs: whoever touches the folder waits, and cannot be interrupted, until `thaw`, `kill` or `unmount`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

export interface Samba {
  readonly port: number;
  readonly share: string;
  readonly username: string;
  readonly password: string;
  /** The folder that is shared, on this machine. */
  readonly root: string;
  /** Mounts the share; what the server shows is looked at again after `cacheSeconds` (1). */
  mount(options?: { readonly cacheSeconds?: number }): Promise<Mount>;
  /** Ends the connections that there are, and takes new ones; a client comes back by itself. */
  dropConnections(): Promise<void>;
  /** It hangs: what is open stays open, what is new is accepted, and nothing is answered until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The listener and every connection end; the share stays mounted. */
  halt(): Promise<void>;
  /** Listens at the same port again. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** A real SMB server on loopback, with one share and one user. Only root can run it. */
export async function startSamba(attempts = 3): Promise<Samba> {
  const sandbox = await createSandbox("samba");
  try {
    return await boot(sandbox);
  } catch (error) {
    const words = await sandbox.lastWords("smbd");
    await sandbox.stop();
    // A port that was free may be taken by the time that it is used.
    if (attempts > 1 && /in use|EADDRINUSE/i.test(`${error}\n${words}`)) return startSamba(attempts - 1);
    throw new Error(`Samba did not start: ${error}\n${words}`, { cause: error });
  }
}

async function boot(sandbox: Sandbox): Promise<Samba> {
  const folder = sandbox.folder;
  const root = join(folder, "root");
  const config = join(folder, "smb.conf");
  const [port] = (await freePorts(1)) as [number];
  const password = crypto.randomUUID();
  for (const name of ["root", "private", "run"]) await mkdir(join(folder, name));
  await writeFile(config, configuration(folder, port));
  await setPassword(config, password);

  let running: ChildProcess | undefined;
  const mounts: Mount[] = [];
  const samba: Samba = {
    port,
    share: "files",
    username: userInfo().username,
    password,
    root,
    async mount({ cacheSeconds = 1 } = {}) {
      const one = mountOf(sandbox, samba, `mount${mounts.length}`, cacheSeconds);
      mounts.push(one);
      await one.mount();
      return one;
    },
    dropConnections: () => endSessions(running),
    freeze: () => freeze(running),
    thaw: () => thaw(running),
    halt: () => halted(running),
    async resume() {
      await samba.halt();
      running = sandbox.start("smbd", SMBD, ["--foreground", "--no-process-group", "--configfile", config]);
      await untilReady([running], () => answers(port), 30);
    },
    async stop() {
      for (const one of mounts) await one.unmount();
      await samba.halt();
      await sandbox.stop();
    },
  };
  await samba.resume();
  return samba;
}

/**
 * By FUSE, as the kernels of build machines have no cifs module. A client that caches what it listed, like the kernel's, and
 * has no events of what others do; but its inode numbers come from paths.
 */
function mountOf(sandbox: Sandbox, samba: Samba, name: string, cacheSeconds: number): Mount {
  const folder = join(sandbox.folder, name);
  // Once: what it is mounted as has a digest of its settings in its name, and this is another text each time.
  const password = sandbox.run("rclone", ["obscure", samba.password]);
  let client: ChildProcess | undefined;
  const ended = async (how: () => unknown) => {
    if (client === undefined || client.exitCode !== null || client.signalCode !== null) return;
    const exit = new Promise((resolve) => client?.once("exit", resolve));
    await how();
    await exit;
  };
  const free = () => sandbox.run("fusermount3", ["-u", "-z", folder]).catch(() => "");
  return {
    folder,
    async mount() {
      await free();
      await mkdir(folder, { recursive: true });
      const before = (await stat(folder)).dev;
      const env = {
        RCLONE_CONFIG_S_TYPE: "smb",
        RCLONE_CONFIG_S_HOST: "127.0.0.1",
        // Names as they are; its own choice turns the "." that stands for the share into a folder "\uff0e" of that name.
        RCLONE_CONFIG_S_ENCODING: "Slash",
        RCLONE_CONFIG_S_PORT: `${samba.port}`,
        RCLONE_CONFIG_S_USER: samba.username,
        RCLONE_CONFIG_S_PASS: (await password).trim(),
      };
      const cache = ["--dir-cache-time", `${cacheSeconds}s`, "--attr-timeout", `${cacheSeconds}s`];
      const patience = [
        "--retries",
        "1",
        "--low-level-retries",
        "1",
        "--timeout",
        "5s",
        "--contimeout",
        "5s",
      ];
      const words = ["mount", `S:${samba.share}`, folder, "--config", join(sandbox.folder, "none")];
      client = sandbox.start(name, "rclone", [...words, ...cache, ...patience], { env });
      const mounted = () =>
        stat(folder).then(
          ({ dev }) => dev !== before,
          () => false,
        );
      await untilReady([client], mounted, 30);
    },
    async unmount() {
      await thaw(client);
      await ended(free);
      await free();
    },
    freeze: () => freeze(client),
    thaw: () => thaw(client),
    kill: () => ended(() => client?.kill("SIGKILL")),
  };
}

/** It asks twice, on stdin. */
async function setPassword(config: string, password: string): Promise<void> {
  const words = ["-c", config, "-s", "-a", userInfo().username];
  const child = spawn("smbpasswd", words, { stdio: ["pipe", "ignore", "pipe"] });
  child.stdin.end(`${password}\n${password}\n`);
  const said: Buffer[] = [];
  for await (const part of child.stderr) said.push(part);
  if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode !== 0) throw new Error(`smbpasswd: ${Buffer.concat(said)}`);
}

function configuration(folder: string, port: number): string {
  return `[global]
server role = standalone server
smb ports = ${port}
interfaces = 127.0.0.1
bind interfaces only = yes
disable netbios = yes
passdb backend = tdbsam:${folder}/private/passdb.tdb
private dir = ${folder}/private
lock directory = ${folder}/run
state directory = ${folder}/run
cache directory = ${folder}/run
pid directory = ${folder}/run
ncalrpc dir = ${folder}/run
log file = ${folder}/smbd.own.log
map to guest = never
load printers = no
printing = bsd
printcap name = /dev/null
[files]
path = ${folder}/root
read only = no
`;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
