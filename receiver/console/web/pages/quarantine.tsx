/** What inspection held back, and what became of it. */
import { Anchor, Box, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import { ClientFilter } from "../parts/client-filter.tsx";
import { Short } from "../parts/copy.tsx";
import { useFilter } from "../parts/filter.ts";
import { formatSize } from "../parts/numbers.tsx";
import { Empty, Failure, Page } from "../parts/page.tsx";
import { More, usePages } from "../parts/paged.tsx";
import { Plain } from "../parts/plain.tsx";
import { Sender } from "../parts/sender.tsx";
import { State } from "../parts/state.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { t } from "../texts.ts";
import { For } from "../viewer.tsx";
import { Decide, type Quarantined } from "./quarantine/decide.tsx";

const COLUMNS: readonly Column<Quarantined>[] = [
  {
    key: "file",
    head: t.quarantine.file,
    cell: ({ client, source, path, size, sha256 }) => (
      <>
        <span style={{ overflowWrap: "anywhere" }}>
          <Plain text={path} />
        </span>
        <Text size="xs" c="dimmed">
          <Anchor component={Link} href={`/clients/${client}`} inherit>
            {client}
          </Anchor>{" "}
          / {source} · {formatSize(size)} · <Short text={sha256} />
        </Text>
      </>
    ),
  },
  { key: "finding", head: t.quarantine.finding, cell: (file) => <FindingAndActs file={file} /> },
  {
    key: "sender",
    head: t.quarantine.sender,
    width: 150,
    wide: true,
    cell: ({ sender, client }) => <Sender {...sender} client={client} />,
  },
  {
    key: "arrived",
    head: t.quarantine.arrived,
    width: 120,
    wide: true,
    cell: ({ arrivedAt }) => <Time at={arrivedAt} />,
  },
  {
    key: "acts",
    head: "",
    wide: true,
    cell: (file) => <Acts file={file} />,
  },
];

/** The last column has no room on a phone. */
function FindingAndActs({ file }: { readonly file: Quarantined }) {
  return (
    <>
      <Finding file={file} />
      <Box hiddenFrom="sm" mt={8}>
        <Acts file={file} />
      </Box>
    </>
  );
}

function Acts({ file }: { readonly file: Quarantined }) {
  return file.state === "held" ? (
    <For may="operator">
      <Decide file={file} />
    </For>
  ) : null;
}

/** The finding; and of what left, what became of it, by whom and why. */
function Finding({ file }: { readonly file: Quarantined }) {
  const words = file.finding.startsWith("too large") ? file.finding : t.quarantine.recognised(file.finding);
  if (file.state === "held") return <State severity="attention">{words}</State>;
  const [at, by] =
    file.state === "released" ? [file.releasedAt, file.releasedBy] : [file.discardedAt, file.discardedBy];
  return (
    <>
      <State severity="normal">
        {t.quarantine.states[file.state]} <Time at={at} /> {by !== null && t.quarantine.by(by)}
      </State>
      <Text size="xs">{file.reason}</Text>
      <Text size="xs" c="dimmed">
        {words}
      </Text>
    </>
  );
}

export default function Quarantine() {
  const { get, set } = useFilter();
  const client = get("client");
  const all = get("show") === "all";
  const query = usePages("quarantine.list", {
    ...(client === "" ? {} : { client }),
    ...(all ? { all: "true" as const } : {}),
  });
  return (
    <Page title={t.nav.quarantine}>
      <Text size="sm" c="dimmed" maw={720}>
        {t.quarantine.says}
      </Text>
      <Group gap="sm">
        <SegmentedControl
          value={all ? "all" : "held"}
          onChange={(value) => set({ show: value === "all" ? "all" : "" })}
          data={Object.entries(t.quarantine.show).map(([value, label]) => ({ value, label }))}
          aria-label={t.quarantine.showLabel}
        />
        <ClientFilter value={client} onChange={(value) => set({ client: value })} />
      </Group>
      {query.error && <Failure error={query.error} onRetry={() => void query.refetch()} />}
      {query.rows && (
        <DataTable
          label={t.nav.quarantine}
          columns={COLUMNS}
          rows={query.rows}
          id={({ id }) => id}
          empty={<Nothing client={client} all={all} />}
          foot={<More query={query} />}
        />
      )}
    </Page>
  );
}

function Nothing({ client, all }: { readonly client: string; readonly all: boolean }) {
  if (client !== "") return <Text c="dimmed">{all ? t.quarantine.noMatchEver : t.quarantine.noMatch}</Text>;
  return (
    <Empty title={all ? t.quarantine.noneEver : t.quarantine.emptyTitle}>
      <Stack gap="xs">
        <Text size="sm">{t.quarantine.empty}</Text>
      </Stack>
    </Empty>
  );
}
