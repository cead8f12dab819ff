/** The programs that clients send with, called as their own manuals say, with nothing of this machine's own settings. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { Login } from "./sftp-site.ts";

export interface ProgramRan {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface ProgramRunning {
  readonly pid: number;
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<ProgramRan>;
  /** SIGKILL for it and what it started (lftp and scp have ssh do the work). */
  kill(): Promise<ProgramRan>;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly stdin?: string;
  /** Keeps the input open. */
  readonly talks?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  readonly withinMs?: number;
}

const LIVE = new Set<ChildProcess>();
const killGroup = (child: ChildProcess): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It is over already.
  }
};
process.once("exit", () => {
  for (const child of LIVE) killGroup(child);
});

export function start(file: string, args: readonly string[], options: ProgramOptions = {}): ProgramRunning {
  const { cwd, stdin, env, talks = false, withinMs = 100_000 } = options;
  const from = performance.now();
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", LC_ALL: "C.UTF-8", TZ: "UTC", ...env },
    stdio: ["pipe", "pipe", "pipe"],
    // Its own group, to be ended together with what it starts.
    detached: true,
  });
  LIVE.add(child);
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => {});
  if (talks) child.stdin.write(stdin ?? "");
  else child.stdin.end(stdin ?? "");
  const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString("utf8");
  const late = setTimeout(() => {
    err.push(Buffer.from(`\nstill running after ${withinMs} ms: killed\n`));
    killGroup(child);
  }, withinMs);
  const ended = new Promise<ProgramRan>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(late);
      LIVE.delete(child);
      resolve({ code, signal, stdout: text(out), stderr: text(err), ms: performance.now() - from });
    });
  });
  return {
    pid: child.pid as number,
    child,
    stdout: () => text(out),
    stderr: () => text(err),
    ended,
    kill: async () => {
      killGroup(child);
      return await ended;
    },
  };
}

/** `-o` settings of ssh: the host must be known, and only what the client was given is used. */
export function sshOptions(login: Login): string[] {
  const { key, password, knownHosts } = login;
  const settings = [
    ...[`UserKnownHostsFile=${knownHosts}`, "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null"],
    ...(key === undefined ? ["PubkeyAuthentication=no"] : [`IdentityFile=${key}`, "IdentitiesOnly=yes"]),
    ...(password === undefined ? ["BatchMode=yes"] : ["NumberOfPasswordPrompts=1"]),
  ];
  return ["-F", "/dev/null", ...settings.flatMap((one) => ["-o", one])];
}

/** What ssh asks for the password. */
function askpass({ password, knownHosts, user }: Login): NodeJS.ProcessEnv {
  if (password === undefined) return {};
  const file = `${knownHosts}-askpass-${user}`;
  writeFileSync(file, '#!/bin/sh\nprintf "%s\\n" "$TRIBUTARY_TEST_PASSWORD"\n', { mode: 0o700 });
  return { SSH_ASKPASS: file, SSH_ASKPASS_REQUIRE: "force", TRIBUTARY_TEST_PASSWORD: password };
}

/** `sftp -b -` with these commands, one a line. With a password it cannot be a batch: errors do not end it. */
export function sftp(
  login: Login,
  commands: readonly string[],
  { args = [], ...options }: ProgramOptions & { readonly args?: readonly string[] } = {},
): ProgramRunning {
  const batch = login.password === undefined ? ["-b", "-"] : [];
  const line = [...sshOptions(login), ...batch, ...args, "-P", String(login.port), `${login.user}@127.0.0.1`];
  const stdin = commands.map((command) => `${command}\n`).join("");
  return start("sftp", line, { ...options, stdin, env: { ...askpass(login), ...options.env } });
}

/** `REMOTE` in the arguments stands for the account. */
export function scp(login: Login, args: readonly string[], options: ProgramOptions = {}): ProgramRunning {
  const named = args.map((arg) => arg.replace(/^REMOTE:/, `${login.user}@127.0.0.1:`));
  return start("scp", [...sshOptions(login), "-P", String(login.port), ...named], {
    ...options,
    env: { ...askpass(login), ...options.env },
  });
}

