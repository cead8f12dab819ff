/** What needs somebody, worst first: where, what and why, what to do next, and the button for it. */
import { Anchor, Box, Button, Group, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import type { NeedsSomebody } from "../../answers.ts";
import { type Act, attentionWords } from "../attention-words.ts";
import { useAct } from "../queries.ts";
import { t } from "../texts.ts";
import { For } from "../viewer.tsx";
import { formatCount } from "./numbers.tsx";
import { State } from "./state.tsx";
import { useNow } from "./time.tsx";

const FIRST = 8;
const STEP = 25;
/** Then it can be asked for again. */
const ASKED_MS = 10_000;

export function AttentionList({
  items,
  label,
}: {
  readonly items: readonly NeedsSomebody[];
  readonly label: string;
}) {
  const [shown, setShown] = useState(FIRST);
  return (
    <Stack gap="xs">
      <ul className="rows" aria-label={label}>
        {items.slice(0, shown).map((one) => (
          <Row key={one.id} one={one} />
        ))}
      </ul>
      {items.length > shown && (
        <Button variant="subtle" size="xs" w="max-content" onClick={() => setShown(shown + STEP)}>
          {t.overview.showMore(formatCount(Math.min(STEP, items.length - shown)))}
        </Button>
      )}
    </Stack>
  );
}

function Row({ one }: { readonly one: NeedsSomebody }) {
  const { where, href, what, next, acts } = attentionWords(one, useNow());
  return (
    <li>
      <State severity={one.severity}>
        <span className="heard">{t.overview.severity[one.severity]}</span>
      </State>
      <Anchor component={Link} href={href} size="sm" fw={600}>
        {where}
      </Anchor>
      <Box>
        <Text size="sm">{what}</Text>
        <Text size="xs" c="dimmed">
          {next}
        </Text>
      </Box>
      <Group gap="xs" justify="flex-end">
        {acts.map((act) => (
          <ActButton key={act.kind === "open" ? act.to : act.kind} act={act} where={where} />
        ))}
      </Group>
    </li>
  );
}

function ActButton({ act, where }: { readonly act: Act; readonly where: string }) {
  if (act.kind === "scan")
    return (
      <For may="operator">
        <ScanButton agent={act.agent} source={act.source} label={t.attention.scanOf(where)} />
      </For>
    );
  if (act.kind === "resume")
    return (
      <For may="operator">
        <ResumeButton agent={act.agent} />
      </For>
    );
  const link = (
    <Anchor component={Link} href={act.href} size="sm">
      {t.attention.acts[act.to]}
    </Anchor>
  );
  return act.to === "log" ? <For may="operator">{link}</For> : link;
}

/** Asks the agent to look again; where it was asked, its page tells what became of it. */
export function ScanButton({
  agent,
  source,
  label,
  words = t.attention.acts.scan,
  disabled = false,
}: {
  readonly agent: string;
  readonly source: string | null;
  /** What it will look through, for who only hears it. */
  readonly label: string;
  readonly words?: string;
  readonly disabled?: boolean;
}) {
  const scan = useAct("agents.scan");
  const { isSuccess, reset } = scan;
  useEffect(() => {
    if (!isSuccess) return;
    const timer = setTimeout(reset, ASKED_MS);
    return () => clearTimeout(timer);
  }, [isSuccess, reset]);
  if (scan.isSuccess)
    return (
      <Anchor component={Link} href={`/agents/${agent}`} size="sm" role="status">
        {t.attention.acts.asked}
      </Anchor>
    );
  return (
    <Stack gap={2} align="flex-end">
      <Button
        size="compact-sm"
        variant="default"
        aria-label={label}
        loading={scan.isPending}
        disabled={disabled}
        onClick={() => scan.mutate({ id: agent, ...(source === null ? {} : { source }) })}
      >
        {words}
      </Button>
      {scan.error && (
        <Text size="xs" c="var(--trouble)" role="alert">
          {scan.error.message}
        </Text>
      )}
    </Stack>
  );
}

function ResumeButton({ agent }: { readonly agent: string }) {
  const resume = useAct("agents.resume", ["overview"]);
  return (
    <Stack gap={2} align="flex-end">
      <Button
        size="compact-sm"
        variant="default"
        loading={resume.isPending}
        onClick={() => resume.mutate({ id: agent })}
      >
        {resume.isSuccess ? t.attention.acts.resumed : t.attention.acts.resume}
      </Button>
      {resume.error && (
        <Text size="xs" c="var(--trouble)" role="alert">
          {resume.error.message}
        </Text>
      )}
    </Stack>
  );
}
