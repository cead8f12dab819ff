/** Channels by colour and pattern, so that neither alone has to be told apart. */
import { Group, Text } from "@mantine/core";
import { t } from "../../texts.ts";

/** Lines over the colour, on a tile of 6. */
const LOOKS: Readonly<Record<string, { readonly colour: string; readonly lines: string }>> = {
  push: { colour: "var(--chart-1)", lines: "" },
  bundle: { colour: "var(--chart-2)", lines: "M0 6L6 0M-1 1L1 -1M5 7L7 5" },
  parts: { colour: "var(--chart-3)", lines: "M0 3H6" },
  sftp: { colour: "var(--chart-4)", lines: "M3 0V6" },
  api: { colour: "var(--chart-5)", lines: "M0 0L6 6M-1 5L1 7M5 -1L7 1" },
};
const OTHER = { colour: "var(--mantine-color-dimmed)", lines: "M0 3H6M3 0V6" };

export function Pattern({ id, channel }: { readonly id: string; readonly channel: string }) {
  const { colour, lines } = LOOKS[channel] ?? OTHER;
  return (
    <pattern id={`${id}${channel}`} width={6} height={6} patternUnits="userSpaceOnUse">
      <rect width={6} height={6} fill={colour} />
      {lines !== "" && <path d={lines} stroke="var(--mantine-color-body)" strokeWidth={1.2} opacity={0.7} />}
    </pattern>
  );
}

export function Legend({
  id,
  channels,
  band,
}: {
  readonly id: string;
  readonly channels: readonly string[];
  readonly band: boolean;
}) {
  return (
    <Group gap="md" component="ul" className="legend">
      {channels.map((channel) => (
        <li key={channel}>
          <svg width={14} height={14} aria-hidden>
            <rect width={14} height={14} fill={`url(#${id}${channel})`} />
          </svg>
          <Text span size="xs">
            {t.overview.channels[channel] ?? channel}
          </Text>
        </li>
      ))}
      {band && (
        <li>
          <svg width={14} height={14} aria-hidden>
            <rect y={2} width={14} height={10} className="chart-band" />
            <path d="M0 7H14" className="chart-usual" />
          </svg>
          <Text span size="xs">
            {t.overview.usualBand}
          </Text>
        </li>
      )}
    </Group>
  );
}
