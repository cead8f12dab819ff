import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Run {
  readonly env?: NodeJS.ProcessEnv;
  /** Numeric user to run as; only root can choose. */
  readonly uid?: number;
}

/** A temporary folder and the programs that live in it: all gone after `stop()`, or when this process dies. */
export interface Sandbox {
  readonly folder: string;
  /** Starts a program that stays. What it says goes to `<folder>/<name>.log`. */
  start(name: string, command: string, args: readonly string[], run?: Run): ChildProcess;
  /** Runs a program to its end and gives its stdout; an exit code other than 0 is an Error with its stderr. */
  run(command: string, args: readonly string[], run?: Run): Promise<string>;
  /** The last words of a program, for error messages. */
  lastWords(name: string): Promise<string>;
  /** Resolves when the programs have ended; the folder goes soon after. */
  stop(): Promise<void>;
}

/**
 * The keeper outlives us, however we die: it reads process ids from its stdin, and when that ends it kills
 * their process groups by id, closes its stdout to say so, unmounts what they mounted in the folder, and removes it, which
 * can take a while. It tries again because children may still write while they die after their parent.
 */
const keep = `
folder=$1; pids=
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do kill -s KILL -- "-$pid" 2>/dev/null; done
exec 1>&-
grep -s -o " $folder/[^ ]*" /proc/mounts | while read -r mount; do fusermount3 -u -z "$mount" 2>/dev/null; done
for pause in 0 0.2 1 3; do sleep $pause; rm -rf -- "$folder" 2>/dev/null && exit; done`;

export async function createSandbox(name: string): Promise<Sandbox> {
  const folder = await mkdtemp(join(tmpdir(), `tributary-${name}-`));
  const keeper = spawn("/bin/sh", ["-c", keep, "keeper", folder], {
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const killed = once(keeper.stdout.resume(), "close");
  const said = keeper.stdout as Socket;
  for (const handle of [keeper, keeper.stdin as Socket, said]) handle.unref();

  return {
    folder,
    start(name, command, args, { env, uid } = {}) {
      const child = spawn(command, args, {
        cwd: folder,
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...env },
        ...(uid === undefined ? {} : { uid, gid: uid }),
      });
      if (child.pid !== undefined) keeper.stdin.write(`${child.pid}\n`);
      const log = createWriteStream(join(folder, `${name}.log`)).on("error", () => {});
      child.on("error", (error) => log.write(`${error}\n`));
      child.stdout.pipe(log, { end: false });
      child.stderr.pipe(log, { end: false });
      return child;
    },
    run(command, args, { env, uid } = {}) {
      const options = {
        cwd: folder,
        timeout: 60_000,
        env: { ...process.env, ...env },
        ...(uid === undefined ? {} : { uid, gid: uid }),
      };
      return new Promise((resolve, reject) => {
        execFile(command, args, options, (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else reject(new Error(`${command} ${args[0] ?? ""}: ${stderr.trim() || error.message}`));
        });
      });
    },
    async lastWords(name) {
      const text = await readFile(join(folder, `${name}.log`), "utf8").catch(() => "");
      return text.trim().split("\n").slice(-5).join("\n");
    },
    async stop() {
      said.ref();
      keeper.stdin.end();
      await killed;
    },
  };
}

/** Asks `ready` every 20 ms until it says yes. Fails when a program of `needed` has ended or `seconds` are over. */
export async function untilReady(
  needed: readonly ChildProcess[],
  ready: () => Promise<boolean>,
  seconds: number,
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await ready())) {
    const ended = needed.find((child) => child.exitCode !== null || child.signalCode !== null);
    if (ended !== undefined)
      throw new Error(`${ended.spawnfile} ended with ${ended.exitCode ?? ended.signalCode}`);
    if (performance.now() > end) throw new Error(`not ready after ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Ports of 127.0.0.1 that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
