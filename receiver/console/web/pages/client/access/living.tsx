/** Those that count; the revoked ones when they are asked for. */
import { Button, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { type Column, DataTable } from "../../../parts/table.tsx";
import { t } from "../../../texts.ts";

/** Rows that may have been revoked. */
export function Living<Row extends { readonly id: string; readonly revokedAt: string | null }>({
  items,
  label,
  columns,
  empty,
}: {
  readonly items: readonly Row[];
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly empty: string;
}) {
  const [all, setAll] = useState(false);
  const living = items.filter((row) => row.revokedAt === null);
  const revoked = items.length - living.length;
  return (
    <Stack gap="xs">
      <DataTable
        label={label}
        columns={columns}
        rows={all ? items : living}
        id={(row) => row.id}
        empty={<Text c="dimmed">{empty}</Text>}
      />
      {revoked > 0 && !all && (
        <div>
          <Button variant="subtle" size="xs" onClick={() => setAll(true)}>
            {t.access.showRevoked(revoked)}
          </Button>
        </div>
      )}
    </Stack>
  );
}
