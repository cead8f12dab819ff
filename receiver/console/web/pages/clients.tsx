/** All clients: what is trouble first, then by name. */
import { Anchor, Button, Code, Group, Modal, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import type { ClientRow } from "../../answers.ts";
import { IconPlus, IconSearch } from "../parts/icons.tsx";
import { formatCount, formatSize } from "../parts/numbers.tsx";
import { Empty, Failure, Loaded, Page } from "../parts/page.tsx";
import { Sparkline } from "../parts/sparkline.tsx";
import { State } from "../parts/state.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { useAct, useCall } from "../queries.ts";
import { t } from "../texts.ts";
import { For } from "../viewer.tsx";

const COLUMNS: readonly Column<ClientRow>[] = [
  {
    key: "name",
    head: t.clients.name,
    order: (row) => row.name,
    cell: (row) => (
      <Anchor component={Link} href={`/clients/${row.name}`} fw={500} size="sm">
        {row.name}
      </Anchor>
    ),
  },
  {
    key: "state",
    head: t.clients.state,
    width: 150,
    order: (row) => row.state,
    cell: (row) => <ClientState row={row} />,
  },
  {
    key: "agents",
    head: t.clients.agents,
    width: 160,
    order: (row) => row.silent * 1e6 + row.agents,
    cell: (row) =>
      row.silent > 0 ? (
        <State severity="attention">
          {formatCount(row.agents)}, {t.clients.silent(row.silent)}
        </State>
      ) : (
        formatCount(row.agents)
      ),
  },
  {
    key: "last",
    head: t.clients.lastArrival,
    width: 130,
    wide: true,
    order: (row) => row.lastArrivalAt ?? "",
    cell: (row) => <Time at={row.lastArrivalAt} />,
  },
  {
    key: "week",
    head: t.clients.week,
    width: 100,
    wide: true,
    order: (row) => row.days.reduce((sum, { files }) => sum + files, 0),
    cell: (row) => {
      const files = row.days.map((day) => day.files);
      return (
        <Sparkline values={files} label={t.overview.week(files.map(formatCount).join(", "))} width={72} />
      );
    },
  },
  {
    key: "today",
    head: t.clients.today,
    numeric: true,
    width: 110,
    order: (row) => row.dayBytes,
    cell: (row) => formatSize(row.dayBytes),
  },
  {
    key: "stored",
    head: t.clients.stored,
    numeric: true,
    width: 110,
    wide: true,
    order: (row) => row.storedBytes,
    cell: (row) => formatSize(row.storedBytes),
  },
  {
    key: "since",
    head: t.clients.since,
    width: 130,
    wide: true,
    order: (row) => row.createdAt,
    cell: (row) => <Time at={row.createdAt} />,
  },
];

function ClientState({ row }: { readonly row: Pick<ClientRow, "state"> }) {
  return (
    <State severity={row.state === "suspended" ? "attention" : "normal"}>{t.clients.states[row.state]}</State>
  );
}

export default function Clients() {
  const query = useCall("clients.list", {});
  const [params, setParams] = useSearchParams();
  const text = params.get("text") ?? "";
  const only = params.get("only") === "trouble" ? "trouble" : "all";
  const set = (name: string, value: string): void =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (value === "" || value === "all") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  const trouble = useTroubled(only === "trouble");
  return (
    <Page
      title={t.clients.title}
      actions={
        <For may="operator">
          <AddClient />
        </For>
      }
    >
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t.clients.emptyTitle}>
              <Text>{t.clients.empty}</Text>
              <Code block>{t.clients.command}</Code>
            </Empty>
          ) : (
            <Stack gap="sm">
              <Group gap="sm">
                <TextInput
                  w={{ base: "100%", sm: 320 }}
                  leftSection={<IconSearch />}
                  placeholder={t.clients.filter}
                  aria-label={t.clients.filter}
                  value={text}
                  onChange={(event) => {
                    set("text", event.currentTarget.value);
                  }}
                />
                <SegmentedControl
                  aria-label={t.clients.state}
                  value={only}
                  onChange={(value) => set("only", value)}
                  data={Object.entries(t.clients.only).map(([value, label]) => ({ value, label }))}
                />
              </Group>
              <DataTable
                label={t.clients.title}
                columns={COLUMNS}
                rows={items.filter(
                  (row) =>
                    row.name.includes(text.toLowerCase()) &&
                    (only === "all" || row.silent > 0 || row.state === "suspended" || trouble.has(row.name)),
                )}
                id={(row) => row.name}
                href={(row) => `/clients/${row.name}`}
                sortedBy={{ key: "name", descending: false }}
                empty={<Text c="dimmed">{t.clients.noMatch}</Text>}
              />
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}

/** Clients of which the overview says that they need somebody, however many these are. */
function useTroubled(wanted: boolean): ReadonlySet<string> {
  const { data } = useCall("overview.troubled", {}, { enabled: wanted });
  return new Set(data?.clients);
}

function AddClient() {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const add = useAct("clients.add");
  const [, go] = useLocation();
  return (
    <>
      <Button leftSection={<IconPlus />} onClick={() => setOpen(true)}>
        {t.clients.add}
      </Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={t.clients.add}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate({ name: name.trim() }, { onSuccess: () => go(`/clients/${name.trim()}/agents`) });
          }}
        >
          <Stack>
            <TextInput
              label={t.clients.name}
              description={t.clients.nameHint}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              data-autofocus
              required
              autoComplete="off"
            />
            {add.error && <Failure error={add.error} />}
            <Group justify="flex-end">
              <Button type="submit" loading={add.isPending}>
                {t.add}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
