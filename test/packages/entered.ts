/** A line of shell in the namespaces of another process. */
import { spawn } from "node:child_process";

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const ENVIRONMENT = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "LANG=C.UTF-8",
  "HOME=/root",
];

/** `where`: words of nsenter. */
export async function entered(where: readonly string[], line: string, stdin: string): Promise<Said> {
  const child = spawn(
    "nsenter",
    [...where, "env", "-i", "-C", "/root", ...ENVIRONMENT, "/bin/sh", "-c", line],
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  const texts = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    texts.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    texts.err += text;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const code = await new Promise<number>((done, refuse) => {
    child.once("error", refuse);
    child.once("close", (status) => done(status ?? 1));
  });
  return { code, ...texts };
}
