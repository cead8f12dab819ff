/** The instant whose tree is shown: by the slider, or exactly by the field beside it. */
import { Box, Button, Group, Slider, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { InstantField } from "../../parts/instant-field.tsx";
import { formatDuration } from "../../parts/numbers.tsx";
import { t } from "../../texts.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [1000, 10_000, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY];

const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const long = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** Some hundred places, each a time that people think in; the last is now. */
function scaleOf(first: number, last: number): { readonly step: number; readonly end: number } {
  const span = Math.max(1000, last - first);
  const step = STEPS.find((one) => span / one <= 240) ?? (STEPS.at(-1) as number);
  return { step, end: first + step * Math.ceil(span / step) };
}

export function TimeSlider({
  firstAt,
  lastAt,
  at,
  onChange,
}: {
  readonly firstAt: string;
  readonly lastAt: string;
  /** "": now. */
  readonly at: string;
  readonly onChange: (at: string) => void;
}) {
  const first = Date.parse(firstAt);
  const { step, end } = scaleOf(first, Date.parse(lastAt));
  const told = at === "" ? end : Math.min(Math.max(Date.parse(at), first), end);
  const [value, setValue] = useState(told);
  useEffect(() => setValue(told), [told]);
  const says = (ms: number): string => (ms >= end ? t.files.now : short.format(ms));
  return (
    <Group gap="lg" align="flex-end" wrap="wrap">
      <Box style={{ flex: "1 1 320px" }} pb={20}>
        <Group justify="space-between" gap="xs">
          <Text size="sm" fw={600} aria-live="polite">
            {at === "" ? t.files.asNow : t.files.asAt(long.format(Date.parse(at)))}
          </Text>
          <Text size="xs" c="dimmed" visibleFrom="sm">
            {t.files.steps(formatDuration(step))}
          </Text>
        </Group>
        <Slider
          mx="sm"
          mt={4}
          min={first}
          max={end}
          step={step}
          value={value}
          onChange={setValue}
          onChangeEnd={(ms) => onChange(ms >= end ? "" : new Date(ms).toISOString())}
          label={says}
          thumbProps={{ "aria-valuetext": says(value) }}
          thumbLabel={t.files.timeLabel}
          marks={[
            { value: first, label: <MarkText start>{day.format(first)}</MarkText> },
            { value: end, label: t.files.now },
          ]}
        />
      </Box>
      <Group gap="xs" align="flex-end">
        <InstantField label={t.files.exactly} value={at} onChange={onChange} hideLabel />
        {at !== "" && (
          <Button variant="default" onClick={() => onChange("")}>
            {t.files.backToNow}
          </Button>
        )}
      </Group>
    </Group>
  );
}

/** The first mark stands at the very left: its text must not hang out of the page. */
function MarkText({ start, children }: { readonly start?: boolean; readonly children: string }) {
  return <span style={start ? { display: "inline-block", paddingLeft: "72px" } : undefined}>{children}</span>;
}
