/** Measuring in turn: A B C, A B C, … so that a machine whose speed drifts treats all alike. Medians, and ratios within each round. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Taken {
  readonly seconds: number;
  /** What all processors of this host did meanwhile, in seconds: it says more than the clock where others disturb. */
  readonly processor: number;
}

export interface Contender {
  readonly name: string;
  /** One run from a clean start. */
  run(round: number): Promise<Taken>;
}

export interface Result {
  readonly name: string;
  readonly taken: readonly Taken[];
}

export async function inTurn(contenders: readonly Contender[], rounds: number): Promise<Result[]> {
  const all = contenders.map((): Taken[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, contender] of contenders.entries()) {
      // What others left to be written back is not to be written back on this one's time.
      execFileSync("sync");
      const taken = await contender.run(round);
      all[i]?.push(taken);
      process.stderr.write(
        `  ${contender.name}: ${taken.seconds.toFixed(2)} s, ${taken.processor.toFixed(2)} s of processor\n`,
      );
    }
  }
  return contenders.map((contender, i) => ({ name: contender.name, taken: all[i] as Taken[] }));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** A table of medians; the ratio says how many times faster the first is (above 1: faster). */
export function report(title: string, results: readonly Result[]): string {
  const first = results[0] as Result;
  const lines = results.map(({ name, taken }) => {
    const seconds = taken.map((t) => t.seconds);
    const ratio = median(seconds.map((s, i) => s / (first.taken[i] as Taken).seconds));
    const range = `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`;
    const processor = median(taken.map((t) => t.processor)).toFixed(1);
    return `| ${name} | ${median(seconds).toFixed(2)} s | ${range} | ${processor} s | ${name === first.name ? "" : `${ratio.toFixed(2)} x`} |`;
  });
  return [
    `### ${title}`,
    "",
    "| who | median | range | processor, all programs | Tributary is faster by |",
    "|---|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

export async function timed(work: () => Promise<void>): Promise<Taken> {
  const stop = stopwatch();
  await work();
  return stop();
}

/** `settleMs` is taken off the time: waiting by choice. */
export function stopwatch(): (settleMs?: number) => Taken {
  const from = performance.now();
  const busy = busySeconds();
  return (settleMs = 0) => ({
    seconds: (performance.now() - from - settleMs) / 1000,
    processor: busySeconds() - busy,
  });
}

/** user, nice, system, irq and softirq of all processors, from /proc/stat, whose unit is 10 ms; 0 where there is none. */
function busySeconds(): number {
  let line: string;
  try {
    line = readFileSync("/proc/stat", "utf8").split("\n", 1)[0] ?? "";
  } catch {
    return 0;
  }
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / 100;
}
