/** The chart as a table, for who cannot see it, or wants the numbers: hours in which something came, newest first. */
import { Anchor } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { t } from "../../texts.ts";
import { formatCount } from "../numbers.tsx";
import { type Column, DataTable } from "../table.tsx";
import { filesIn, type Hour } from "./scale.ts";

const name = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function HourTable({
  hours,
  channels,
  href,
}: {
  readonly hours: readonly Hour[];
  readonly channels: readonly string[];
  readonly href: (hour: number) => string;
}) {
  const [open, setOpen] = useState(false);
  const columns: readonly Column<Hour>[] = [
    {
      key: "hour",
      head: t.overview.hour,
      order: ({ hour }) => hour,
      cell: ({ hour }) => (
        <Anchor component={Link} href={href(hour)} size="sm">
          {name.format(hour)}
        </Anchor>
      ),
    },
    {
      key: "all",
      head: t.overview.inAll,
      numeric: true,
      order: filesIn,
      cell: (hour) => formatCount(filesIn(hour)),
    },
    ...channels.map(
      (channel): Column<Hour> => ({
        key: channel,
        head: t.overview.channels[channel] ?? channel,
        numeric: true,
        wide: true,
        order: (hour) => hour.channels[channel]?.files ?? 0,
        cell: (hour) => formatCount(hour.channels[channel]?.files ?? 0),
      }),
    ),
    {
      key: "usual",
      head: t.overview.usually,
      numeric: true,
      cell: ({ usual }) =>
        usual === null ? "" : `${formatCount(Math.round(usual.low))}–${formatCount(Math.round(usual.high))}`,
    },
  ];
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="quiet">{t.overview.asTable}</summary>
      {open && (
        <DataTable
          label={t.overview.hours}
          columns={columns}
          rows={hours}
          id={({ hour }) => String(hour)}
          sortedBy={{ key: "hour", descending: true }}
          maxHeight="360px"
        />
      )}
    </details>
  );
}
