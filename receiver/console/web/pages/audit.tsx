/** Who did what as an administrator, newest first. */
import { Anchor, Box, Stack, Text } from "@mantine/core";
import { Link, useLocation } from "wouter";
import type { AuditLine } from "../../../audit/audit.ts";
import { changesOf } from "../parts/changes.ts";
import { Failure, Page } from "../parts/page.tsx";
import { More, usePages } from "../parts/paged.tsx";
import { Plain } from "../parts/plain.tsx";
import { State } from "../parts/state.tsx";
import { Subject } from "../parts/subject.tsx";
import { type Column, DataTable } from "../parts/table.tsx";
import { Time } from "../parts/time.tsx";
import { t } from "../texts.ts";
import { For } from "../viewer.tsx";
import { AuditFilter, useAuditInput } from "./audit/filter.tsx";

const COLUMNS: readonly Column<AuditLine>[] = [
  { key: "at", head: t.audit.when, width: 120, wide: true, cell: (line) => <Time at={line.at} /> },
  { key: "who", head: t.audit.who, width: 220, wide: true, cell: (line) => <Who line={line} /> },
  {
    key: "act",
    head: t.audit.act,
    width: 190,
    cell: (line) => (
      <>
        {t.acts[line.act as keyof typeof t.acts] ?? line.act}
        <Box hiddenFrom="sm">
          <Who line={line} />
          <Text size="xs" c="dimmed">
            <Time at={line.at} />
          </Text>
        </Box>
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
  { key: "subject", head: t.audit.subject, width: 220, cell: (line) => <SubjectAndChange line={line} /> },
  { key: "change", head: t.audit.change, wide: true, cell: (line) => <Changed line={line} /> },
];

/** A name leads to all that this one did. */
function Who({ line: { who } }: { readonly line: AuditLine }) {
  const [path] = useLocation();
  return (
    <>
      <Anchor
        component={Link}
        href={`${path}?who=${encodeURIComponent(who.kind === "person" ? who.name : who.id)}`}
        size="sm"
      >
        {who.name}
      </Anchor>
      <Text size="xs" c="dimmed">
        {who.kind === "command" ? t.audit.command : (who.address ?? "")}
        {who.requestId !== undefined && (
          <For may="operator">
            {" · "}
            <Anchor component={Link} href={`/log?requestId=${who.requestId}`} inherit underline="always">
              {t.auditFilter.log}
            </Anchor>
          </For>
        )}
      </Text>
    </>
  );
}

/** The last column has no room on a phone. */
function SubjectAndChange({ line }: { readonly line: AuditLine }) {
  return (
    <>
      <Subject line={line} />
      <Box hiddenFrom="sm" mt={4}>
        <Changed line={line} />
      </Box>
    </>
  );
}

function Changed({ line }: { readonly line: AuditLine }) {
  return (
    <Stack gap={2}>
      {changesOf(line.before, line.after).map(({ name, before, after }) => (
        <Text key={name} size="xs">
          <Text span inherit c="dimmed">
            {name}:{" "}
          </Text>
          {before !== undefined && (
            <>
              <Plain text={before} />
              {" → "}
            </>
          )}
          <Plain text={after} />
        </Text>
      ))}
    </Stack>
  );
}

export default function Audit() {
  return (
    <Page title={t.audit.title}>
      <AuditList />
    </Page>
  );
}

/** `client`: of this one alone. */
export function AuditList({ client }: { readonly client?: string }) {
  const query = usePages("audit.list", useAuditInput(client), "before");
  return (
    <Stack gap="sm">
      <AuditFilter client={client} />
      {query.error && <Failure error={query.error} onRetry={() => void query.refetch()} />}
      {query.rows && (
        <DataTable
          label={t.audit.title}
          columns={COLUMNS}
          rows={query.rows}
          id={(line) => line.id}
          empty={<Text c="dimmed">{t.audit.empty}</Text>}
          foot={<More query={query} />}
        />
      )}
    </Stack>
  );
}
