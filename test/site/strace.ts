/**
 * strace on a running process: what it really asks of the system, and faults put in its way. Attached after the
 * start, so that counts (`when=N`) begin with what the test does.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why strace cannot be used here, or undefined. */
export function straceMissing(): string | undefined {
  const tried = spawnSync("strace", ["-f", "-e", "trace=fsync", "true"]);
  if (tried.error) return "strace is not installed";
  return tried.status === 0 ? undefined : "strace may not trace here";
}

/** Attaching and letting go take milliseconds; a tracer that meets a process as it begins or ends may wait for ever. */
const STUCK_MS = 20_000;

export interface Call {
  readonly name: string;
  /** Arguments as strace prints them, with paths of descriptors. */
  readonly text: string;
  readonly ok: boolean;
}

export interface Strace {
  /** Ends tracing; the process goes on. The calls in the order in which they returned. */
  detach(): Promise<Call[]>;
}

/**
 * `options` as on strace's command line: ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1"].
 * Undefined when the process is no more; throws when strace itself fails.
 */
export async function attach(pid: number, options: readonly string[]): Promise<Strace | undefined> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await attachOnce(pid, options);
    if (typeof outcome !== "string") return outcome;
    // Ended while the tracer took hold of its threads: nothing to trace any more.
    if (isGone(pid)) return undefined;
    if (tries === 3) throw new Error(`strace could not follow ${pid}: ${outcome}`);
  }
}

/** No such process, or one that waits only for its parent to notice. */
function isGone(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}

/** The text: what strace said when it could not. */
async function attachOnce(pid: number, options: readonly string[]): Promise<Strace | string> {
  const dir = mkdtempSync(join(tmpdir(), "strace-"));
  const output = join(dir, "out");
  const child = spawn("strace", ["-f", "-yy", "-s", "256", "-o", output, ...options, "-p", String(pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let said = "";
  const stuck = setTimeout(() => child.kill("SIGKILL"), STUCK_MS);
  const attached = await new Promise<boolean>((resolve) => {
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (/attached/.test(said)) resolve(true);
    });
    void ended.then(() => resolve(false));
  });
  clearTimeout(stuck);
  if (!attached) {
    rmSync(dir, { recursive: true });
    return said.trim() || `ended with ${child.signalCode ?? child.exitCode}`;
  }
  return {
    detach: async () => {
      child.kill("SIGINT");
      const held = setTimeout(() => child.kill("SIGKILL"), STUCK_MS);
      await ended;
      clearTimeout(held);
      if (child.signalCode === "SIGKILL") throw new Error(`strace did not let go of ${pid}: ${said}`);
      const text = readFileSync(output, "utf8");
      rmSync(dir, { recursive: true });
      return parse(text);
    },
  };
}

/** Joins `<unfinished ...>` and `<... resumed>`; a call counts where it returned. */
export function parse(text: string): Call[] {
  const begun = new Map<string, string>();
  const calls: Call[] = [];
  for (const line of text.split("\n")) {
    const match = /^(\d+)\s+(.*)$/.exec(line);
    if (!match) continue;
    const [, pid, rest] = match as unknown as [string, string, string];
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(pid, rest.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const whole = resumed ? `${begun.get(pid) ?? ""}${resumed[1]}` : rest;
    const call = /^(\w+)\((.*)\)\s+= (-?\w+)/.exec(whole);
    if (call)
      calls.push({
        name: call[1] as string,
        text: call[2] as string,
        ok: !(call[3] as string).startsWith("-"),
      });
  }
  return calls;
}
