/** What a webhook was told in vain for the last time, and with what failure. */
import { Text } from "@mantine/core";
import type { DeadLetterView, WebhookView } from "../../../../webhooks/standing.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { Failure, Section } from "../../parts/page.tsx";
import { More, usePages } from "../../parts/paged.tsx";
import { Plain, plainText } from "../../parts/plain.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";

export function DeadLetters({ webhook: { id, dead, state } }: { readonly webhook: WebhookView }) {
  const query = usePages("deadletters.list", { webhook: id });
  const replay = useAct("webhooks.replay", ["deadletters", "overview"]);
  const columns: readonly Column<DeadLetterView>[] = [
    {
      key: "event",
      head: t.webhooks.event,
      cell: (letter) => (
        <>
          <span style={{ overflowWrap: "anywhere" }}>
            <Plain text={letter.path} />
          </span>
          <Text size="xs" c="dimmed">
            {letter.client} / {letter.source}
            {letter.kind === "removal" && ` · ${t.webhooks.removal}`}
          </Text>
        </>
      ),
    },
    {
      key: "failed",
      head: t.webhooks.failed,
      cell: ({ lastFailure, tries, lastTriedAt }) => (
        <>
          <Plain text={lastFailure} />
          <Text size="xs" c="dimmed">
            {t.webhooks.tries(tries)}, <Time at={lastTriedAt} />
          </Text>
        </>
      ),
    },
    {
      key: "acts",
      head: "",
      width: 120,
      cell: (letter) => (
        <For may="operator">
          <Confirmed
            label={t.webhooks.replayOne}
            title={plainText(letter.path)}
            says={t.webhooks.replayDeadSays}
            danger={false}
            size="xs"
            onConfirm={() => replay.mutateAsync({ id, dead: [letter.id] })}
          />
        </For>
      ),
    },
  ];
  return (
    <Section
      title={t.webhooks.dead}
      actions={
        dead > 0 &&
        state !== "revoked" && (
          <For may="operator">
            <Confirmed
              label={t.webhooks.replayDead}
              title={t.webhooks.replayDeadTitle(dead)}
              says={t.webhooks.replayDeadSays}
              danger={false}
              onConfirm={() => replay.mutateAsync({ id, dead: [] })}
            />
          </For>
        )
      }
    >
      <Text size="sm" c="dimmed">
        {t.webhooks.deadSay}
      </Text>
      {query.error && <Failure error={query.error} />}
      {query.rows && (
        <DataTable
          label={t.webhooks.dead}
          columns={columns}
          rows={query.rows}
          id={({ id: letter }) => letter}
          empty={<Text c="dimmed">{t.webhooks.noDead}</Text>}
          foot={<More query={query} />}
        />
      )}
    </Section>
  );
}
