/**
 * Processes with clocks of their own. By the library and not by the program `faketime`, which stays between us and
 * what it starts: a signal would end it alone, and leave an agent behind.
 */
import { spawnSync } from "node:child_process";

/** Why clocks cannot be set here, or undefined. Throws with CI=true. */
export function faketimeMissing(): string | undefined {
  const { stdout } = spawnSync(process.execPath, ["-p", "Date.now()"], {
    env: { ...process.env, ...clockOf("+30d") },
    encoding: "utf8",
  });
  if (Number(stdout) - Date.now() > 86_400_000) return undefined;
  const missing = "libfaketime is not installed";
  if (process.env.CI) throw new Error(`CI needs it: ${missing}`);
  return missing;
}

/** Environment of a process: "+25h" is another time, "+0 x60" time that runs sixty times as fast. */
export function clockOf(spec: string): NodeJS.ProcessEnv {
  return { LD_PRELOAD: "/usr/$LIB/faketime/libfaketime.so.1", FAKETIME: spec };
}
