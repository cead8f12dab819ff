/** What is usual of an hour of the week: the band behind a chart. */

export interface Band {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** With fewer weeks than this a band would say more than is known. */
const WEEKS = 3;

/** Quartiles of the same hour in the weeks before; undefined where there are too few. */
export function bandOf(values: readonly number[]): Band | undefined {
  if (values.length < WEEKS) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
}

/** Between two values in proportion (Hyndman and Fan, type 7). */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return below + (above - below) * (at - Math.floor(at));
}
