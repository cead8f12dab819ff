/** What was asked of the agent, and what became of it; the bundles that it made. */
import { Anchor, Group, Text } from "@mantine/core";
import type { CommandView } from "../../../../fleet/commands.ts";
import { addressOf } from "../../api.ts";
import { IconDownload } from "../../parts/icons.tsx";
import { formatSize } from "../../parts/numbers.tsx";
import { Loaded } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";
import type { Agent } from "./facts-of.ts";

const EVERY_MS = 3000;

const COLUMNS: readonly Column<CommandView>[] = [
  {
    key: "what",
    head: t.audit.act,
    cell: ({ kind, source }) =>
      kind === "scan" && source !== null ? t.agent.command.scanOf(source) : t.agent.command[kind],
  },
  { key: "became", head: t.agent.became, cell: (command) => <Became command={command} /> },
  {
    key: "when",
    head: t.agent.when,
    width: 130,
    order: ({ createdAt }) => createdAt,
    cell: ({ createdAt }) => <Time at={createdAt} />,
  },
  { key: "by", head: t.agent.by, wide: true, cell: ({ createdBy }) => createdBy },
];

function Became({ command: { outcome, sentAt } }: { readonly command: CommandView }) {
  if (outcome === null)
    return <State severity="normal">{sentAt === null ? t.agent.waitsForWord : t.agent.given}</State>;
  return (
    <>
      <State severity={outcome.ok ? "good" : "attention"}>
        {outcome.ok ? t.agent.done : t.agent.notDone}
      </State>
      {outcome.detail !== "" && (
        <Text size="xs" c="dimmed">
          {outcome.detail}
        </Text>
      )}
    </>
  );
}

export function Commands({ id }: { readonly id: string }) {
  const query = useCall("agents.commands", { id }, { refetchInterval: EVERY_MS });
  return (
    <Loaded query={query}>
      {({ items }) => (
        <DataTable
          label={t.agent.commands}
          columns={COLUMNS}
          rows={items}
          id={(command) => command.id}
          maxHeight="360px"
          empty={
            <Text size="sm" c="dimmed">
              {t.agent.noCommands}
            </Text>
          }
        />
      )}
    </Loaded>
  );
}

export function Bundles({ agent }: { readonly agent: Agent }) {
  return (
    <>
      <Text size="xs" c="dimmed">
        {t.agent.bundlesSay}
      </Text>
      {agent.diagnostics.map(({ id, createdAt, size }) => (
        <Group key={id} gap="md">
          <Text size="sm">
            <Time at={createdAt} />
          </Text>
          <For may="operator">
            <Anchor href={addressOf("agents.bundle", { id })} download size="sm">
              <Group gap={4} component="span" display="inline-flex">
                <IconDownload /> {t.agent.download(formatSize(size))}
              </Group>
            </Anchor>
          </For>
        </Group>
      ))}
    </>
  );
}
