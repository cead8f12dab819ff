/** Real processes for the journeys: started as users start them, watched by their own output, ended by their pid. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** Everything it said on stderr so far. */
  stderr(): string;
  exited(): boolean;
  /** Resolves with exit code or signal once it is gone. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** SIGKILL: at any instruction. Resolves once it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code, SIGKILL after 40 s. */
  stop(): Promise<number | null>;
  /** Resolves once stderr matches; rejects when the process ends before or the time is over. */
  said(pattern: RegExp, withinMs?: number): Promise<void>;
}

const LIVE = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of LIVE) child.kill("SIGKILL");
});

export type Program = "receiver" | "agent";

/** The command line of a program in the checkout; `wrapper` goes in front (strace …). */
function commandLine(
  program: Program,
  args: readonly string[],
  wrapper: readonly string[],
): [string, string[]] {
  const line = [...wrapper, process.execPath, join(ROOT, program, "bin.js"), ...args];
  return [line[0] as string, line.slice(1)];
}

/** Runs a command to its end. */
export async function run(
  program: Program,
  args: readonly string[],
  options: {
    readonly stdin?: string | Buffer;
    readonly env?: NodeJS.ProcessEnv;
    readonly wrapper?: readonly string[];
  } = {},
): Promise<Ran & { readonly stdoutBytes: Buffer }> {
  const [file, line] = commandLine(program, args, options.wrapper ?? []);
  const child = spawn(file, line, {
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  LIVE.add(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => {});
  child.stdin.end(options.stdin ?? "");
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  LIVE.delete(child);
  const stdoutBytes = Buffer.concat(out);
  return { code, stdout: stdoutBytes.toString(), stderr: Buffer.concat(err).toString(), stdoutBytes };
}

/** Runs a command that must succeed; its stdout, trimmed. */
export async function ok(
  program: Program,
  args: readonly string[],
  options: Parameters<typeof run>[2] = {},
): Promise<string> {
  const ran = await run(program, args, options);
  if (ran.code !== 0)
    throw new Error(
      `tributary-${program} ${args.join(" ")} ended with ${ran.code}:\n${ran.stderr}${ran.stdout}`,
    );
  return ran.stdout.trim();
}

/** Starts a program that stays. */
export function launch(
  program: Program,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly wrapper?: readonly string[] } = {},
): Running {
  const [file, line] = commandLine(program, args, options.wrapper ?? []);
  const child = spawn(file, line, {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  LIVE.add(child);
  let text = "";
  const listeners = new Set<() => void>();
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      LIVE.delete(child);
      resolve({ code, signal });
      for (const listener of listeners) listener();
    });
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    for (const listener of listeners) listener();
  });
  const exited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid as number,
    stderr: () => text,
    exited,
    ended,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
    stop: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 40_000);
      const { code } = await ended;
      clearTimeout(timer);
      return code;
    },
    said: async (pattern, withinMs = 30_000) => {
      await new Promise<void>((resolve, reject) => {
        const done = (finish: () => void): void => {
          clearTimeout(timer);
          listeners.delete(look);
          finish();
        };
        const look = (): void => {
          if (pattern.test(text)) done(resolve);
          else if (exited())
            done(() => reject(new Error(`tributary-${program} ended before it said ${pattern}:\n${text}`)));
        };
        const timer = setTimeout(
          () =>
            done(() =>
              reject(
                new Error(`tributary-${program} did not say ${pattern} within ${withinMs} ms:\n${text}`),
              ),
            ),
          withinMs,
        );
        listeners.add(look);
        look();
      });
    },
  };
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Waits for a condition, asking again every `everyMs`; fails with what was missing. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  { withinMs = 30_000, everyMs = 50 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
