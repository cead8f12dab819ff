/** Who was refused at the doors, with what words, and where the log has it. */
import { Anchor, Group, SegmentedControl, Select, Text } from "@mantine/core";
import { Link } from "wouter";
import type { RefusalView } from "../../../../refusals/refusals.ts";
import { ClientFilter } from "../../parts/client-filter.tsx";
import { useFilter } from "../../parts/filter.ts";
import { formatCount } from "../../parts/numbers.tsx";
import { Loaded, Section } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Sender } from "../../parts/sender.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";

const COLUMNS: readonly Column<RefusalView>[] = [
  {
    key: "client",
    head: t.site.client,
    width: 150,
    order: ({ client }) => client,
    cell: ({ client }) =>
      client !== "" && (
        <Anchor component={Link} href={`/clients/${client}`} size="sm">
          {client}
        </Anchor>
      ),
  },
  {
    key: "who",
    head: t.site.who,
    width: 180,
    wide: true,
    order: ({ name, bearer }) => name ?? bearer,
    cell: ({ bearer, bearerKind, name, client }) => (
      <Sender kind={bearerKind} id={bearer} name={name} client={client} />
    ),
  },
  {
    key: "why",
    head: t.site.reason,
    order: ({ code }) => code,
    cell: ({ code, lastDetail, lastRequestId }) => (
      <>
        <Plain text={lastDetail} />
        <Text size="xs" c="dimmed">
          {code}
          {lastRequestId !== null && (
            <For may="operator">
              {" · "}
              <Anchor component={Link} href={`/log?requestId=${lastRequestId}`} inherit underline="always">
                {t.site.request}
              </Anchor>
            </For>
          )}
        </Text>
      </>
    ),
  },
  {
    key: "count",
    head: t.site.count,
    numeric: true,
    width: 130,
    wide: true,
    order: ({ count }) => count,
    cell: ({ count, firstAt }) => (
      <>
        {formatCount(count)}
        <Text size="xs" c="dimmed">
          {t.site.firstAt} <Time at={firstAt} />
        </Text>
      </>
    ),
  },
  {
    key: "last",
    head: t.site.last,
    width: 120,
    order: ({ lastAt }) => lastAt,
    cell: ({ lastAt }) => <Time at={lastAt} />,
  },
];

export function Refusals() {
  const { get, set } = useFilter();
  const days = get("days") in t.site.days ? get("days") : "7";
  const [client, code] = [get("client"), get("code")];
  const query = useCall("refusals.list", {
    days,
    ...(client === "" ? {} : { client }),
    ...(code === "" ? {} : { code }),
  });
  // Those of another filter would stand under the words of this one.
  const own = query.isPlaceholderData ? { ...query, data: undefined } : query;
  const codes = [...new Set([...(query.data?.codes ?? []), ...(code === "" ? [] : [code])])];
  return (
    <Section title={t.site.refusals}>
      <Text size="sm" c="dimmed">
        {t.site.refusalsSay}
      </Text>
      <Group gap="sm">
        <SegmentedControl
          value={days}
          onChange={(value) => set({ days: value === "7" ? "" : value })}
          data={Object.entries(t.site.days).map(([value, label]) => ({ value, label }))}
          aria-label={t.site.daysLabel}
        />
        <ClientFilter value={client} onChange={(value) => set({ client: value })} />
        <Select
          placeholder={t.site.anyCode}
          aria-label={t.site.reason}
          data={codes.toSorted()}
          value={code === "" ? null : code}
          onChange={(value) => set({ code: value ?? "" })}
          clearable
          searchable
          w={{ base: "100%", sm: 220 }}
        />
      </Group>
      <Loaded query={own}>
        {({ items, more }) => (
          <DataTable
            label={t.site.refusals}
            columns={COLUMNS}
            rows={items}
            id={(one) => `${one.client} ${one.bearer} ${one.code}`}
            empty={<Text c="dimmed">{t.site.noRefusals}</Text>}
            foot={
              more && (
                <Text size="sm" c="dimmed" p="xs">
                  {t.site.moreRefusals(formatCount(items.length))}
                </Text>
              )
            }
          />
        )}
      </Loaded>
    </Section>
  );
}
