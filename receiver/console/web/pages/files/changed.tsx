/** What changed against the version before, as far as the first rows of both tell. */
import { List, Loader, Stack, Text } from "@mantine/core";
import { formatCount } from "../../parts/numbers.tsx";
import { Failure } from "../../parts/page.tsx";
import { Plain, plainText } from "../../parts/plain.tsx";
import { t } from "../../texts.ts";
import { type Columns, compare, type Rows } from "./compare.ts";
import { usePreview } from "./preview.tsx";

export function Changed({ before, after }: { readonly before: string; readonly after: string }) {
  const [was, is] = [usePreview(before), usePreview(after)];
  const error = was.error ?? is.error;
  if (error !== null) return <Failure error={error} />;
  if (was.data === undefined || is.data === undefined) return <Loader size="xs" aria-label={t.loading} />;
  const change = compare(was.data, is.data);
  const says = t.files.comparing;
  return (
    <Stack gap={4} role="status">
      <Text size="sm" fw={600}>
        {t.files.compare}
      </Text>
      <Text size="xs" c="dimmed">
        {t.files.compareSays}
      </Text>
      {change === undefined ? (
        <Text size="sm">{says.cannot}</Text>
      ) : (
        <List size="sm" spacing={2}>
          {change.columns && columnLines(change.columns).map((line) => <Line key={line} text={line} />)}
          {change.types.map(([name, from, to]) => (
            <Line key={name} text={`${says.types}: ${name}: ${from} → ${to}`} />
          ))}
          {change.rows && <Line text={rowLine(change.rows)} />}
        </List>
      )}
    </Stack>
  );
}

function Line({ text }: { readonly text: string }) {
  return (
    <List.Item>
      <Plain text={text} />
    </List.Item>
  );
}

function columnLines(columns: Columns): readonly string[] {
  const says = t.files.comparing;
  if (columns.kind === "same") return [says.same];
  if (columns.kind === "order") return [says.order];
  if (columns.kind === "wide") return [says.wide];
  const { added, removed, maybe } = columns;
  const names = (all: readonly string[]): string => all.map(plainText).join(", ");
  return [
    ...(added.length > 0 ? [`${says.added}: ${names(added)}`] : []),
    ...(removed.length > 0 ? [`${says.removed}: ${names(removed)}`] : []),
    ...maybe.map(([from, to]) => says.maybe(plainText(from), plainText(to))),
  ];
}

function rowLine(rows: Rows): string {
  const says = t.files.comparing;
  switch (rows.kind) {
    case "same":
      return rows.whole ? says.allSame(formatCount(rows.rows)) : says.sameBegin(formatCount(rows.rows));
    case "begin":
      return says.beginDiffers(formatCount(rows.same), formatCount(rows.of));
    case "counts":
      return says.counts(formatCount(rows.came), formatCount(rows.went));
    case "cut":
      return says.long;
  }
}
