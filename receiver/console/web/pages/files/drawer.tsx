/** One file, over the list that one came from: its versions, newest first. `?file=` says which, `&version=` what is open. */
import { Anchor, Drawer, Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
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
          const then = at === "" ? undefined : shownAt(moments, Date.parse(at));
          const first = version === "" ? (then ?? moments[0]?.versionId) : version;
          return (
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
                const older = moments[i + 1];
                return (
                  <MomentItem
                    key={versionId}
                    {...{ file, moment, open }}
                    before={older?.kind === "version" ? older.versionId : undefined}
                    marks={[
                      ...(i === 0 ? [t.files.newest] : []),
                      ...(versionId === then ? [t.files.shownThen] : []),
                    ]}
                    onToggle={() => setToggled(new Map(toggled).set(versionId, !open))}
                  />
                );
              })}
              <Below query={query} />
            </Stack>
          );
        }}
      </Loaded>
    </Stack>
  );
}

/** The newest that had come by then. */
function shownAt(moments: readonly Moment[], at: number): string | undefined {
  return moments.find(({ receivedAt }) => Date.parse(receivedAt) <= at)?.versionId;
}
