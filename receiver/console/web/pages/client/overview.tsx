/** How it stands with one client: what needs somebody, what each of its feeds brought and when, and the numbers. */
import { Anchor, Group, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import type { Answers } from "../../../answers.ts";
import { ArrivalsChart } from "../../parts/arrivals/chart.tsx";
import { hourHref } from "../../parts/arrivals/href.ts";
import { AttentionList } from "../../parts/attention-list.tsx";
import { DayGrid } from "../../parts/day-cells.tsx";
import { formatCount, formatSize } from "../../parts/numbers.tsx";
import { Empty, Facts, Loaded, Section } from "../../parts/page.tsx";
import { Sparkline } from "../../parts/sparkline.tsx";
import { State } from "../../parts/state.tsx";
import { formatInstant, Time } from "../../parts/time.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";

type Answer = Answers["overview.client"];

const DAY = 86_400_000;
const EVERY_MS = 15_000;
const sameDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const otherDay = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

export function ClientOverview({ client }: { readonly client: string }) {
  const query = useCall("overview.client", { client }, { refetchInterval: EVERY_MS });
  return <Loaded query={query}>{(data) => <Content client={client} data={data} />}</Loaded>;
}

function Content({ client, data }: { readonly client: string; readonly data: Answer }) {
  const { attention, feeds, byHour } = data;
  return (
    <Stack gap="xl">
      <Numbers client={client} />
      <Section title={t.overview.needs}>
        {attention.length > 0 ? (
          <AttentionList items={attention} label={t.overview.needs} />
        ) : (
          <State severity="good">{t.overview.clientFine}</State>
        )}
      </Section>
      {feeds.length === 0 ? (
        <Empty title={t.overview.noFeeds}>
          <Text>{t.overview.noFeedsSays}</Text>
          <Group gap="md">
            <Anchor component={Link} href={`/clients/${client}/agents`}>
              {t.overview.toAgents}
            </Anchor>
            <Anchor component={Link} href={`/clients/${client}/access`}>
              {t.overview.toAccess}
            </Anchor>
          </Group>
        </Empty>
      ) : (
        <>
          <Feeds client={client} data={data} />
          <Section title={t.overview.hours}>
            <Text size="xs" c="dimmed">
              {t.overview.hoursSay}
            </Text>
            <ArrivalsChart hours={byHour} href={hourHref(client)} />
          </Section>
        </>
      )}
    </Stack>
  );
}

function Numbers({ client }: { readonly client: string }) {
  const { data } = useCall("clients.get", { client });
  if (data === undefined) return null;
  const days = data.days.map(({ files }) => files);
  const today = new Date(Math.floor(Date.now() / DAY) * DAY).toISOString();
  const { files = 0, bytes = 0 } = data.days.at(-1) ?? {};
  return (
    <Facts
      facts={[
        [
          t.overview.today,
          <Group key="today" gap="sm">
            <Anchor
              component={Link}
              href={`/clients/${client}/deliveries?kind=version&from=${encodeURIComponent(today)}`}
              inherit
            >
              {formatCount(files)} {t.overview.arrivedIn(formatSize(bytes))}
            </Anchor>
            <Sparkline values={days} label={t.overview.week(days.map(formatCount).join(", "))} width={72} />
          </Group>,
        ],
        [t.overview.lastArrival, <Time key="last" at={data.lastArrivalAt} />],
        [
          t.overview.stored,
          <Anchor key="stored" component={Link} href={`/clients/${client}/files`} inherit>
            {formatSize(data.storedBytes)}
          </Anchor>,
        ],
        [
          t.overview.agents,
          <Anchor key="agents" component={Link} href={`/clients/${client}/agents`} inherit>
            {formatCount(data.agents)}
            {data.silent > 0 && `, ${t.clients.silent(data.silent)}`}
          </Anchor>,
        ],
      ]}
    />
  );
}

/** The worst on top, as the grid has them. */
function Feeds({ client, data }: { readonly client: string; readonly data: Answer }) {
  const { days, rows } = data.punctuality;
  const feeds = new Map(data.feeds.map((feed) => [feed.source, feed]));
  return (
    <Section title={t.overview.feeds}>
      <DayGrid
        label={t.overview.punctualityOf(client)}
        head={t.overview.source}
        days={days}
        more={[t.overview.lastArrival, t.overview.usualTime, t.overview.files30]}
        rows={rows.map(({ source, cells }) => {
          const name = source ?? "";
          const feed = feeds.get(name);
          const files = feed?.days ?? days.map(() => 0);
          return {
            key: name,
            name,
            cells,
            head: (
              <>
                <Anchor component={Link} href={`/clients/${client}/files?source=${name}`} size="sm">
                  {name}
                </Anchor>
                <Text size="xs" c="dimmed" hiddenFrom="sm">
                  <Time at={feed?.lastAt} />
                </Text>
              </>
            ),
            more: [
              <Anchor
                key="last"
                component={Link}
                href={`/clients/${client}/deliveries?source=${name}`}
                size="sm"
              >
                <Time at={feed?.lastAt} />
              </Anchor>,
              <UsualBy key="usual" at={feed?.usualBy ?? null} />,
              <Sparkline
                key="days"
                values={files}
                label={t.overview.day30(files.map(formatCount).join(", "))}
                width={120}
              />,
            ],
          };
        })}
      />
    </Section>
  );
}

function UsualBy({ at }: { readonly at: string | null }) {
  if (at === null)
    return (
      <Text size="sm" c="dimmed">
        {t.overview.cells["not-known"]}
      </Text>
    );
  const ms = Date.parse(at);
  const format = new Date(ms).toDateString() === new Date().toDateString() ? sameDay : otherDay;
  return (
    <Text size="sm" title={formatInstant(at)}>
      {format.format(ms)}
    </Text>
  );
}
