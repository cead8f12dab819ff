/** API keys of a client: for programs that bring files without an agent. */
import { Group, Text } from "@mantine/core";
import type { ApiKeyView } from "../../../../../identity/apikeys.ts";
import { Confirmed } from "../../../parts/confirm.tsx";
import { formatSize } from "../../../parts/numbers.tsx";
import { Loaded, Section } from "../../../parts/page.tsx";
import type { Column } from "../../../parts/table.tsx";
import { Time } from "../../../parts/time.tsx";
import { useAct, useCall } from "../../../queries.ts";
import { t } from "../../../texts.ts";
import { For } from "../../../viewer.tsx";
import { AddKey } from "./add-key.tsx";
import { Limits } from "./limits.tsx";
import { Living } from "./living.tsx";

export function Keys({ client }: { readonly client: string }) {
  const query = useCall("keys.list", { client });
  const bound = useAct("keys.bound");
  const revoke = useAct("keys.revoke");
  const columns: readonly Column<ApiKeyView>[] = [
    {
      key: "name",
      head: t.access.name,
      cell: (key) => (
        <>
          {key.name ?? <span className="mono">{key.id}</span>}
          {key.revokedAt !== null && (
            <Text size="xs" c="dimmed">
              {t.access.revoked} <Time at={key.revokedAt} />
            </Text>
          )}
        </>
      ),
    },
    {
      key: "scopes",
      head: t.access.scopes,
      wide: true,
      cell: (key) => key.scopes.map((scope) => t.access.scopeNames[scope]).join(", "),
    },
    { key: "source", head: t.access.source, width: 140, wide: true, cell: (key) => key.source ?? "" },
    {
      key: "today",
      head: t.access.today,
      numeric: true,
      width: 110,
      cell: (key) => formatSize(key.dayBytes),
    },
    {
      key: "created",
      head: t.access.created,
      width: 130,
      wide: true,
      cell: (key) => <Time at={key.createdAt} />,
    },
    {
      key: "acts",
      head: "",
      width: 190,
      cell: (key) =>
        key.revokedAt === null && (
          <For may="operator">
            <Group gap={4} wrap="nowrap">
              <Limits
                name={key.name ?? key.id}
                limits={key.limits}
                onSave={(bounds) => bound.mutateAsync({ id: key.id, ...bounds })}
              />
              <Confirmed
                label={t.access.revoke}
                title={t.access.revokeKey(key.name ?? key.id)}
                says={t.access.revokeKeySays}
                size="xs"
                onConfirm={() => revoke.mutateAsync({ id: key.id })}
              />
            </Group>
          </For>
        ),
    },
  ];
  return (
    <Section
      title={t.access.keys}
      actions={
        <For may="operator">
          <AddKey client={client} />
        </For>
      }
    >
      <Text size="sm" c="dimmed">
        {t.access.keysSay}
      </Text>
      <Loaded query={query}>
        {({ items }) => (
          <Living items={items} label={t.access.keys} columns={columns} empty={t.access.noKeys} />
        )}
      </Loaded>
    </Section>
  );
}
