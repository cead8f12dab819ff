/** Whose data is missing, since when, and why: the first page, calm when all is well. */
import { Stack, Text } from "@mantine/core";
import { useSearchParams } from "wouter";
import type { OverviewAnswer } from "../../answers.ts";
import { ArrivalsChart } from "../parts/arrivals/chart.tsx";
import { hourHref } from "../parts/arrivals/href.ts";
import { filesIn } from "../parts/arrivals/scale.ts";
import { Loaded, Page, Section } from "../parts/page.tsx";
import { useCall } from "../queries.ts";
import { t } from "../texts.ts";
import { FirstSteps } from "./overview/first-steps.tsx";
import { Needs } from "./overview/needs.tsx";
import { Punctuality } from "./overview/punctuality.tsx";
import { Tiles } from "./overview/tiles.tsx";

/** What grows only by the clock (late, silent) is told by nobody. */
const EVERY_MS = 15_000;

export default function Overview() {
  const [params] = useSearchParams();
  const onlyLate = params.get("only") === "late";
  const query = useCall("overview.get", onlyLate ? { only: "late" } : {}, { refetchInterval: EVERY_MS });
  return (
    <Page title={t.nav.overview}>
      <Loaded query={query}>
        {(data) => <Content data={data} onlyLate={onlyLate} lookedAt={query.dataUpdatedAt} />}
      </Loaded>
    </Page>
  );
}

function Content({
  data,
  onlyLate,
  lookedAt,
}: {
  readonly data: OverviewAnswer;
  readonly onlyLate: boolean;
  readonly lookedAt: number;
}) {
  const { agents, feeds, byHour, attention } = data;
  if (agents === 0 && feeds === 0 && attention.total === 0)
    return <FirstSteps agents={agents} feeds={feeds} />;
  const some = byHour.some((hour) => filesIn(hour) > 0 || hour.usual !== null);
  return (
    <Stack gap="xl">
      <Tiles data={data} />
      <Needs attention={attention} onlyLate={onlyLate} lookedAt={lookedAt} />
      <div className="two-up">
        <Section title={t.overview.hours}>
          <Text size="xs" c="dimmed">
            {t.overview.hoursSay}
          </Text>
          {some ? (
            <ArrivalsChart hours={byHour} href={hourHref()} />
          ) : (
            <Text size="sm" c="dimmed">
              {t.overview.nothingCame}
            </Text>
          )}
        </Section>
        <Punctuality />
      </div>
    </Stack>
  );
}
