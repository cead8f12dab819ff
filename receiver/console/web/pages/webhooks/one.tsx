/** One webhook: how it stands and what to do, its dead letters, replay and revocation. */
import { Alert, Anchor, Drawer, Group, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import type { WebhookView } from "../../../../webhooks/standing.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { Short } from "../../parts/copy.tsx";
import { formatCount } from "../../parts/numbers.tsx";
import { Facts } from "../../parts/page.tsx";
import { Time } from "../../parts/time.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";
import { DeadLetters } from "./dead-letters.tsx";
import { Replay } from "./replay.tsx";
import { formatLag, nameOf, ofWhat, Standing } from "./standing.tsx";

export function WebhookDrawer({
  id,
  webhook,
  onClose,
}: {
  /** Empty: it is closed. */
  readonly id: string;
  readonly webhook: WebhookView | undefined;
  readonly onClose: () => void;
}) {
  return (
    <Drawer
      opened={id !== ""}
      onClose={onClose}
      position="right"
      size="xl"
      title={webhook ? nameOf(webhook) : id}
      closeButtonProps={{ "aria-label": t.close }}
    >
      {webhook === undefined ? id !== "" && <Text>{t.webhooks.gone}</Text> : <One webhook={webhook} />}
    </Drawer>
  );
}

function One({ webhook }: { readonly webhook: WebhookView }) {
  const { state } = webhook;
  const todo = t.webhooks.todo[state];
  const revoke = useAct("webhooks.revoke", ["deadletters"]);
  return (
    <Stack gap="lg">
      {todo !== "" && (
        <Alert color={state === "suspended" ? "orange" : "red"} variant="light">
          {todo}
        </Alert>
      )}
      <Facts
        facts={[
          [t.webhooks.state, <Standing key="state" webhook={webhook} />],
          [t.webhooks.url, webhook.url],
          [t.webhooks.of, ofWhat(webhook)],
          [t.webhooks.lag, formatLag(webhook.lag)],
          [t.webhooks.waiting, `${formatCount(webhook.waiting)}, ${t.webhooks.waitingSay}`],
          [t.webhooks.lastSuccess, <Time key="success" at={webhook.lastSuccessAt} />],
          [
            t.webhooks.lastFailure,
            <span key="failure">
              <Time at={webhook.lastFailureAt} />
              {webhook.lastFailure !== null && <Text size="sm">{webhook.lastFailure}</Text>}
            </span>,
          ],
          [t.webhooks.place, <Short key="place" text={webhook.cursor} length={16} />],
          [t.webhooks.made, <Time key="made" at={webhook.createdAt} />],
          [t.webhooks.id, <Short key="id" text={webhook.id} length={16} />],
        ]}
      />
      <Group gap="md">
        {state !== "revoked" && (
          <For may="operator">
            <Group gap="xs">
              <Replay webhook={webhook} />
              <Confirmed
                label={t.webhooks.revoke}
                title={t.webhooks.revokeTitle(nameOf(webhook))}
                says={t.webhooks.revokeSays(formatCount(webhook.waiting), formatCount(webhook.dead))}
                onConfirm={() => revoke.mutateAsync({ id: webhook.id })}
              />
            </Group>
          </For>
        )}
        <Anchor component={Link} href={`/audit?subjectKind=webhook&subject=${webhook.id}`} size="sm">
          {t.webhooks.acts}
        </Anchor>
      </Group>
      <DeadLetters webhook={webhook} />
    </Stack>
  );
}
