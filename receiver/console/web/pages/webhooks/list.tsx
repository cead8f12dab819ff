/** Webhooks with how they stand, those in trouble first; the revoked ones when they are asked for. */
import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import type { WebhookView } from "../../../../webhooks/standing.ts";
import { useFilter } from "../../parts/filter.ts";
import { formatCount } from "../../parts/numbers.tsx";
import { Loaded } from "../../parts/page.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { WebhookDrawer } from "./one.tsx";
import { nameOf, ofWhat, rankOf, Standing } from "./standing.tsx";

const EVERY_MS = 5000;

/** How far one is moves with what it is told, of which the live stream says nothing. */
export function useWebhooks(client?: string) {
  return useCall("webhooks.list", client === undefined ? {} : { client }, { refetchInterval: EVERY_MS });
}

export function WebhookList({
  items,
  empty = t.nothingHere,
}: {
  readonly items: readonly WebhookView[];
  readonly empty?: string;
}) {
  const [all, setAll] = useState(false);
  const { get, set } = useFilter();
  const [path] = useLocation();
  const living = items.filter(({ state }) => state !== "revoked");
  const opened = get("webhook");
  return (
    <Stack gap="xs">
      <DataTable
        label={t.webhooks.title}
        columns={columnsAt(path)}
        rows={all ? items : living}
        id={({ id }) => id}
        onOpen={({ id }) => set({ webhook: id })}
        sortedBy={{ key: "state", descending: false }}
        empty={<Text c="dimmed">{empty}</Text>}
      />
      {!all && items.length > living.length && (
        <Group>
          <Button variant="subtle" size="xs" onClick={() => setAll(true)}>
            {t.webhooks.showRevoked(items.length - living.length)}
          </Button>
        </Group>
      )}
      <WebhookDrawer
        id={opened}
        webhook={items.find(({ id }) => id === opened)}
        onClose={() => set({ webhook: "" })}
      />
    </Stack>
  );
}

const columnsAt = (path: string): readonly Column<WebhookView>[] => [
  {
    key: "name",
    head: t.webhooks.name,
    order: nameOf,
    cell: (webhook) => (
      <>
        <Anchor component={Link} href={`${path}?webhook=${webhook.id}`} fw={500} size="sm">
          {nameOf(webhook)}
        </Anchor>
        {webhook.name !== null && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
            {webhook.url}
          </Text>
        )}
      </>
    ),
  },
  {
    key: "of",
    head: t.webhooks.of,
    width: 160,
    wide: true,
    order: ({ client, source }) => `${client ?? ""}/${source ?? ""}`,
    cell: ofWhat,
  },
  { key: "state", head: t.webhooks.state, order: rankOf, cell: (webhook) => <Standing webhook={webhook} /> },
  {
    key: "waiting",
    head: t.webhooks.waiting,
    numeric: true,
    width: 100,
    wide: true,
    order: ({ waiting }) => waiting,
    cell: ({ waiting }) => formatCount(waiting),
  },
  {
    key: "dead",
    head: t.webhooks.dead,
    numeric: true,
    width: 130,
    wide: true,
    order: ({ dead }) => dead,
    cell: ({ id, dead }) =>
      dead === 0 ? (
        "0"
      ) : (
        <Anchor component={Link} href={`${path}?webhook=${id}`} size="sm">
          {formatCount(dead)}
        </Anchor>
      ),
  },
  {
    key: "success",
    head: t.webhooks.lastSuccess,
    width: 130,
    wide: true,
    order: ({ lastSuccessAt }) => lastSuccessAt ?? "",
    cell: ({ lastSuccessAt }) => <Time at={lastSuccessAt} />,
  },
];

/** In the page of a client: those that tell of it alone. */
export function ClientWebhooks({ client }: { readonly client: string }) {
  const query = useWebhooks(client);
  return (
    <Loaded query={query}>
      {({ items }) => (
        <>
          <WebhookList items={items} empty={t.webhooks.noneOfClient} />
          <Anchor component={Link} href={`/webhooks?client=${client}`} size="sm">
            {t.webhooks.all}
          </Anchor>
        </>
      )}
    </Loaded>
  );
}
