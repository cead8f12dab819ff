/** The two programs' logs made short: one readable line for what happened to a file, nothing for what only machines read. */
import { printable } from "../shared/terminal.ts";

const WARN = 40;
const LEVELS: Readonly<Record<string, number>> = { debug: 20, info: 30, warn: WARN, error: 50 };

/** The line to show, or undefined for none. Lines that are no JSON were meant for people already. */
export function shortLine(program: string, line: string): string | undefined {
  const record = parse(line);
  if (record === undefined) return line.trim() === "" ? undefined : `${program.padEnd(8)} ${printable(line)}`;
  const { level, msg, time } = record;
  const value = typeof level === "number" ? level : (LEVELS[String(level)] ?? WARN);
  if (value < 30 || typeof msg !== "string") return undefined;
  const clock =
    typeof time === "string" || typeof time === "number" ? new Date(time).toTimeString().slice(0, 8) : "";
  const mark = value >= WARN ? "! " : "";
  return `${clock} ${program.padEnd(8)} ${mark}${printable(msg)}`;
}

function parse(line: string): { level?: unknown; msg?: unknown; time?: unknown } | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as { level?: unknown; msg?: unknown; time?: unknown };
  } catch {
    return undefined;
  }
}
