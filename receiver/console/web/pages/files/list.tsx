/** What is in one folder, page by page, in the order of names. */
import { Anchor, Group, Text, Tooltip } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useSearchParams } from "wouter";
import type { FileRow } from "../../../answers.ts";
import { ask } from "../../api.ts";
import { Below } from "../../parts/below.tsx";
import { doorName } from "../../parts/bringer.tsx";
import { IconFile, IconFolder } from "../../parts/icons.tsx";
import { formatSize } from "../../parts/numbers.tsx";
import { Failure, Loaded } from "../../parts/page.tsx";
import { displayOf, fileText } from "../../parts/paths.ts";
import { Plain, plainText } from "../../parts/plain.tsx";
import { State } from "../../parts/state.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { NewerFiles, newestOf } from "./newer.tsx";
import { listInput, type Place } from "./place.ts";

export function FileList({
  place,
  onGo,
}: {
  readonly place: Place;
  readonly onGo: (folder: string) => void;
}) {
  const [params, setParams] = useSearchParams();
  const input = { ...listInput(place), limit: 200 };
  const query = useInfiniteQuery({
    queryKey: ["files.list", input, "pages"],
    queryFn: async ({ pageParam, signal }) => {
      if (pageParam !== null)
        return { ...(await ask("files.list", { ...input, after: pageParam }, signal)), newest: undefined };
      const newest = place.at === "" ? await newestOf(place.client, signal) : undefined;
      return { ...(await ask("files.list", input, signal)), newest };
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    // Another instant's files would say what is not so.
    placeholderData: undefined,
  });
  const search = params.toString();
  const columns = useMemo(() => columnsOf(place, new URLSearchParams(search)), [place, search]);
  const open = (row: FileRow): void => {
    if (row.kind === "folder") onGo(row.pathEncoded);
    else setParams((old) => withFile(old, place, row));
  };
  return (
    <Loaded query={query}>
      {({ pages }) => (
        <>
          {pages[0]?.newest !== undefined && <NewerFiles place={place} after={pages[0].newest} />}
          <DataTable
            label={t.files.table(plainText(displayOf(place.folder) || place.source))}
            columns={columns}
            rows={pages.flatMap(({ items }) => items)}
            id={(row) => `${row.kind} ${row.pathEncoded}`}
            onOpen={open}
            empty={
              query.hasNextPage ? (
                <Below query={query} />
              ) : (
                <Text c="dimmed">{place.at === "" ? t.files.folderEmpty : t.files.folderEmptyThen}</Text>
              )
            }
            foot={<Below query={query} />}
            maxHeight="max(60dvh, calc(100dvh - 400px))"
          />
          {query.isFetchNextPageError && query.error && <Failure error={query.error} />}
        </>
      )}
    </Loaded>
  );
}

function withFile(old: URLSearchParams, place: Place, row: FileRow): URLSearchParams {
  const next = new URLSearchParams(old);
  next.set("file", fileText({ ...place, pathEncoded: row.pathEncoded }));
  // What is shown as at an instant is opened as it was then, not as it is.
  if (place.at !== "" && row.versionId !== null) next.set("version", row.versionId);
  else next.delete("version");
  return next;
}

function hrefOf(params: URLSearchParams, place: Place, row: FileRow): string {
  if (row.kind !== "folder") return `?${withFile(params, place, row)}`;
  const next = new URLSearchParams(params);
  next.delete("file");
  next.set("source", place.source);
  next.set("folder", row.pathEncoded);
  return `?${next}`;
}

function columnsOf(place: Place, params: URLSearchParams): readonly Column<FileRow>[] {
  const here = `/clients/${place.client}/files`;
  return [
    {
      key: "name",
      head: t.files.name,
      cell: (row) => (
        <Group gap={8} wrap="nowrap" align="flex-start">
          <Text span c="dimmed" lh={1} mt={2}>
            {row.kind === "folder" ? <IconFolder /> : <IconFile />}
          </Text>
          <span className="file-name">
            <Anchor component={Link} href={`${here}${hrefOf(params, place, row)}`} size="sm">
              <Plain text={row.name} />
              {row.kind === "folder" && "/"}
            </Anchor>
            {row.kind === "removed" && (
              <Text size="xs">
                <State severity="normal">{t.files.removedFile}</State>
              </Text>
            )}
            {!row.sure && (
              <Tooltip label={t.files.unsure}>
                <Text span size="xs" c="dimmed">
                  {" "}
                  ?
                </Text>
              </Tooltip>
            )}
          </span>
        </Group>
      ),
    },
    {
      key: "size",
      head: t.files.size,
      numeric: true,
      width: 100,
      cell: (row) => (row.size === null ? "" : formatSize(row.size)),
    },
    {
      key: "modified",
      head: t.files.modified,
      width: 130,
      wide: true,
      cell: (row) => (row.modifiedAt === null ? "" : <Time at={row.modifiedAt} />),
    },
    {
      key: "received",
      head: t.files.received,
      width: 130,
      wide: true,
      cell: (row) => (row.kind === "folder" || row.receivedAt === null ? "" : <Time at={row.receivedAt} />),
    },
    {
      key: "door",
      head: t.files.door,
      width: 130,
      wide: true,
      cell: (row) => (row.channel === null ? "" : doorName(row.channel)),
    },
  ];
}
