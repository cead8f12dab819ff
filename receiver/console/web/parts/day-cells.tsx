/** Days against what is usual: each a shape, a colour and words. Rows of them are a grid that the arrow keys walk through. */
import { Group, Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import type { PunctualityAnswer } from "../../answers.ts";
import { t } from "../texts.ts";

export type Cell = PunctualityAnswer["rows"][number]["cells"][number];

const SHAPES: Readonly<Record<Cell, ReactNode>> = {
  "nothing-though-usual": (
    <>
      <rect width={12} height={12} rx={2} fill="currentColor" />
      <path d="M3.5 3.5l5 5M8.5 3.5l-5 5" stroke="var(--mantine-color-body)" strokeWidth={1.6} />
    </>
  ),
  "later-than-usual": (
    <>
      <circle cx={6} cy={6} r={5} fill="none" stroke="currentColor" strokeWidth={1.5} />
      <path d="M6 1a5 5 0 0 0 0 10z" fill="currentColor" />
    </>
  ),
  "arrived-unexpectedly": <path d="M6 2v8M2 6h8" stroke="currentColor" strokeWidth={1.6} />,
  "as-usual": <rect x={1.5} y={1.5} width={9} height={9} rx={1.5} fill="currentColor" />,
  awaited: (
    <rect
      x={2}
      y={2}
      width={8}
      height={8}
      rx={1.5}
      fill="none"
      stroke="currentColor"
      strokeDasharray="2 1.5"
    />
  ),
  "not-usual": <circle cx={6} cy={6} r={1.5} fill="currentColor" />,
  "not-known": <path d="M4 6h4" stroke="currentColor" opacity={0.6} />,
};

const dayName = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeZone: "UTC" });

/** "Tuesday, 2 June 2026: nothing came, though it usually does". */
const cellWords = (day: number, cell: Cell): string => `${dayName.format(day)}: ${t.overview.cells[cell]}`;

function Shape({ cell }: { readonly cell: Cell }) {
  return (
    <svg width={12} height={12} aria-hidden data-cell={cell} className="cell">
      {SHAPES[cell]}
    </svg>
  );
}

export interface DayRow {
  readonly key: string;
  /** Stands at the left; a link. */
  readonly head: ReactNode;
  /** For who only hears it. */
  readonly name: string;
  readonly cells: readonly Cell[];
  /** Further cells at the right. */
  readonly more?: readonly ReactNode[];
}

/** Of the days that are left out where there is little room. */
const NARROW_DAYS = 14;

export function DayGrid({
  label,
  head,
  days,
  rows,
  more = [],
}: {
  readonly label: string;
  readonly head: string;
  readonly days: readonly number[];
  readonly rows: readonly DayRow[];
  readonly more?: readonly string[];
}) {
  const [at, setAt] = useState({ row: 0, day: days.length - 1 });
  const [told, setTold] = useState<string>();
  const last = { row: Math.min(at.row, rows.length - 1), day: at.day };
  const move = (event: React.KeyboardEvent<HTMLTableElement>): void => {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const cell = (event.target as HTMLElement).closest("td[data-day]");
    if (by === undefined || cell === null) return;
    event.preventDefault();
    const row = Math.max(0, Math.min(rows.length - 1, last.row + (by[0] ?? 0)));
    const day = Math.max(0, Math.min(days.length - 1, last.day + (by[1] ?? 0)));
    event.currentTarget.querySelector<HTMLElement>(`[data-row="${row}"][data-day="${day}"]`)?.focus();
  };
  return (
    <div>
      <Group justify="space-between" gap="xs" mb={4} align="flex-start">
        <DayLegend cells={rows.flatMap(({ cells }) => cells)} />
        <Text size="sm" mih={22} c={told === undefined ? "dimmed" : undefined} aria-hidden>
          {told ?? t.overview.gridHint}
        </Text>
      </Group>
      <div className="table-box">
        {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid is a table whose cells are walked through */}
        <table role="grid" aria-label={label} className="day-grid" onKeyDown={move}>
          <thead>
            <tr>
              <th scope="col">{head}</th>
              {days.map((day, i) => (
                <th key={day} scope="col" className={narrow(days, i)} aria-label={dayName.format(day)}>
                  {new Date(day).getUTCDay() === 1 || i === days.length - 1 ? new Date(day).getUTCDate() : ""}
                </th>
              ))}
              {more.map((name) => (
                <th key={name} scope="col" className="wide">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, head: first, name, cells, more: others = [] }, row) => (
              <tr key={key}>
                <th scope="row">{first}</th>
                {cells.map((cell, i) => {
                  const day = days[i] ?? 0;
                  const words = cellWords(day, cell);
                  return (
                    <td
                      key={day}
                      data-row={row}
                      data-day={i}
                      className={narrow(days, i)}
                      tabIndex={row === last.row && i === last.day ? 0 : -1}
                      title={words}
                      aria-label={words}
                      onFocus={() => {
                        setAt({ row, day: i });
                        setTold(`${name}, ${words}`);
                      }}
                      onBlur={() => setTold(undefined)}
                      onPointerEnter={() => setTold(`${name}, ${words}`)}
                      onPointerLeave={() => setTold(undefined)}
                    >
                      <Shape cell={cell} />
                    </td>
                  );
                })}
                {others.map((other, i) => (
                  <td key={more[i]} className="wide day-more">
                    {other}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

const narrow = (days: readonly number[], i: number): string | undefined =>
  i < days.length - NARROW_DAYS ? "wide" : undefined;

/** What is there, and no more. */
function DayLegend({ cells }: { readonly cells: readonly Cell[] }) {
  const there = new Set(cells);
  return (
    <Group gap="md" component="ul" className="legend">
      {(Object.keys(SHAPES) as Cell[])
        .filter((cell) => there.has(cell))
        .map((cell) => (
          <li key={cell}>
            <Shape cell={cell} />
            <Text span size="xs">
              {t.overview.cells[cell]}
            </Text>
          </li>
        ))}
    </Group>
  );
}
