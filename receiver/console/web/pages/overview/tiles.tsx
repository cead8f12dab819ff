/** The four numbers, each a link to the list that it counts. */
import { Anchor, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { OverviewAnswer } from "../../../answers.ts";
import { formatCount, formatDuration, formatSize } from "../../parts/numbers.tsx";
import { Sparkline } from "../../parts/sparkline.tsx";
import { State } from "../../parts/state.tsx";
import { useNow } from "../../parts/time.tsx";
import { t } from "../../texts.ts";

export function Tiles({ data }: { readonly data: OverviewAnswer }) {
  const now = useNow();
  const { arrived, late, feeds, silent, agents, waiting } = data;
  const days = arrived.days.map(({ files }) => files);
  const today = new Date(arrived.days.at(-1)?.day ?? now).toISOString();
  return (
    <div className="tiles">
      <Tile
        name={t.overview.arrived}
        number={arrived.files}
        href={`/deliveries?kind=version&from=${encodeURIComponent(today)}`}
        beside={t.overview.arrivedIn(formatSize(arrived.bytes))}
      >
        <Sparkline values={days} label={t.overview.week(days.map(formatCount).join(", "))} />
        {t.overview.utcDay}
      </Tile>
      <Tile
        name={t.overview.late}
        number={late}
        trouble={late > 0}
        href="/?only=late"
        beside={
          <Anchor component={Link} href="/clients" inherit c="inherit">
            {t.overview.ofFeeds(formatCount(feeds), feeds === 1)}
          </Anchor>
        }
      >
        {t.overview.usual}
      </Tile>
      <Tile
        name={t.overview.silent}
        number={silent}
        trouble={silent > 0}
        href="/agents?only=silent"
        beside={
          <Anchor component={Link} href="/agents" inherit c="inherit">
            {t.overview.ofAgents(formatCount(agents))}
          </Anchor>
        }
      >
        {t.overview.silentSays}
      </Tile>
      <Tile
        name={t.overview.waiting}
        number={waiting.files}
        href="/agents?only=waiting"
        beside={t.overview.waitingIn(formatSize(waiting.bytes))}
      >
        {whyWaiting(waiting, silent, now).join(" · ")}
      </Tile>
    </div>
  );
}

/** What a silent agent holds is not known: then nobody says that everything is here. */
function whyWaiting(
  { files, oldestSealedAt, aside }: OverviewAnswer["waiting"],
  silent: number,
  now: number,
): readonly string[] {
  const words = [
    ...(oldestSealedAt === null ? [] : [t.overview.oldest(formatDuration(now - Date.parse(oldestSealedAt)))]),
    ...(aside === 0 ? [] : [t.overview.aside(formatCount(aside))]),
  ];
  if (words.length > 0 || files > 0) return words;
  return [silent === 0 ? t.overview.nothingWaits : t.overview.nothingKnown];
}

function Tile(props: {
  readonly name: string;
  readonly number: number;
  readonly trouble?: boolean;
  readonly href: string;
  readonly beside: ReactNode;
  readonly children: ReactNode;
}) {
  const number = formatCount(props.number);
  return (
    <section className="tile" aria-label={props.name}>
      <Text size="sm" c="dimmed">
        {props.trouble === true ? <State severity="trouble">{props.name}</State> : props.name}
      </Text>
      <Group gap={8} align="baseline">
        <Link href={props.href} className="number" aria-label={`${props.name}: ${number}`}>
          {number}
        </Link>
        <Text span size="sm">
          {props.beside}
        </Text>
      </Group>
      <Group gap="sm" mt={4} mih={24} align="flex-end" fz="xs" c="dimmed">
        {props.children}
      </Group>
    </section>
  );
}
