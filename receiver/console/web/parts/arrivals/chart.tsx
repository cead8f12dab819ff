/** What arrived in each hour, by channel, before what is usual then. The pointer or the arrow keys tell an hour's numbers. */
import { Group, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useId, useState } from "react";
import { Link, useLocation } from "wouter";
import { t } from "../../texts.ts";
import { formatCount, formatSize } from "../numbers.tsx";
import { Legend, Pattern } from "./legend.tsx";
import {
  bandPaths,
  channelsOf,
  filesIn,
  HEIGHT,
  type Hour,
  medianPath,
  midnights,
  PAD,
  type Scale,
  scaleOf,
} from "./scale.ts";
import { HourTable } from "./table.tsx";

const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric" });
const hourName = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const hourOf = (ms: number): number => new Date(ms).getHours();

export function ArrivalsChart({
  hours,
  href,
}: {
  readonly hours: readonly Hour[];
  /** To the deliveries of an hour. */
  readonly href: (hour: number) => string;
}) {
  const { ref, width } = useElementSize<HTMLDivElement>();
  const [at, setAt] = useState<number>();
  const [, go] = useLocation();
  const id = useId();
  const scale = scaleOf(hours, width);
  const channels = channelsOf(hours);
  const shown = at === undefined ? undefined : hours[at];
  const pointed = (event: React.PointerEvent<SVGSVGElement>): number | undefined => {
    const left = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const index = Math.floor((left - PAD.left) / scale.step);
    return index >= 0 && index < hours.length ? index : undefined;
  };
  return (
    <div>
      <Group justify="space-between" gap="xs" align="flex-start">
        <Legend id={id} channels={channels} band={hours.some(({ usual }) => usual !== null)} />
        <Text size="sm" mih={22} c={shown === undefined ? "dimmed" : undefined}>
          {shown === undefined ? t.overview.hourHint : <HourWords hour={shown} href={href(shown.hour)} />}
        </Text>
      </Group>
      <div ref={ref} className="chart">
        <svg
          width={width}
          height={HEIGHT}
          aria-hidden
          onPointerMove={(event) => setAt(pointed(event))}
          onPointerLeave={() => setAt(undefined)}
          onClick={() => shown !== undefined && go(href(shown.hour))}
        >
          <defs>
            {channels.map((channel) => (
              <Pattern key={channel} id={id} channel={channel} />
            ))}
          </defs>
          <Axes hours={hours} scale={scale} width={width} />
          {bandPaths(hours, scale).map((path) => (
            <path key={path} d={path} className="chart-band" />
          ))}
          {hours.map((hour, i) => (
            <Bar key={hour.hour} hour={hour} x={scale.x(i)} scale={scale} channels={channels} id={id} />
          ))}
          <path d={medianPath(hours, scale)} className="chart-usual" />
          {at !== undefined && (
            <rect
              className="chart-at"
              x={scale.x(at)}
              y={PAD.top}
              width={Math.max(2, scale.step)}
              height={HEIGHT - PAD.top - PAD.bottom}
            />
          )}
        </svg>
        <input
          type="range"
          className="chart-keys"
          aria-label={t.overview.hoursLabel}
          aria-valuetext={hourText(hours[at ?? hours.length - 1])}
          min={0}
          max={Math.max(0, hours.length - 1)}
          value={at ?? Math.max(0, hours.length - 1)}
          onChange={(event) => setAt(Number(event.currentTarget.value))}
          onFocus={() => setAt((old) => old ?? hours.length - 1)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && shown !== undefined) go(href(shown.hour));
            if (event.key === "Escape") event.currentTarget.blur();
          }}
          onBlur={() => setAt(undefined)}
        />
      </div>
      <HourTable hours={hours} channels={channels} href={href} />
    </div>
  );
}

function Axes({
  hours,
  scale,
  width,
}: {
  readonly hours: readonly Hour[];
  readonly scale: Scale;
  readonly width: number;
}) {
  const days = midnights(hours, hourOf);
  const narrow = scale.step * 24 < 52;
  return (
    <g className="chart-axis">
      {[0, scale.top / 2, scale.top].map((files) => (
        <g key={files}>
          <line x1={PAD.left} x2={width - PAD.right} y1={scale.y(files)} y2={scale.y(files)} />
          <text x={PAD.left - 6} y={scale.y(files) + 4} textAnchor="end">
            {formatCount(files)}
          </text>
        </g>
      ))}
      {days.map((i, nth) => (
        <g key={i}>
          <line x1={scale.x(i)} x2={scale.x(i)} y1={PAD.top} y2={HEIGHT - PAD.bottom + 4} />
          {(!narrow || nth % 2 === 0) && scale.x(i) < width - 44 && (
            <text x={scale.x(i) + 3} y={HEIGHT - 6}>
              {weekday.format(hours[i]?.hour)}
            </text>
          )}
        </g>
      ))}
    </g>
  );
}

function Bar({
  hour,
  x,
  scale,
  channels,
  id,
}: {
  readonly hour: Hour;
  readonly x: number;
  readonly scale: Scale;
  readonly channels: readonly string[];
  readonly id: string;
}) {
  let below = 0;
  const gap = scale.step > 4 ? 1 : 0;
  return channels.map((channel) => {
    const files = hour.channels[channel]?.files ?? 0;
    if (files === 0) return null;
    const [bottom, top] = [scale.y(below), scale.y(below + files)];
    below += files;
    return (
      <rect
        key={channel}
        x={x}
        y={Math.min(top, bottom - 0.75)}
        width={Math.max(0.5, scale.step - gap)}
        height={Math.max(0.75, bottom - top)}
        fill={`url(#${id}${channel})`}
      />
    );
  });
}

function HourWords({ hour, href }: { readonly hour: Hour; readonly href: string }) {
  return (
    <Link href={href} className="plain-link">
      {hourText(hour)}
    </Link>
  );
}

function hourText(hour: Hour | undefined): string {
  if (hour === undefined) return "";
  const files = filesIn(hour);
  const bytes = Object.values(hour.channels).reduce((sum, one) => sum + one.bytes, 0);
  const parts = Object.entries(hour.channels)
    .filter(([, amount]) => amount.files > 0)
    .map(([channel, amount]) => `${t.overview.channels[channel] ?? channel} ${formatCount(amount.files)}`);
  const { usual } = hour;
  return [
    hourName.format(hour.hour),
    files === 0
      ? t.overview.hourNothing
      : `${t.overview.hourFiles(formatCount(files), files === 1)}, ${formatSize(bytes)}`,
    ...(parts.length > 1 ? [parts.join(", ")] : []),
    ...(usual === null
      ? []
      : [t.overview.band(formatCount(Math.round(usual.low)), formatCount(Math.round(usual.high)))]),
  ].join(" · ");
}
