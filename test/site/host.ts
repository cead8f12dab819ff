/** A client's host as its administrator has it: programs that are there and some that are not, stubs that write down how they were called. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Ran } from "./process.ts";

export interface Host {
  readonly dir: string;
  /** Puts a program of this machine on the host. */
  link(...programs: string[]): void;
  /** A program of the host; `$LOG` is where it may write down something. */
  stub(program: string, script: string): void;
  /** What the stubs wrote down. */
  log(): string[];
  /** What lies in the folder for temporary files. */
  left(): string[];
  /** Runs a line as `shell -c` does, or out of a file, which leaves it out of the list of processes. */
  run(
    shell: string,
    line: string,
    options?: { readonly file?: boolean; readonly env?: NodeJS.ProcessEnv },
  ): Promise<Ran>;
  remove(): void;
}

/** Writes down its name, its words and the first line of its input. */
export const WRITES_DOWN = `IFS= read -r line || line=
printf '%s\\n' "$(basename "$0") $*" "< $line" >> "$LOG"`;

export function makeHost(): Host {
  const dir = mkdtempSync(join(tmpdir(), "tributary-host-"));
  const [bin, temporary, log] = [join(dir, "bin"), join(dir, "tmp"), join(dir, "log")];
  mkdirSync(bin);
  mkdirSync(temporary);
  const host: Host = {
    dir,
    link(...programs) {
      for (const program of programs) {
        symlinkSync(found(program), join(bin, program));
      }
    },
    stub(program, script) {
      rmSync(join(bin, program), { force: true });
      writeFileSync(join(bin, program), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, program), 0o755);
    },
    log: () => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []),
    left: () => readdirSync(temporary),
    async run(shell, line, { file = false, env = {} } = {}) {
      const script = join(dir, "line");
      writeFileSync(script, `${line}\n`);
      const child = spawn(found(shell), file ? [script] : ["-c", line], {
        cwd: dir,
        env: { PATH: bin, TMPDIR: temporary, LOG: log, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [stdout, stderr, code] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve)),
      ]);
      return { code, stdout, stderr };
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
  host.link(
    "sh",
    "sha256sum",
    "mktemp",
    "tar",
    "gzip",
    "uname",
    "id",
    "rm",
    "wc",
    "chmod",
    "basename",
    "env",
  );
  return host;
}

/** Where this machine has the program: the host's own PATH does not lead there. */
function found(program: string): string {
  const path = (process.env.PATH ?? "")
    .split(":")
    .map((folder) => join(folder, program))
    .find((one) => existsSync(one));
  if (path === undefined) throw new Error(`there is no ${program} here: .ci/prepare installs it`);
  return path;
}
