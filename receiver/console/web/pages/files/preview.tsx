/** The first rows of a version. All of it is text of strangers: it stands there as text, and signs show what hides in it. */
import { List, Stack, Text } from "@mantine/core";
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import type { Preview } from "../../../../preview/preview.ts";
import { ask } from "../../api.ts";
import { Empty } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { t } from "../../texts.ts";

/** Asked for once, also where it fails: each look is written into the audit, and a version never changes. */
export function usePreview(id: string, enabled = true): UseQueryResult<Preview, Error> {
  return useQuery({
    queryKey: ["preview", id],
    queryFn: ({ signal }) => ask("files.preview", { id }, signal),
    ...{ staleTime: Number.POSITIVE_INFINITY, refetchOnWindowFocus: false, retry: false, enabled },
  });
}

export function Rows({ preview }: { readonly preview: Preview }) {
  if (preview.kind === "none")
    return (
      <Empty title={t.files.noPreview}>
        <Text size="sm">{preview.why}</Text>
        {preview.hex && <Box>{preview.hex.join("\n")}</Box>}
      </Empty>
    );
  return (
    <Stack gap="xs">
      {preview.kind === "table" && <TableRows table={preview} />}
      {preview.kind === "text" && (
        <Box>
          {preview.lines.map((line, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines never change places
            <div key={i}>{line === "" ? " " : <Plain text={line} />}</div>
          ))}
        </Box>
      )}
      {preview.kind === "json" && (
        <Box>
          {preview.text.split("\n").map((line, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines never change places
            <div key={i}>
              <Plain text={line} />
            </div>
          ))}
        </Box>
      )}
      <List size="xs" c="dimmed" spacing={2}>
        <List.Item>{preview.more ? t.files.more : t.files.whole}</List.Item>
        {preview.notes.map((note) => (
          <List.Item key={note}>
            <Plain text={note} />
          </List.Item>
        ))}
      </List>
    </Stack>
  );
}

function Box({ children }: { readonly children: React.ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable with the keyboard
    <section className="rows-box" tabIndex={0} aria-label={t.files.preview}>
      <pre className="mono">{children}</pre>
    </section>
  );
}

function TableRows({ table }: { readonly table: Extract<Preview, { readonly kind: "table" }> }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable with the keyboard
    <section className="rows-box" tabIndex={0} aria-label={t.files.preview}>
      <table>
        <thead>
          <tr>
            <th scope="col" aria-label={t.files.row}>
              #
            </th>
            {table.columns.map(({ name, type }, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two columns may have one name
              <th key={i} scope="col">
                <Plain text={name} />
                {type !== undefined && (
                  <Text size="xs" c="dimmed" fw={400}>
                    {type}
                  </Text>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows never change places
            <tr key={i}>
              <th scope="row">{i + 1}</th>
              {row.map((cell, k) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: as above
                <td key={k} title={cell.length > 40 ? cell : undefined}>
                  <Plain text={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
