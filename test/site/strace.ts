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
  const dir = mkdtempSync(join(tmpdir(), "strace-"));
  const output = join(dir, "out");
  const child = spawn("strace", ["-f", "-yy", "-s", "256", "-o", output, ...options, "-p", String(pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let said = "";
  const attached = await new Promise<boolean>((resolve, reject) => {
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (/attached/.test(said)) resolve(true);
    });
    void ended.then(() => {
      if (/No such process/.test(said)) resolve(false);
      else reject(new Error(`strace ended: ${said}`));
    });
  });
  if (!attached) {
    rmSync(dir, { recursive: true });
    return undefined;
  }
  return {
    detach: async () => {
      child.kill("SIGINT");
      await ended;
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
