/** One agent: what is on its way and what keeps it, live while somebody looks. */
import { Anchor, Group, Stack } from "@mantine/core";
import { Link } from "wouter";
import { ScanButton } from "../parts/attention-list.tsx";
import { BoundsForm } from "../parts/bounds.tsx";
import { Short } from "../parts/copy.tsx";
import { formatDuration, formatSize } from "../parts/numbers.tsx";
import { Facts, Loaded, Page, Section } from "../parts/page.tsx";
import { State } from "../parts/state.tsx";
import { Time } from "../parts/time.tsx";
import { useAct, useCall } from "../queries.ts";
import { t } from "../texts.ts";
import { For } from "../viewer.tsx";
import { Acts, DiagnoseButton } from "./agent/acts.tsx";
import { Bundles, Commands } from "./agent/commands.tsx";
import { type Agent as AgentData, barrier } from "./agent/facts-of.ts";
import { Pipe } from "./agent/pipe.tsx";
import { Problems } from "./agent/problems.tsx";
import { Sources } from "./agent/sources.tsx";
import { Standing } from "./agent/standing.tsx";

const EVERY_MS = 3000;
const SKEW_MS = 1500;
const MUCH_SKEW_MS = 5 * 60_000;

export default function Agent({ id }: { readonly id: string }) {
  const query = useCall("agents.get", { id }, { refetchInterval: EVERY_MS });
  // Whether it is silent is decided at the receiver, which knows how often it should speak.
  const all = useCall("agents.list", {}, { refetchInterval: 5 * EVERY_MS });
  const silent = all.data?.items.find((one) => one.id === id)?.state === "silent";
  return (
    <Page
      title={query.data?.name ?? id}
      above={
        <Anchor component={Link} href="/agents" size="sm">
          {t.agent.above}
        </Anchor>
      }
      actions={query.data && <Acts agent={query.data} />}
    >
      <Loaded query={query}>{(agent) => <Content key={agent.id} agent={agent} silent={silent} />}</Loaded>
    </Page>
  );
}

function Content({ agent, silent }: { readonly agent: AgentData; readonly silent: boolean }) {
  const bound = useAct("agents.bound");
  const asked = agent.state === "active" && barrier(agent, "scan") === undefined;
  return (
    <Stack gap="xl">
      <Standing agent={agent} silent={silent} />
      <Section title={t.agent.pipe}>
        <Pipe agent={agent} />
      </Section>
      <div id="sources">
        <Section
          title={t.agent.sources}
          actions={
            asked && (
              <For may="operator">
                <ScanButton
                  agent={agent.id}
                  source={null}
                  label={t.agent.checkAll}
                  words={t.agent.checkAll}
                />
              </For>
            )
          }
        >
          <Sources agent={agent} />
        </Section>
      </div>
      <Section title={t.agent.problems}>
        <Problems agent={agent} />
      </Section>
      <div className="two-up">
        <Section title={t.agent.commands}>
          <Commands id={agent.id} />
        </Section>
        <Section title={t.agent.bundles} actions={<DiagnoseButton agent={agent} />}>
          <Bundles agent={agent} />
        </Section>
        <Section title={t.agent.facts}>
          <About agent={agent} />
        </Section>
        <For may="operator">
          <Section title={t.agent.limits}>
            <BoundsForm
              bounds={agent.limits}
              fields={["day", "file", "requests", "uploads"]}
              onSave={(bounds) => bound.mutateAsync({ id: agent.id, ...bounds })}
            />
          </Section>
        </For>
      </div>
    </Stack>
  );
}

function About({ agent }: { readonly agent: AgentData }) {
  const { status } = agent;
  return (
    <Facts
      facts={[
        [
          t.nav.clients,
          <Group key="clients" gap={8}>
            {agent.clients.map((client) => (
              <Anchor key={client} component={Link} href={`/clients/${client}`} inherit>
                {client}
              </Anchor>
            ))}
          </Group>,
        ],
        [t.agent.host, agent.host],
        [t.agent.platform, agent.platform],
        [t.agent.version, agent.version],
        [t.agent.clock, status === null ? "" : <Clock key="clock" skewMs={status.skewMs} />],
        [t.agent.revision, status === null ? "" : t.agent.revisionOf(status.configurationRevision)],
        [t.agent.lastWord, <Time key="seen" at={agent.lastSeenAt} />],
        [t.agent.enrolled, <Time key="made" at={agent.createdAt} />],
        [
          t.agent.dayBytes,
          <Anchor key="day" component={Link} href={ofToday(agent.id)} inherit>
            {formatSize(agent.dayBytes)}
          </Anchor>,
        ],
        [t.agent.id, <Short key="id" text={agent.id} length={36} />],
        ...(agent.leases.length > 0
          ? [
              [
                t.agent.leases,
                agent.leases.map(({ client, source, until }) => (
                  <div key={`${client}/${source}`}>
                    {client} / {source}, {t.agent.leaseUntil} <Time at={until} />
                  </div>
                )),
              ] as const,
            ]
          : []),
      ]}
    />
  );
}

function Clock({ skewMs }: { readonly skewMs: number }) {
  const off = Math.abs(skewMs);
  if (off < SKEW_MS) return t.agent.clockGood;
  return (
    <State severity={off > MUCH_SKEW_MS ? "attention" : "normal"}>
      {t.agent.clockOff(formatDuration(off), skewMs > 0)}
    </State>
  );
}

/** What its bytes of the UTC day count. */
function ofToday(bearer: string): string {
  const from = `${new Date().toISOString().slice(0, 10)}T00:00:00.000Z`;
  return `/deliveries?${new URLSearchParams({ bearer, kind: "version", from })}`;
}
