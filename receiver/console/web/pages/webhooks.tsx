/** Who is told of arrivals. One webhook opens at ?webhook=ID. */
import { Stack, Text } from "@mantine/core";
import { ClientFilter } from "../parts/client-filter.tsx";
import { useFilter } from "../parts/filter.ts";
import { Empty, Loaded, Page } from "../parts/page.tsx";
import { t } from "../texts.ts";
import { For } from "../viewer.tsx";
import { AddWebhook } from "./webhooks/add.tsx";
import { useWebhooks, WebhookList } from "./webhooks/list.tsx";

export default function Webhooks() {
  const { get, set } = useFilter();
  const client = get("client");
  const query = useWebhooks();
  return (
    <Page
      title={t.webhooks.title}
      actions={
        <For may="operator">
          <AddWebhook />
        </For>
      }
    >
      <Text size="sm" c="dimmed">
        {t.webhooks.says}
      </Text>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t.webhooks.emptyTitle}>
              <Text size="sm">{t.webhooks.empty}</Text>
            </Empty>
          ) : (
            <Stack gap="sm">
              <ClientFilter value={client} onChange={(value) => set({ client: value })} />
              <WebhookList
                items={items.filter((one) => client === "" || one.client === null || one.client === client)}
              />
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}
