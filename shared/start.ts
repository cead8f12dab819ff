/**
 * How a program begins in a checkout. Node reads TypeScript itself, which costs every start its compiling: what was
 * compiled once is kept. What stays (`serve`, `run`) replaces itself by a process with other settings of V8 and of
 * the C library, which can only be given from outside: same pid, same input and output (docs/decisions/start.md).
 */
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

/** Where the packages are, so is who may change the program: nobody else can put something into what is kept. */
const KEPT = fileURLToPath(new URL("../node_modules/.cache/tributary", import.meta.url));

/** Settings of the process that stays; a variable that is set already keeps its value. */
export interface Staying {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Call it before anything else is imported. `staying` only where this process is to stay; does not return then, at first. */
export function begin(staying: Staying | undefined): void {
  const { execArgv, execPath, argv, env } = process;
  const first = staying?.flags[0];
  if (staying !== undefined && first !== undefined && !execArgv.includes(first) && process.execve) {
    const args = [execPath, ...execArgv, ...staying.flags, ...argv.slice(1)];
    try {
      process.execve(execPath, args, { NODE_COMPILE_CACHE: KEPT, ...staying.env, ...env } as Record<
        string,
        string
      >);
    } catch {
      // Windows, or a system that forbids it: it works as well, and takes more memory.
    }
  }
  if (env["NODE_COMPILE_CACHE"] === undefined) enableCompileCache(KEPT);
}
