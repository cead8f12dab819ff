/** Measuring in turn: A B C, A B C, … so that a machine whose speed drifts treats all alike. Medians, and ratios within each round. */
export interface Contender {
  readonly name: string;
  /** One run from a clean start; seconds. */
  run(round: number): Promise<number>;
}

export interface Result {
  readonly name: string;
  readonly seconds: readonly number[];
}

export async function inTurn(contenders: readonly Contender[], rounds: number): Promise<Result[]> {
  const seconds = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, contender] of contenders.entries()) {
      const taken = await contender.run(round);
      seconds[i]?.push(taken);
      process.stderr.write(`  ${contender.name}: ${taken.toFixed(2)} s\n`);
    }
  }
  return contenders.map((contender, i) => ({ name: contender.name, seconds: seconds[i] as number[] }));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** A table of medians; the ratio says how many times faster the first is (above 1: faster). */
export function report(title: string, results: readonly Result[]): string {
  const first = results[0] as Result;
  const lines = results.map(({ name, seconds }) => {
    const ratio = median(seconds.map((s, i) => s / (first.seconds[i] as number)));
    return `| ${name} | ${median(seconds).toFixed(2)} s | ${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)} | ${name === first.name ? "" : `${ratio.toFixed(2)} x`} |`;
  });
  return [
    `### ${title}`,
    "",
    "| who | median | range | Tributary is faster by |",
    "|---|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}
