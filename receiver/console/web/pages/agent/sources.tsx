/** What the agent watches: whether it reaches it, when it looked, what is in its pipe. Those in trouble first. */
import { Anchor, Text } from "@mantine/core";
import { Link } from "wouter";
import { ScanButton } from "../../parts/attention-list.tsx";
import { formatCount, formatSize } from "../../parts/numbers.tsx";
import { State } from "../../parts/state.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { useViewer } from "../../viewer.tsx";
import { type Agent, type AgentSource, barrier, countAt, STAGES } from "./facts-of.ts";

export function Sources({ agent }: { readonly agent: Agent }) {
  const operator = useViewer().role !== "viewer";
  const shut = agent.state !== "active" || barrier(agent, "scan") !== undefined;
  const columns: readonly Column<AgentSource>[] = [
    {
      key: "source",
      head: t.agent.source,
      order: ({ client, name }) => `${client} ${name}`,
      cell: ({ client, name, kind }) => (
        <>
          <Anchor component={Link} href={`/clients/${client}/files?source=${name}`} size="sm" fw={500}>
            {agent.clients.length > 1 && `${client} / `}
            {name}
          </Anchor>
          <Text size="xs" c="dimmed">
            {kind}
          </Text>
        </>
      ),
    },
    {
      key: "reach",
      head: t.agent.reach,
      order: ({ reachable, problems }) => (reachable ? (problems > 0 ? 1 : 2) : 0),
      cell: (source) => <Reach source={source} />,
    },
    {
      key: "last",
      head: t.agent.lastLook,
      width: 110,
      wide: true,
      order: ({ lastScanAt }) => lastScanAt ?? "",
      cell: ({ lastScanAt }) => <Time at={lastScanAt} />,
    },
    {
      key: "next",
      head: t.agent.nextLook,
      width: 110,
      wide: true,
      order: ({ nextScanAt }) => nextScanAt ?? "",
      cell: ({ nextScanAt }) => <Time at={nextScanAt} never="" />,
    },
    {
      key: "files",
      head: t.agent.files,
      numeric: true,
      wide: true,
      order: ({ files }) => files,
      cell: ({ files }) => formatCount(files),
    },
    {
      key: "pipe",
      head: t.agent.inPipe,
      wide: true,
      order: inPipe,
      cell: (source) => <InPipe source={source} />,
    },
    {
      key: "delivered",
      head: t.agent.deliveredToday,
      numeric: true,
      wide: true,
      order: ({ pipe }) => pipe?.delivered.files ?? 0,
      cell: ({ pipe }) =>
        pipe === undefined || pipe.delivered.files === 0
          ? "0"
          : `${formatCount(pipe.delivered.files)} · ${formatSize(pipe.delivered.bytes)}`,
    },
    ...(operator
      ? [
          {
            key: "check",
            head: "",
            width: 150,
            cell: ({ client, name }: AgentSource) => (
              <ScanButton
                agent={agent.id}
                source={name}
                label={t.attention.scanOf(`${client} / ${name}`)}
                words={t.agent.check}
                disabled={shut}
              />
            ),
          },
        ]
      : []),
  ];
  return (
    <DataTable
      label={t.agent.sources}
      columns={columns}
      rows={agent.status?.sources ?? []}
      id={({ client, name }) => `${client}/${name}`}
      sortedBy={{ key: "reach", descending: false }}
      maxHeight="480px"
      empty={<Text c="dimmed">{t.agent.noSources}</Text>}
    />
  );
}

function Reach({ source: { reachable, reason, problems } }: { readonly source: AgentSource }) {
  if (!reachable)
    return (
      <>
        <State severity="trouble">{t.agent.unreachable}</State>
        {reason !== undefined && <Text size="xs">{reason}</Text>}
      </>
    );
  return problems > 0 ? (
    <State severity="attention">
      {t.agent.reachable}, {t.agents.problems(problems)}
    </State>
  ) : (
    <State severity="normal">{t.agent.reachable}</State>
  );
}

function inPipe({ pipe, settling }: AgentSource): number {
  if (pipe === undefined) return settling;
  return pipe.settling + pipe.queued.files;
}

/** The stages that are not empty, in words. */
function InPipe({ source }: { readonly source: AgentSource }) {
  const { pipe, settling } = source;
  const parts =
    pipe === undefined
      ? [["settling", settling] as const]
      : STAGES.map((stage) => [stage, countAt(pipe, stage)] as const);
  const words = parts
    .filter(([, count]) => count > 0)
    .map(([stage, count]) => `${t.agent.stages[stage]} ${formatCount(count)}`);
  if (pipe !== undefined && pipe.aside > 0) words.push(t.agent.aside(formatCount(pipe.aside)));
  return (
    <Text size="sm" c={words.length === 0 ? "dimmed" : undefined}>
      {words.length === 0 ? t.agent.empty : words.join(", ")}
    </Text>
  );
}
