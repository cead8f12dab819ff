/** An agent with nothing to do: memory and processor. */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { startTributary } from "./tributary.ts";

const SECONDS = 30;

export async function idle(): Promise<string> {
  const tributary = await startTributary();
  await pause(5000);
  const before = cpuSeconds(tributary.running.pid);
  await pause(SECONDS * 1000);
  const used = cpuSeconds(tributary.running.pid) - before;
  const resident = residentMiB(tributary.running.pid);
  await tributary.stop();
  return `### Idle\n\nAgent: ${resident.toFixed(0)} MiB resident, ${((used / SECONDS) * 100).toFixed(1)} % of one core over ${SECONDS} s.\n`;
}

export function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** utime + stime of /proc/PID/stat, in clock ticks of 10 ms. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
