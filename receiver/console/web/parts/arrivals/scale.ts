/** How the chart of arrivals is laid out: pure, in pixels. */
import type { OverviewAnswer } from "../../../answers.ts";

export type Hour = OverviewAnswer["byHour"][number];

export const HEIGHT = 200;
export const PAD = { left: 52, right: 8, top: 8, bottom: 24 } as const;

/** Of the channels that are there, those that are known first; the first is at the bottom. */
const ORDER = ["push", "bundle", "parts", "sftp", "api", "page"];

export function channelsOf(hours: readonly Hour[]): readonly string[] {
  const there = new Set(hours.flatMap(({ channels }) => Object.keys(channels)));
  return [...there].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

const rank = (channel: string): number => (ORDER.includes(channel) ? ORDER.indexOf(channel) : ORDER.length);

export const filesIn = ({ channels }: Hour): number =>
  Object.values(channels).reduce((sum, { files }) => sum + files, 0);

/** The least round number above all whose half is a number of files, too: the axis ends there. */
export function roundAbove(most: number): number {
  if (most <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(most));
  const steps = power === 1 ? [6, 8, 10] : [1, 2, 4, 5, 8, 10];
  return (steps.find((step) => step * power >= most) ?? 10) * power;
}

export interface Scale {
  readonly x: (index: number) => number;
  readonly y: (files: number) => number;
  readonly step: number;
  readonly top: number;
}

export function scaleOf(hours: readonly Hour[], width: number): Scale {
  const step = Math.max(0, width - PAD.left - PAD.right) / Math.max(1, hours.length);
  const top = roundAbove(Math.max(...hours.map((hour) => Math.max(filesIn(hour), hour.usual?.high ?? 0)), 1));
  const tall = HEIGHT - PAD.top - PAD.bottom;
  return {
    x: (index) => PAD.left + index * step,
    y: (files) => PAD.top + tall * (1 - files / top),
    step,
    top,
  };
}

/** Hours in a row of which the usual is known, as one area each. */
export function bandPaths(hours: readonly Hour[], { x, y, step }: Scale): readonly string[] {
  const paths: string[] = [];
  let upper: string[] = [];
  let lower: string[] = [];
  const end = (): void => {
    if (upper.length > 0) paths.push(`M${[...upper, ...lower.toReversed()].join("L")}Z`);
    upper = [];
    lower = [];
  };
  hours.forEach(({ usual }, i) => {
    if (usual === null) {
      end();
      return;
    }
    const [left, right] = [x(i).toFixed(1), (x(i) + step).toFixed(1)];
    upper.push(`${left} ${y(usual.high).toFixed(1)}`, `${right} ${y(usual.high).toFixed(1)}`);
    lower.push(`${left} ${y(usual.low).toFixed(1)}`, `${right} ${y(usual.low).toFixed(1)}`);
  });
  end();
  return paths;
}

/** The middle of what is usual, as steps; over the bars, which hide the band behind them. */
export function medianPath(hours: readonly Hour[], { x, y, step }: Scale): string {
  return hours
    .map(({ usual }, i) => {
      if (usual === null) return "";
      const [left, right, high] = [x(i), x(i) + step, y(usual.median)].map((at) => at.toFixed(1));
      return `${i > 0 && hours[i - 1]?.usual != null ? "L" : "M"}${left} ${high}L${right} ${high}`;
    })
    .join("");
}

/** Places of the midnights of who looks; `hourOf` gives the hour of the day in that zone. */
export function midnights(hours: readonly Hour[], hourOf: (ms: number) => number): readonly number[] {
  return hours.flatMap(({ hour }, i) => (hourOf(hour) === 0 ? [i] : []));
}
