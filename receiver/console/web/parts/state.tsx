/** How something stands: a shape and a word, so that colour is never the only sign. Grey is the normal state. */
import { Group, Text } from "@mantine/core";

export type Severity = "trouble" | "attention" | "normal" | "good";

const SIGNS: Readonly<Record<Severity, { readonly sign: string; readonly colour: string }>> = {
  trouble: { sign: "●", colour: "var(--trouble)" },
  attention: { sign: "◐", colour: "var(--attention)" },
  normal: { sign: "○", colour: "var(--mantine-color-dimmed)" },
  good: { sign: "✓", colour: "var(--good)" },
};

export function State({
  severity,
  children,
}: {
  readonly severity: Severity;
  readonly children: React.ReactNode;
}) {
  const { sign, colour } = SIGNS[severity];
  return (
    <Group gap={6} wrap="nowrap" component="span" display="inline-flex">
      <span aria-hidden style={{ color: colour, fontSize: 12, lineHeight: 1 }}>
        {sign}
      </span>
      <Text span inherit>
        {children}
      </Text>
    </Group>
  );
}
