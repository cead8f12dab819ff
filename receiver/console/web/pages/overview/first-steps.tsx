/** Where nothing is set up yet: what to do first. */
import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import { CopyBlock } from "../../parts/copy.tsx";
import { Empty } from "../../parts/page.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";

const FEW = 6;

/** Undefined: it is not known yet, or there is nothing to teach. */
export function FirstSteps({ agents, feeds }: { readonly agents: number; readonly feeds: number }) {
  const nobody = agents === 0 && feeds === 0;
  const { data } = useCall("clients.list", {}, { enabled: nobody });
  if (!nobody || data === undefined) return null;
  if (data.items.length === 0)
    return (
      <Empty title={t.overview.noClients}>
        <Text>{t.overview.noClientsSays}</Text>
        <For may="operator">
          <Button component={Link} href="/clients">
            {t.overview.addClient}
          </Button>
        </For>
        <Text size="sm" c="dimmed">
          {t.overview.orCommand}
        </Text>
        <CopyBlock text={t.clients.command} label={t.clients.add} />
      </Empty>
    );
  const names = data.items.filter(({ state }) => state === "active").map(({ name }) => name);
  const [first] = names;
  return (
    <Empty title={t.overview.noAgents}>
      <Text>{t.overview.noAgentsSays}</Text>
      {names.length === 1 && first !== undefined ? (
        <Button component={Link} href={`/clients/${first}/agents`}>
          {t.overview.inviteFor(first)}
        </Button>
      ) : (
        <Stack gap={4}>
          <Text size="sm">{t.overview.chooseClient}:</Text>
          <Group gap="md">
            {names.slice(0, FEW).map((name) => (
              <Anchor key={name} component={Link} href={`/clients/${name}/agents`}>
                {name}
              </Anchor>
            ))}
            <Anchor component={Link} href="/clients" c="dimmed">
              {t.clients.title}
            </Anchor>
          </Group>
        </Stack>
      )}
    </Empty>
  );
}