export function lftp(
  login: Login,
  commands: readonly string[],
  options: ProgramOptions = {},
): ProgramRunning {
  const ssh = ["ssh", "-a", "-x", ...sshOptions(login)].join(" ");
  const script = [
    `set sftp:connect-program "${ssh}"`,
    "set cmd:fail-exit yes",
    "set net:max-retries 2",
    "set net:reconnect-interval-base 1",
    `open -u ${login.user},${login.password ?? ""} sftp://127.0.0.1:${login.port}`,
    ...commands,
  ];
  return start("lftp", ["--norc", "-c", script.join("\n")], options);
}

/** `REMOTE:` in the arguments is the account's root. Its log as JSON lines is on stderr. */
export function rclone(login: Login, args: readonly string[], options: ProgramOptions = {}): ProgramRunning {
  const { user, port, key, password, knownHosts } = login;
  const hidden = password === undefined ? undefined : obscured(password);
  const env = {
    RCLONE_CONFIG: "/dev/null",
    RCLONE_CONFIG_REMOTE_TYPE: "sftp",
    RCLONE_CONFIG_REMOTE_HOST: "127.0.0.1",
    RCLONE_CONFIG_REMOTE_PORT: String(port),
    RCLONE_CONFIG_REMOTE_USER: user,
    RCLONE_CONFIG_REMOTE_KNOWN_HOSTS_FILE: knownHosts,
    ...(key === undefined ? {} : { RCLONE_CONFIG_REMOTE_KEY_FILE: key }),
    ...(hidden === undefined ? {} : { RCLONE_CONFIG_REMOTE_PASS: hidden }),
  };
  return start("rclone", [...args, "--retries", "1", "--low-level-retries", "1", "-v"], {
    ...options,
    env: { ...env, ...options.env },
  });
}

const obscuredBefore = new Map<string, string>();
/** As rclone wants a password in its settings: set by `obscureForRclone` beforehand. */
function obscured(password: string): string {
  const known = obscuredBefore.get(password);
  if (known === undefined) throw new Error("call obscureForRclone first");
  return known;
}

export async function obscureForRclone(password: string): Promise<void> {
  const { stdout } = await start("rclone", ["obscure", "-"], { stdin: password }).ended;
  obscuredBefore.set(password, stdout.trim());
}

const PRELUDE = `
import json, os, socket, stat, sys, threading, time, paramiko
L = json.loads(os.environ["TRIBUTARY_TEST_LOGIN"])
def connect(bind=None, password=None):
    sock = socket.create_connection(("127.0.0.1", L["port"]), 10, (bind, 0) if bind else None)
    t = paramiko.Transport(sock)
    t.start_client(timeout=20)
    host = t.get_remote_server_key()
    assert host.get_base64() in open(L["knownHosts"]).read(), "the host key is another one"
    word = password or L.get("password")
    try: authenticate(t, word)
    except Exception:
        t.close()
        raise
    return t
def authenticate(t, word):
    if word: t.auth_password(L["user"], word)
    else:
        key = paramiko.RSAKey if "RSA" in open(L["key"] + ".pub").read()[:12].upper() else paramiko.Ed25519Key
        t.auth_publickey(L["user"], key.from_private_key_file(L["key"]))
def session(t): return paramiko.SFTPClient.from_transport(t)
def fails(work):
    try: work()
    except (IOError, EOFError, paramiko.SSHException) as error: return f"{type(error).__name__}: {error}"
    return "no error"
def say(value): print(json.dumps(value), flush=True)
`;

/** A program in Python over paramiko: `connect()`, `session(t)`, `fails(work)`, `say(value)` are there. */
export function paramiko(login: Login, script: string, options: ProgramOptions = {}): ProgramRunning {
  const env = { TRIBUTARY_TEST_LOGIN: JSON.stringify(login), ...options.env };
  return start("/usr/bin/python3", ["-c", PRELUDE + script], { ...options, env });
}

/** Its lines, when it ended well. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever it said
export async function said({ ended }: ProgramRunning): Promise<any[]> {
  const { code, stdout, stderr } = await ended;
  if (code !== 0) throw new Error(`it ended with ${code}:\n${stderr}${stdout}`);
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
}

/** Waits for a program that must succeed. */
export async function well({ ended }: ProgramRunning): Promise<ProgramRan> {
  const ran = await ended;
  if (ran.code !== 0) throw new Error(`it ended with ${ran.code ?? ran.signal}:\n${ran.stderr}${ran.stdout}`);
  return ran;
}

/** Bytes that a process wrote so far, to whatever: to know when a killed one was in the middle. */
export function writtenBy(pid: number): number {
  return Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1] ?? 0);
}
