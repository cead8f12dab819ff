/** The pipe as one picture: what is at each stage; a stage that holds things up is wide, and tells why when it is opened. */
import { Group, Stack, Text, UnstyledButton } from "@mantine/core";
import type { Pipe as PipeData, Stage } from "@tributary/shared/protocol.ts";
import { useState } from "react";
import { formatCount, formatDuration, formatSize } from "../../parts/numbers.tsx";
import { Facts } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { useNow } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { type Agent, countAt, heldAt, holdsUp, isOfToday, STAGES, widthOf } from "./facts-of.ts";
import { Reasons } from "./reasons.tsx";

export function Pipe({ agent }: { readonly agent: Agent }) {
  const pipe = agent.status?.pipe;
  const now = useNow();
  const [chosen, setChosen] = useState<Stage>();
  if (agent.status === null) return <Text c="dimmed">{t.agent.unheard}</Text>;
  if (pipe === undefined) return <QueueOnly agent={agent} />;
  // What is worst is open already.
  const worst = STAGES.map((stage) => ({ stage, held: heldAt(agent, stage) }))
    .filter(({ held }) => holdsUp(held) === "held")
    .toSorted((a, b) => sum(b.held) - sum(a.held))[0]?.stage;
  const open = chosen ?? worst;
  return (
    <Stack gap="sm">
      <ol className="pipe" aria-label={t.agent.pipeLabel}>
        <SourceEnd agent={agent} />
        {STAGES.map((stage) => (
          <StageBox
            key={stage}
            agent={agent}
            pipe={pipe}
            stage={stage}
            open={open === stage}
            onOpen={() => setChosen(stage)}
          />
        ))}
        <li className="pipe-end">
          <Text size="xs" c="dimmed">
            {isOfToday(pipe.delivered.day, now)
              ? t.agent.stages.delivered
              : t.agent.deliveredOn(formatDay(pipe.delivered.day))}
          </Text>
          <Text fw={600}>{formatCount(pipe.delivered.files)}</Text>
          <Text size="xs">{formatSize(pipe.delivered.bytes)}</Text>
        </li>
      </ol>
      {pipe.aside > 0 && <State severity="attention">{t.agent.aside(formatCount(pipe.aside))}</State>}
      {open !== undefined && <Reasons agent={agent} stage={open} />}
    </Stack>
  );
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const formatDay = (utcDay: string): string => day.format(Date.parse(utcDay));

const sum = (held: ReturnType<typeof heldAt>): number => held.reduce((all, one) => all + one.held.count, 0);

function SourceEnd({ agent }: { readonly agent: Agent }) {
  const sources = agent.status?.sources ?? [];
  const away = sources.filter(({ reachable }) => !reachable).length;
  return (
    <li className="pipe-end" data-held={away > 0 || undefined}>
      <Text size="xs" c="dimmed">
        {t.agent.stages.source}
      </Text>
      <Text fw={600}>
        <a href="#sources" className="plain-link">
          {t.agent.sourcesOf(formatCount(sources.length), sources.length === 1)}
        </a>
      </Text>
      {away > 0 && (
        <Text size="xs">
          <State severity="trouble">{t.agent.notReached(formatCount(away))}</State>
        </Text>
      )}
    </li>
  );
}

function StageBox({
  agent,
  pipe,
  stage,
  open,
  onOpen,
}: {
  readonly agent: Agent;
  readonly pipe: PipeData;
  readonly stage: (typeof STAGES)[number];
  readonly open: boolean;
  readonly onOpen: () => void;
}) {
  const held = heldAt(agent, stage);
  const up = holdsUp(held);
  const files = countAt(pipe, stage);
  return (
    <li style={{ flexGrow: widthOf(files, up !== "no") }} data-held={up === "held" || undefined}>
      <UnstyledButton
        onClick={onOpen}
        aria-pressed={open}
        className="pipe-stage"
        title={t.agent.stageSays[stage]}
      >
        <Text size="xs" c="dimmed">
          {t.agent.stages[stage]}
        </Text>
        <Text fw={600} fz="lg">
          {formatCount(files)}
        </Text>
        <Detail pipe={pipe} stage={stage} />
        {up !== "no" && (
          <Text size="xs">
            <State severity={up === "held" ? "attention" : "normal"}>
              {t.agent.holds(formatCount(sum(held)))}
            </State>
          </Text>
        )}
      </UnstyledButton>
    </li>
  );
}

function Detail({ pipe, stage }: { readonly pipe: PipeData; readonly stage: Stage }) {
  const now = useNow();
  const words =
    stage === "queued" && pipe.queued.files > 0
      ? [formatSize(pipe.queued.bytes), oldestOf(pipe.queued.oldestSealedAt, now)]
      : stage === "sending" && pipe.sending.files > 0
        ? [t.agent.perSecond(formatSize(pipe.sending.bytesPerSecond))]
        : [];
  return words.length === 0 ? null : <Text size="xs">{words.filter((word) => word !== "").join(", ")}</Text>;
}

const oldestOf = (at: string | undefined, now: number): string =>
  at === undefined ? "" : t.agent.oldest(formatDuration(now - Date.parse(at)));

/** Of an agent of before the pipe was told. */
function QueueOnly({ agent }: { readonly agent: Agent }) {
  const now = useNow();
  if (agent.status === null) return null;
  const { depth, bytes, oldestSealedAt, aside } = agent.status.queue;
  const settling = agent.status.sources.reduce((all, source) => all + source.settling, 0);
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        {t.agent.noPipe(agent.version)}
      </Text>
      <Facts
        facts={[
          [t.agent.stages.settling, formatCount(settling)],
          [
            t.agent.stages.queued,
            <Group key="queued" gap={6}>
              {formatCount(depth)}
              {depth > 0 && (
                <Text span size="sm" c="dimmed">
                  {[formatSize(bytes), oldestOf(oldestSealedAt, now)]
                    .filter((word) => word !== "")
                    .join(", ")}
                </Text>
              )}
            </Group>,
          ],
          ...(aside > 0
            ? [
                [
                  "",
                  <State key="aside" severity="attention">
                    {t.agent.aside(formatCount(aside))}
                  </State>,
                ] as const,
              ]
            : []),
        ]}
      />
    </Stack>
  );
}
