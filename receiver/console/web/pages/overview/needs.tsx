/** The list of what needs somebody, and the calm when nothing does. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "wouter";
import type { OverviewAnswer } from "../../../answers.ts";
import { AttentionList } from "../../parts/attention-list.tsx";
import { formatCount } from "../../parts/numbers.tsx";
import { Section } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { t } from "../../texts.ts";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

export function Needs({
  attention: { items, total },
  onlyLate,
  lookedAt,
}: {
  readonly attention: OverviewAnswer["attention"];
  readonly onlyLate: boolean;
  readonly lookedAt: number;
}) {
  return (
    <Section title={t.overview.needs}>
      {onlyLate && (
        <Text size="sm">
          {t.overview.onlyLate}{" "}
          <Anchor component={Link} href="/" inherit>
            {t.overview.showAll}
          </Anchor>
        </Text>
      )}
      {items.length > 0 ? (
        <AttentionList items={items} label={t.overview.needs} />
      ) : (
        <div role="status">
          <State severity="good">{onlyLate ? t.overview.noneLate : t.overview.nothing}</State>
          <Text size="xs" c="dimmed" mt={4}>
            {t.overview.lookedAt(clock.format(lookedAt))}
          </Text>
        </div>
      )}
      {total > items.length && (
        <Text size="xs" c="dimmed">
          {t.overview.someOf(formatCount(items.length), formatCount(total))}
        </Text>
      )}
    </Section>
  );
}
