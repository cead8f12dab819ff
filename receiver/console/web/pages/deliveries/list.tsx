/** What came, newest first, as it comes: of one client, or of all. */
import { Anchor, Button, Group, Loader, Stack, Text } from "@mantine/core";
import { useMemo } from "react";
import { Link, useSearchParams } from "wouter";
import type { Delivery } from "../../../../deliveries/deliveries.ts";
import { Below } from "../../parts/below.tsx";
import { byName, doorName } from "../../parts/bringer.tsx";
import { Short } from "../../parts/copy.tsx";
import { formatCount, formatSize } from "../../parts/numbers.tsx";
import { Empty, Failure, Loaded } from "../../parts/page.tsx";
import { fileText, folderOf, nameOf } from "../../parts/paths.ts";
import { Plain } from "../../parts/plain.tsx";
import { State } from "../../parts/state.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { formatInstant, Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { FileDrawer } from "../files/drawer.tsx";
import { Filters, useDeliveryFilter } from "./filters.tsx";
import { useDeliveries } from "./pages.ts";

export function DeliveryList({ client }: { readonly client?: string }) {
  const { filter, chosen } = useDeliveryFilter(client);
  const { query, rows, looking, goOn, searchedTo, newer, showNewer } = useDeliveries(filter);
  const [params, setParams] = useSearchParams();
  const search = params.toString();
  const columns = useMemo(() => columnsOf(client, new URLSearchParams(search)), [client, search]);
  const foot =
    looking === undefined ? (
      <Below query={query} />
    ) : (
      <LookedBack looking={looking} searchedTo={searchedTo} onGoOn={goOn} />
    );
  return (
    <Stack gap="sm">
      <Filters fixed={client}>
        <Newer newer={newer} onShow={showNewer} />
      </Filters>
      <Loaded query={query}>
        {() => (
          <DataTable
            label={t.deliveries.title}
            columns={columns}
            rows={rows}
            id={(row) => row.versionId}
            onOpen={(row) => setParams((old) => withFile(old, row))}
            empty={<Nothing filtered={chosen.length > 0} foot={looking === undefined ? undefined : foot} />}
            foot={foot}
            maxHeight="max(60dvh, calc(100dvh - 300px))"
          />
        )}
      </Loaded>
      {query.isFetchNextPageError && query.error && <Failure error={query.error} />}
      <FileDrawer />
    </Stack>
  );
}

/** Beside the buttons, where there is room for it: the list stays where it is. */
function Newer(props: {
  readonly newer: { readonly count: number; readonly more: boolean } | undefined;
  readonly onShow: () => void;
}) {
  const { count = 0, more = false } = props.newer ?? {};
  return (
    <div role="status">
      {count > 0 && (
        <Button size="compact-sm" onClick={props.onShow}>
          {t.deliveries.newer(`${formatCount(count)}${more ? "+" : ""}`)}
        </Button>
      )}
    </div>
  );
}

function Nothing({ filtered, foot }: { readonly filtered: boolean; readonly foot: React.ReactNode }) {
  if (foot !== undefined)
    return (
      <>
        <Text c="dimmed">{t.deliveries.noMatchYet}</Text>
        {foot}
      </>
    );
  if (filtered) return <Text c="dimmed">{t.deliveries.noMatch}</Text>;
  return (
    <Empty title={t.deliveries.emptyTitle}>
      <Text>{t.deliveries.empty}</Text>
    </Empty>
  );
}

function LookedBack(props: {
  readonly looking: boolean;
  readonly searchedTo: string | null;
  readonly onGoOn: () => void;
}) {
  const { looking, searchedTo, onGoOn } = props;
  return (
    <Group justify="center" p="xs" gap="sm">
      <Text size="sm" c="dimmed">
        {searchedTo !== null && t.deliveries.lookedTo(formatInstant(searchedTo))}
      </Text>
      {looking ? (
        <Loader size="xs" aria-label={t.deliveries.looking} />
      ) : (
        <Button size="xs" variant="default" onClick={onGoOn}>
          {t.deliveries.goOn}
        </Button>
      )}
    </Group>
  );
}

function withFile(old: URLSearchParams, row: Delivery): URLSearchParams {
  const next = new URLSearchParams(old);
  next.set("file", fileText(row));
  next.set("version", row.versionId);
  return next;
}

function addressWith(params: URLSearchParams, name: string, value: string): string {
  const next = new URLSearchParams(params);
  next.set(name, value);
  return `?${next}`;
}

function columnsOf(client: string | undefined, params: URLSearchParams): readonly Column<Delivery>[] {
  const here = client === undefined ? "/deliveries" : `/clients/${client}/deliveries`;
  return [
    { key: "received", head: t.deliveries.received, width: 120, cell: (row) => <Time at={row.receivedAt} /> },
    {
      key: "file",
      head: t.deliveries.file,
      cell: (row) => (
        <span className="file-name">
          <Anchor component={Link} href={`${here}?${withFile(params, row)}`} size="sm" fw={500}>
            <Plain text={nameOf(row.path)} />
          </Anchor>
          <Text size="xs" c="dimmed">
            {client === undefined && (
              <>
                <Anchor component={Link} href={`/clients/${row.client}`} inherit underline="always">
                  {row.client}
                </Anchor>
                {" / "}
              </>
            )}
            {row.source}
            {folderOf(row.path) !== "" && (
              <>
                {" / "}
                <Plain text={folderOf(row.path)} />
              </>
            )}
          </Text>
        </span>
      ),
    },
    {
      key: "size",
      head: t.deliveries.size,
      numeric: true,
      width: 110,
      cell: (row) =>
        row.kind === "removal" ? (
          <State severity="normal">{t.files.removal}</State>
        ) : (
          formatSize(row.size ?? 0)
        ),
    },
    {
      key: "by",
      head: t.deliveries.by,
      width: 240,
      wide: true,
      cell: (row) => (
        <>
          <Anchor component={Link} href={`${here}${addressWith(params, "bearer", row.bearer.id)}`} size="sm">
            {byName(row.bearer)}
          </Anchor>
          <Text size="xs" c="dimmed">
            {doorName(row.channel)}
          </Text>
        </>
      ),
    },
    {
      key: "digest",
      head: t.deliveries.digest,
      width: 120,
      wide: true,
      cell: (row) => row.sha256 !== null && <Short text={row.sha256} />,
    },
  ];
}
