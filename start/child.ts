/** The two programs as processes of their own: started with the commands that users type, heard line by line, never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export type Program = "receiver" | "agent";

export interface Child {
  /** Resolves once a line fits; rejects when the process ends before. */
  said(pattern: RegExp): Promise<void>;
  readonly ended: Promise<number>;
  /** SIGTERM once; resolves with the exit code. */
  stop(): Promise<number>;
  kill(): void;
}

/** Runs a command to its end and gives its standard output. What it says to people is shown only when it fails. */
export async function command(
  root: string,
  program: Program,
  args: readonly string[],
  input = "",
): Promise<string> {
  const child = spawn(process.execPath, [join(root, program, "bin.js"), ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`tributary-${program} ${args.join(" ")} failed:\n${err.trim()}`);
  return out;
}

/**
 * Starts a program that stays. In a process group of its own: Ctrl-C on the terminal reaches only us, and we stop
 * the two in their order.
 */
export function launch(
  root: string,
  program: Program,
  args: readonly string[],
  hear: (line: string) => void,
): Child {
  const child: ChildProcess = spawn(process.execPath, [join(root, program, "bin.js"), ...args], {
    stdio: ["pipe", "ignore", "pipe"],
    // When we are killed without warning, the end of this input tells them.
    env: { ...process.env, TRIBUTARY_STOP_ON_STDIN_EOF: "1" },
    detached: process.platform !== "win32",
  });
  const waiting = new Set<(line: string | undefined) => void>();
  const lines: string[] = [];
  const reader = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  reader.on("line", (line) => {
    if (lines.length < 100) lines.push(line);
    hear(line);
    for (const wake of waiting) wake(line);
  });
  const ended = new Promise<number>((resolve) => {
    child.once("error", () => resolve(1));
    child.once("close", (code) => {
      for (const wake of waiting) wake(undefined);
      resolve(code ?? 1);
    });
  });
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    ended,
    stop: async () => {
      if (running()) child.kill("SIGTERM");
      return await ended;
    },
    kill: () => void (running() && child.kill("SIGKILL")),
    said: async (pattern) =>
      await new Promise((resolve, reject) => {
        const look = (line: string | undefined): void => {
          if (line !== undefined && !pattern.test(line)) return;
          waiting.delete(look);
          if (line === undefined)
            reject(new Error(`tributary-${program} ended:\n${lines.slice(-5).join("\n")}`));
          else resolve();
        };
        const earlier = lines.find((line) => pattern.test(line));
        if (earlier !== undefined) return resolve();
        if (!running()) return look(undefined);
        waiting.add(look);
      }),
  };
}
