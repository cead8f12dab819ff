/** Files by their names: what was found so far, and how much was looked through. */
import { Alert, Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import type { FilesFound } from "../../../answers.ts";
import { ask } from "../../api.ts";
import { formatCount, formatSize } from "../../parts/numbers.tsx";
import { Failure, Section } from "../../parts/page.tsx";
import { displayOf, filesHref } from "../../parts/paths.ts";
import { Plain } from "../../parts/plain.tsx";
import { State } from "../../parts/state.tsx";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { markedIn } from "./marked.ts";

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });

/** `first`: what the search for everything found of files. */
export function FoundFiles({ q, first }: { readonly q: string; readonly first: FilesFound }) {
  const more = useInfiniteQuery({
    queryKey: ["search.files", q, first.next, "pages"],
    queryFn: ({ pageParam, signal }) => ask("search.files", { q, after: pageParam, limit: 50 }, signal),
    initialPageParam: first.next ?? "",
    getNextPageParam: ({ next }) => next,
    ...{ enabled: false, placeholderData: undefined },
  });
  const pages = [first, ...(more.data?.pages ?? [])];
  const last = pages.at(-1) as FilesFound;
  const files = pages.flatMap((page) => page.files);
  const further = (): void => void (more.data === undefined ? more.refetch() : more.fetchNextPage());
  if (files.length === 0 && last.next === null && last.behind === 0) return null;
  return (
    <Section title={t.search.files}>
      {last.behind > 0 && (
        <Alert color="gray" variant="light" p="xs">
          <Text size="sm">{t.search.behind(formatCount(last.behind))}</Text>
        </Alert>
      )}
      <Stack gap={0} component="ul" p={0} m={0} style={{ listStyle: "none" }} className="found">
        {files.map((file) => (
          <li key={`${file.client}/${file.source}/${file.pathEncoded}`}>
            <Anchor component={Link} href={filesHref(file)} size="sm">
              <FoundPath pathEncoded={file.pathEncoded} q={q} />
            </Anchor>
            <Group gap={6} fz="xs" c="dimmed">
              <span>
                {file.client} / {file.source}
              </span>
              <span>
                {file.kind === "removed" ? (
                  <State severity="normal">{t.search.removed}</State>
                ) : (
                  formatSize(file.size ?? 0)
                )}
              </span>
              <span>
                {t.search.versions(`${formatCount(file.versions)}${file.versions >= 100 ? "+" : ""}`)}
              </span>
              <Time at={file.receivedAt} />
            </Group>
          </li>
        ))}
      </Stack>
      {more.error && <Failure error={more.error} onRetry={further} />}
      {last.next !== null && (
        <Group gap="sm">
          <Button variant="default" size="xs" loading={more.isFetching} onClick={further}>
            {t.search.further}
          </Button>
          <Text size="sm" c="dimmed">
            {t.search.searched(percent.format(last.searched))}
          </Text>
        </Group>
      )}
    </Section>
  );
}

function FoundPath({ pathEncoded, q }: { readonly pathEncoded: string; readonly q: string }) {
  const path = displayOf(pathEncoded);
  return <Plain text={path} marked={markedIn(path, q)} />;
}
