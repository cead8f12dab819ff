/** All agents, those in trouble first. */
import { Anchor, Group, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { Link, useSearchParams } from "wouter";
import type { AgentSummary } from "../../../fleet/view.ts";
import { IconSearch } from "../parts/icons.tsx";
import { formatCount, formatSize } from "../parts/numbers.tsx";
import { Empty, Loaded, Page } from "../parts/page.tsx";
import { type Severity, State } from "../parts/state.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { useCall } from "../queries.ts";
import { t } from "../texts.ts";

const SEVERITY: Readonly<Record<AgentSummary["state"], Severity>> = {
  active: "normal",
  waiting: "normal",
  silent: "trouble",
  forked: "trouble",
  revoked: "normal",
};

/** Of an agent as a whole: what is worst of it. */
function severityOf(agent: AgentSummary): Severity {
  const own = SEVERITY[agent.state];
  if (own !== "normal" || agent.state === "revoked") return own;
  return agent.unreachableSources > 0 || agent.problems > 0 || agent.queue.aside > 0 || agent.pause !== null
    ? "attention"
    : "normal";
}

const RANK: Readonly<Record<Severity, number>> = { trouble: 0, attention: 1, normal: 2, good: 3 };

const COLUMNS: readonly Column<AgentSummary>[] = [
  {
    key: "name",
    head: t.agents.name,
    width: 160,
    order: (agent) => agent.name,
    cell: (agent) => (
      <>
        <Anchor component={Link} href={`/agents/${agent.id}`} fw={500} size="sm">
          {agent.name}
        </Anchor>
        {agent.host !== agent.name && (
          <Text size="xs" c="dimmed">
            {agent.host}
          </Text>
        )}
      </>
    ),
  },
  {
    key: "clients",
    head: t.nav.clients,
    width: 180,
    wide: true,
    order: (agent) => agent.clients.join(" "),
    cell: (agent) =>
      agent.clients.slice(0, 3).join(", ") +
      (agent.clients.length > 3 ? ` +${agent.clients.length - 3}` : ""),
  },
  {
    key: "state",
    head: t.agents.state,
    order: (agent) => `${agent.state === "revoked" ? 9 : RANK[severityOf(agent)]} ${agent.lastSeenAt ?? ""}`,
    cell: (agent) => <AgentState agent={agent} />,
  },
  {
    key: "waiting",
    head: t.agents.waiting,
    numeric: true,
    width: 160,
    order: (agent) => agent.queue.files,
    cell: (agent) =>
      agent.queue.files === 0 ? "0" : `${formatCount(agent.queue.files)} · ${formatSize(agent.queue.bytes)}`,
  },
  {
    key: "seen",
    head: t.agents.seen,
    width: 130,
    wide: true,
    order: (agent) => agent.lastSeenAt ?? "",
    cell: (agent) => <Time at={agent.lastSeenAt} />,
  },
  {
    key: "version",
    head: t.agents.version,
    width: 110,
    wide: true,
    order: (agent) => agent.version,
    cell: (agent) => agent.version,
  },
];

/** In words: what keeps it, first. */
function AgentState({ agent }: { readonly agent: AgentSummary }) {
  const [first] = agent.unreachable;
  const words =
    agent.state !== "active"
      ? t.agents.states[agent.state]
      : agent.pause !== null
        ? t.agents.pausedBy(agent.pause.by)
        : first !== undefined
          ? t.agents.unreachable(first.source, agent.unreachableSources)
          : agent.queue.aside > 0
            ? t.agents.aside(agent.queue.aside)
            : agent.problems > 0
              ? t.agents.problems(agent.problems)
              : t.agents.states.active;
  return <State severity={severityOf(agent)}>{words}</State>;
}

export function AgentTable({ agents }: { readonly agents: readonly AgentSummary[] }) {
  return (
    <DataTable
      label={t.agents.title}
      columns={COLUMNS}
      rows={agents}
      id={(agent) => agent.id}
      href={(agent) => `/agents/${agent.id}`}
      sortedBy={{ key: "state", descending: false }}
      empty={<Text c="dimmed">{t.agents.noMatch}</Text>}
    />
  );
}

export default function Agents() {
  const query = useCall("agents.list", {});
  const [params, setParams] = useSearchParams();
  const text = (params.get("text") ?? "").toLowerCase();
  const only = params.get("only") ?? "all";
  const set = (name: string, value: string): void =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (value === "" || value === "all") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  const fits = (agent: AgentSummary): boolean =>
    (only === "all"
      ? agent.state !== "revoked"
      : only === "revoked"
        ? agent.state === "revoked"
        : isTrouble(agent, only)) &&
    [agent.name, agent.host, agent.id, ...agent.clients].some((word) => word.toLowerCase().includes(text));
  return (
    <Page title={t.agents.title}>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t.agents.emptyTitle}>
              <Text>{t.agents.emptyAll}</Text>
              <Anchor component={Link} href="/clients">
                {t.nav.clients}
              </Anchor>
            </Empty>
          ) : (
            <Stack gap="sm">
              <Group gap="sm">
                <TextInput
                  w={{ base: "100%", sm: 280 }}
                  leftSection={<IconSearch />}
                  placeholder={t.clients.filter}
                  aria-label={t.clients.filter}
                  value={params.get("text") ?? ""}
                  onChange={(event) => set("text", event.currentTarget.value)}
                />
                <SegmentedControl
                  aria-label={t.agents.state}
                  className="choices"
                  value={only}
                  onChange={(value) => set("only", value)}
                  data={Object.entries(t.agents.only).map(([value, label]) => ({ value, label }))}
                />
              </Group>
              <AgentTable agents={items.filter(fits)} />
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}

function isTrouble(agent: AgentSummary, only: string): boolean {
  if (only === "silent") return agent.state === "silent" || agent.state === "forked";
  if (only === "paused") return agent.pause !== null && agent.state !== "revoked";
  if (only === "waiting") return agent.state !== "revoked" && agent.queue.files > 0;
  return severityOf(agent) !== "normal";
}
