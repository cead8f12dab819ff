/** Durations, sizes and rates as people write them in configuration, and back. */
const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Milliseconds of "250ms", "2s", "5m", "1h30m", "7d"; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * DURATION_MS[unit as keyof typeof DURATION_MS];
  }
  return total;
}

/** Bytes of "512", "20MB" (10^6), "16MiB" (2^20); undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?i?B)?$/i.exec(text);
  if (!match) return undefined;
  return Math.round(Number(match[1]) * (BYTES[(match[2] ?? "B").toUpperCase()] as number));
}

/** Bytes per second of "20MB/s"; undefined when it is none. */
export function parseRate(text: string): number | undefined {
  return text.endsWith("/s") ? parseSize(text.slice(0, -2)) : undefined;
}

/** How often something may be done: `count` times in `perMs`. */
export interface Frequency {
  readonly count: number;
  readonly perMs: number;
}

/** Nothing longer: who has used up a window is told to wait for its end. */
const PER_MS = { s: 1000, m: 60_000 } as const;

/** "10/s", "600/m"; a number alone is per minute; undefined when it is none. */
export function parseFrequency(text: string): Frequency | undefined {
  const match = /^([1-9]\d{0,9})(?:\/([sm]))?$/.exec(text);
  if (!match) return undefined;
  return { count: Number(match[1]), perMs: PER_MS[(match[2] ?? "m") as keyof typeof PER_MS] };
}

export function formatFrequency({ count, perMs }: Frequency): string {
  const unit = (Object.keys(PER_MS) as (keyof typeof PER_MS)[]).find((key) => PER_MS[key] === perMs);
  return `${count}/${unit ?? `${perMs} ms`}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  for (const [unit, factor] of [
    ["TB", 1e12],
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)} ${unit}`;
  }
  return `${bytes} B`;
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return pair(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86_400) return pair(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return pair(Math.floor(s / 86_400), "d", Math.floor((s % 86_400) / 3600), "h");
}

const pair = (large: number, unit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
