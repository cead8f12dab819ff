import type { ChildProcess } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";

/** The processes below one, its children's children too. A server forks one for each connection, in groups of their own. */
async function descendants(pid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    // `pid (name) state ppid …`, proc_pid_stat(5); a name may hold brackets and spaces.
    const parent = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .at(1);
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const found: number[] = [];
  const below = (parent: number) => {
    for (const [child, its] of parents)
      if (its === parent) {
        found.push(child);
        below(child);
      }
  };
  below(pid);
  return found;
}

/** Ends processes by their ids; one that has ended by itself is none of them. */
function endAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
}

/**
 * Ends a server with all that it forked. It stands still first: a connection that it takes in between would be
 * nobody's child, and go on.
 */
export async function halted(server: ChildProcess | undefined): Promise<void> {
  if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGSTOP");
  const sessions = await descendants(server.pid);
  server.kill("SIGKILL");
  endAll(sessions);
  await ended;
}

/** Ends all that a server forked for its connections; it goes on taking new ones. */
export async function endSessions(server: ChildProcess | undefined): Promise<void> {
  if (server?.pid !== undefined) endAll(await descendants(server.pid));
}
