/** The latest lines of the log of whichever receiver answers: where a request's id leads. */
import { Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { Answers } from "../../answers.ts";
import { mayDo } from "../../calls.ts";
import { ask } from "../api.ts";
import { CopyBlock } from "../parts/copy.tsx";
import { useFilter } from "../parts/filter.ts";
import { IconRefresh, IconSearch } from "../parts/icons.tsx";
import { Empty, Failure, Page } from "../parts/page.tsx";
import { More } from "../parts/paged.tsx";
import { Time } from "../parts/time.tsx";
import { t } from "../texts.ts";
import { useViewer } from "../viewer.tsx";
import { Line } from "./log/line.tsx";

type Level = keyof typeof t.log.levels;
const LEVELS = Object.keys(t.log.levels) as Level[];

export default function Log() {
  const { role } = useViewer();
  const { get, set } = useFilter();
  const requestId = get("requestId");
  if (!mayDo(role, "operator"))
    return (
      <Page title={t.log.title}>
        <Stack maw={720}>
          <Text>{t.log.needsOperator(t.people.roles[role])}</Text>
          {requestId !== "" && <CopyBlock text={requestId} label={t.log.requestId} />}
        </Stack>
      </Page>
    );
  return <Lines filter={{ requestId, text: get("text"), level: get("level") }} set={set} />;
}

interface Filter {
  readonly requestId: string;
  readonly text: string;
  readonly level: string;
}

function Lines({
  filter: { requestId, text, level: asked },
  set,
}: {
  readonly filter: Filter;
  readonly set: ReturnType<typeof useFilter>["set"];
}) {
  const level = LEVELS.find((one) => one === asked) ?? "info";
  const input = {
    level,
    limit: 100,
    ...(requestId === "" ? {} : { requestId }),
    ...(text === "" ? {} : { text }),
  };
  const query = useInfiniteQuery({
    queryKey: ["log.lines", input],
    queryFn: ({ pageParam, signal }) =>
      ask("log.lines", pageParam === null ? input : { ...input, before: pageParam }, signal),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.before,
  });
  const [first] = query.data?.pages ?? [];
  const lines = query.data?.pages.flatMap((page) => page.lines) ?? [];
  return (
    <Page
      title={t.log.title}
      actions={
        <Button
          variant="default"
          leftSection={<IconRefresh />}
          loading={query.isFetching && !query.isFetchingNextPage}
          onClick={() => void query.refetch()}
        >
          {t.log.refresh}
        </Button>
      }
    >
      <Group gap="sm">
        <TextInput
          leftSection={<IconSearch />}
          placeholder={t.log.text}
          aria-label={t.log.text}
          value={text}
          onChange={(event) => set({ text: event.currentTarget.value })}
          w={{ base: "100%", sm: 260 }}
        />
        <Select
          aria-label={t.log.level}
          data={LEVELS.map((value) => ({ value, label: t.log.atLeast[value] }))}
          value={level}
          onChange={(value) => set({ level: value === "info" ? "" : (value ?? "") })}
          allowDeselect={false}
          w={{ base: "100%", sm: 200 }}
        />
        <TextInput
          placeholder={t.log.requestId}
          aria-label={t.log.requestId}
          value={requestId}
          onChange={(event) => set({ requestId: event.currentTarget.value.trim() })}
          classNames={{ input: "mono" }}
          w={{ base: "100%", sm: 340 }}
        />
      </Group>
      {query.error && <Failure error={query.error} onRetry={() => void query.refetch()} />}
      {first && (
        <>
          <Text size="sm" c="dimmed">
            {t.log.asked(first.receiver)} <Time at={first.since} />.
          </Text>
          {lines.length === 0 ? (
            <Nothing older={first.older} ofRequest={requestId !== ""} />
          ) : (
            <>
              <ol className="log-lines" aria-label={t.log.title}>
                {lines.map((line) => (
                  <Line key={line.number} line={line} linked={requestId === ""} />
                ))}
              </ol>
              <More query={query} label={t.log.older} />
              <Stack gap="xs" maw={720}>
                <Text size="sm" c="dimmed">
                  {t.log.restarted}
                </Text>
                <CopyBlock text={first.older} label={t.log.older} />
              </Stack>
            </>
          )}
        </>
      )}
    </Page>
  );
}

function Nothing({
  older,
  ofRequest,
}: Pick<Answers["log.lines"], "older"> & { readonly ofRequest: boolean }) {
  return (
    <Empty title={t.log.empty}>
      <Text size="sm">{ofRequest ? t.log.emptyRequest : t.log.restarted}</Text>
      <CopyBlock text={older} label={t.log.older} />
    </Empty>
  );
}
