/** Gauges that are known or not: an old number, or a nought, would be taken for one. */
import { Gauge, type Registry } from "prom-client";

/** `words`: names without `tributary_`, and what they say. The answer sets all of them; one that is undefined is not told. */
export function plainGauges<N extends string>(
  words: Readonly<Record<N, string>>,
  registers: Registry[],
): (values: Partial<Record<N, number | undefined>>) => void {
  const gauges = (Object.entries(words) as [N, string][]).map(
    ([name, help]) => [name, new Gauge({ name: `tributary_${name}`, help, registers })] as const,
  );
  for (const [, gauge] of gauges) gauge.remove();
  return (values) => {
    for (const [name, gauge] of gauges) {
      const value = values[name];
      if (value === undefined) gauge.remove();
      else gauge.set(value);
    }
  };
}

/** Seconds from then to now, never below nought: clocks differ. */
export const ageSeconds = (at: number, now: number): number => Math.max(0, now - at) / 1000;

/** The same with one label, over values that are known beforehand: there are never more series than these. */
export function labelledGauge<L extends string>(
  name: string,
  help: string,
  label: string,
  registers: Registry[],
): (values: Partial<Record<L, number | undefined>>) => void {
  const gauge = new Gauge({ name: `tributary_${name}`, help, labelNames: [label], registers });
  return (values) => {
    gauge.reset();
    for (const [of, value] of Object.entries<number | undefined>(values))
      if (value !== undefined) gauge.set({ [label]: of }, value);
  };
}
