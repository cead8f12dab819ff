/** One file, over the list that one came from: its versions, newest first. `?file=` says which, `&version=` what is open. */
import { Anchor, Drawer, Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useSearchParams } from "wouter";
import type { Moment } from "../../../../timeline/timeline.ts";
import { ask } from "../../api.ts";
import { Below } from "../../parts/below.tsx";
import { Loaded } from "../../parts/page.tsx";
import { displayOf, type FileId, fileOf, filesHref, fileText, nameOf } from "../../parts/paths.ts";
import { Plain } from "../../parts/plain.tsx";
import { t } from "../../texts.ts";
import { MomentItem } from "./moment.tsx";
import { openedOf } from "./opened.ts";

export function FileDrawer() {
  const [params, setParams] = useSearchParams();
  const text = params.get("file") ?? "";
  // What it showed stays while it slides away.
  const [last, setLast] = useState(text);
  useEffect(() => {
    if (text !== "") setLast(text);
  }, [text]);
  const file = fileOf(text === "" ? last : text);
  const close = (): void =>
    setParams((old) => {
      const next = new URLSearchParams(old);
      next.delete("file");
      next.delete("version");
      return next;
    });
  return (
    <Drawer
      opened={text !== ""}
      onClose={close}
      position="right"
      size="min(100%, 760px)"
      closeButtonProps={{ "aria-label": t.close }}
      title={
        <Title order={2} component="span">
          {file === undefined ? t.files.drawer : <Plain text={nameOf(displayOf(file.pathEncoded))} />}
        </Title>
      }
    >
      {file === undefined ? (
        <Text>{t.files.noFile}</Text>
      ) : (
        <Timeline
          key={fileText(file)}
          file={file}
          at={params.get("at") ?? ""}
          version={params.get("version") ?? ""}
        />
      )}
    </Drawer>
  );
}

function Timeline({
  file,
  at,
  version,
}: {
  readonly file: FileId;
  readonly at: string;
  readonly version: string;
}) {
  const { client, source, pathEncoded } = file;
  const input = { client, source, path: pathEncoded, limit: 50 };
  const query = useInfiniteQuery({
    queryKey: ["files.versions", input, "pages"],
    queryFn: ({ pageParam, signal }) =>
      ask("files.versions", pageParam === null ? input : { ...input, before: pageParam }, signal),
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
  });
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed" component="div">
        {client} / {source} / <Plain text={displayOf(pathEncoded)} />
        <br />
        <Anchor component={Link} href={filesHref(file, version === "" ? undefined : version)} size="sm">
          {t.files.openInTree}
        </Anchor>
      </Text>
      <Loaded query={query}>
        {({ pages }) => {
          const moments = pages.flatMap(({ items }) => items);
          if (moments.length === 0) return <Text>{t.files.noFile}</Text>;
          // Of a version the first page tells it once and for all: what stands above stays there while more is loaded.
          const [page] = version === "" ? [] : pages;
          const asked = { version, at, more: page === undefined ? query.hasNextPage : page.next !== null };
          const { versionId: first, further } = openedOf(page?.items ?? moments, asked);
          const marks = (moment: Moment): readonly string[] => [
            ...(moment.versionId === moments[0]?.versionId ? [t.files.newest] : []),
            ...(at !== "" && moment.versionId === first ? [t.files.shownThen] : []),
          ];
          return (
            <>
              {first === undefined && (
                <AskedFor {...{ file, version, further, at }} key={`${version} ${at}`} />
              )}
              <Stack
                gap="xs"
                component="ul"
                p={0}
                m={0}
                style={{ listStyle: "none" }}
                aria-label={t.files.timeline}
              >
                {moments.map((moment, i) => {
                  const { versionId } = moment;
                  const open = toggled.get(versionId) ?? versionId === first;
                  return (
                    <MomentItem
                      key={versionId}
                      {...{ file, moment, open, marks: marks(moment), before: versionBefore(moments[i + 1]) }}
                      onToggle={() => setToggled(new Map(toggled).set(versionId, !open))}
                    />
                  );
                })}
                <Below query={query} />
              </Stack>
            </>
          );
        }}
      </Loaded>
    </Stack>
  );
}

const versionBefore = (older: Moment | undefined): string | undefined =>
  older?.kind === "version" ? older.versionId : undefined;

/** What was asked for stands above a list that does not reach back to it: nobody shall take the newest for it. */
function AskedFor(props: {
  readonly file: FileId;
  readonly version: string;
  readonly at: string;
  readonly further: boolean;
}) {
  const { file, version, at, further } = props;
  const { client, source, pathEncoded } = file;
  const query = useQuery({
    queryKey: ["files.versions", { ...file, from: version }],
    queryFn: ({ signal }) =>
      ask("files.versions", { client, source, path: pathEncoded, from: version, limit: 2 }, signal),
    enabled: version !== "" && further,
    placeholderData: undefined,
  });
  const [open, setOpen] = useState(true);
  if (version === "" || !further)
    return <Text size="sm">{further ? t.files.notYetLoaded : t.files.noneThen(version !== "")}</Text>;
  return (
    <Loaded query={query}>
      {({ items: [moment, older] }) =>
        moment === undefined ? (
          <Text size="sm">{t.files.noneThen(true)}</Text>
        ) : (
          <Stack gap={4}>
            <ul style={{ listStyle: "none", padding: 0, margin: 0 }} aria-label={t.files.askedFor}>
              <MomentItem
                {...{ file, moment, open, before: versionBefore(older) }}
                marks={[at === "" ? t.files.askedFor : t.files.shownThen]}
                onToggle={() => setOpen(!open)}
              />
            </ul>
            <Text size="xs" c="dimmed">
              {t.files.fromNewest}
            </Text>
          </Stack>
        )
      }
    </Loaded>
  );
}
