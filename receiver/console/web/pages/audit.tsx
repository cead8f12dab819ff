/** Who did what as an administrator, newest first. */
import { Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useSearchParams } from "wouter";
import type { AuditLine } from "../../../audit/audit.ts";
import { ask } from "../api.ts";
import { Short } from "../parts/copy.tsx";
import { Failure, Page } from "../parts/page.tsx";
import { State } from "../parts/state.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { t } from "../texts.ts";

const COLUMNS: readonly Column<AuditLine>[] = [
  { key: "at", head: t.audit.when, width: 130, cell: (line) => <Time at={line.at} /> },
  {
    key: "who",
    head: t.audit.who,
    width: 220,
    cell: (line) => (
      <>
        {line.who.name}
        {line.who.kind === "command" && (
          <Text size="xs" c="dimmed">
            {t.audit.command}
          </Text>
        )}
      </>
    ),
  },
  {
    key: "act",
    head: t.audit.act,
    width: 190,
    cell: (line) => (
      <>
        {t.acts[line.act as keyof typeof t.acts] ?? line.act}
        {line.outcome !== "done" && (
          <Text size="xs">
            <State severity={line.outcome === "failed" ? "trouble" : "normal"}>
              {t.audit.outcome[line.outcome]}
            </State>
          </Text>
        )}
      </>
    ),
  },
  {
    key: "subject",
    head: t.audit.subject,
    width: 220,
    cell: (line) => (
      <>
        {line.client !== null && line.subject.kind !== "client" && <Text size="xs">{line.client}</Text>}
        <Text span size="sm" c={line.subject.kind === "client" ? undefined : "dimmed"}>
          {line.subject.kind === "client" ? "" : `${line.subject.kind} `}
          <Short text={line.subject.id} length={24} />
        </Text>
      </>
    ),
  },
  { key: "change", head: t.audit.change, wide: true, cell: (line) => <Changed line={line} /> },
];

/** Only what is another after than it was before. */
function Changed({ line }: { readonly line: AuditLine }) {
  const [before, after] = [line.before ?? {}, line.after ?? {}];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  return (
    <Stack gap={2}>
      {names.map((name) => (
        <Text key={name} size="xs" className="mono">
          {name}: {name in before && `${show(before[name])} → `}
          {show(after[name])}
        </Text>
      ))}
    </Stack>
  );
}

function show(value: unknown): string {
  if (value === null || value === undefined) return t.none;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

export default function Audit() {
  return (
    <Page title={t.audit.title}>
      <AuditList />
    </Page>
  );
}

/** `client`: of this one alone. The filter stands in the address. */
export function AuditList({ client: fixed }: { readonly client?: string }) {
  const [params, setParams] = useSearchParams();
  const client = fixed ?? params.get("client") ?? "";
  const act = params.get("act") ?? "";
  const filter = { ...(client === "" ? {} : { client }), ...(act === "" ? {} : { act }) };
  const lines = useInfiniteQuery({
    queryKey: ["audit.list", filter],
    queryFn: ({ pageParam, signal }) =>
      ask(
        "audit.list",
        { ...filter, limit: 100, ...(pageParam === null ? {} : { before: pageParam }) },
        signal,
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
  const set = (name: string, value: string): void =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (value === "") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  return (
    <Stack gap="sm">
      <Group gap="sm">
        {fixed === undefined && (
          <TextInput
            placeholder={t.nav.clients}
            aria-label={t.nav.clients}
            value={client}
            onChange={(event) => set("client", event.currentTarget.value.trim())}
          />
        )}
        <Select
          placeholder={t.audit.act}
          aria-label={t.audit.act}
          data={Object.entries(t.acts).map(([value, label]) => ({ value, label }))}
          value={act === "" ? null : act}
          onChange={(value) => set("act", value ?? "")}
          clearable
          searchable
          w={260}
        />
      </Group>
      {lines.error && <Failure error={lines.error} />}
      {lines.data && (
        <DataTable
          label={t.audit.title}
          columns={COLUMNS}
          rows={lines.data.pages.flatMap((page) => page.items)}
          id={(line) => line.id}
          empty={<Text c="dimmed">{t.audit.empty}</Text>}
          foot={
            lines.hasNextPage && (
              <Group justify="center" p="xs">
                <Button
                  variant="default"
                  size="xs"
                  loading={lines.isFetching}
                  onClick={() => void lines.fetchNextPage()}
                >
                  {t.more}
                </Button>
              </Group>
            )
          }
        />
      )}
    </Stack>
  );
}
