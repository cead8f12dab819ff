/** Who brings files of a client without an agent, and who is told of them. */
import { Stack } from "@mantine/core";
import { Section } from "../../parts/page.tsx";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";
import { AddWebhook } from "../webhooks/add.tsx";
import { ClientWebhooks } from "../webhooks/list.tsx";
import { Accounts } from "./access/accounts.tsx";
import { Keys } from "./access/keys.tsx";

export function ClientAccess({ client }: { readonly client: string }) {
  return (
    <Stack gap="xl">
      <Keys client={client} />
      <Accounts client={client} />
      <Section
        title={t.webhooks.title}
        actions={
          <For may="operator">
            <AddWebhook client={client} />
          </For>
        }
      >
        <ClientWebhooks client={client} />
      </Section>
    </Stack>
  );
}
