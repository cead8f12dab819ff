/**
 * How a program begins in a checkout. Node reads TypeScript itself, which costs every start its compiling: what was
 * compiled once is kept. What stays (`serve`, `run`) replaces itself by a process with other settings of V8 and of
 * the C library, which can only be given from outside: same pid, same input and output (docs/decisions/0011-programs-begin-with-a-step-of-javascript.md).
 * JavaScript on purpose: what strips TypeScript is not even loaded when everything is kept already.
 */
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

/** Where the packages are, so is who may change the program: nobody else can put something into what is kept. */
const KEPT = fileURLToPath(new URL("../node_modules/.cache/tributary", import.meta.url));

/**
 * Call it before anything else is imported; `staying` only where this process is to stay: at first it does not
 * return then. A variable that is set already keeps its value.
 *
 * @param {{ readonly flags: readonly [string, ...string[]], readonly env: Readonly<Record<string, string>> } | undefined} staying
 */
export function begin(staying) {
  const { execArgv, execPath, argv, env } = process;
  if (staying !== undefined && process.execve !== undefined && !execArgv.includes(staying.flags[0])) {
    const args = [execPath, ...execArgv, ...staying.flags, ...argv.slice(1)];
    try {
      process.execve(execPath, args, { NODE_COMPILE_CACHE: KEPT, ...staying.env, ...env });
    } catch {
      // Windows, or a system that forbids it: it works as well, and takes more memory.
    }
  }
  if (env.NODE_COMPILE_CACHE === undefined) enableCompileCache(KEPT);
}
