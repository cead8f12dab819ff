/** Lists that come in pages: the next one is asked for with a click. */
import { Button, Group } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { Answers, Page } from "../../answers.ts";
import type { CallName } from "../../calls.ts";
import type { Input } from "../../inputs.ts";
import { ask } from "../api.ts";
import { t } from "../texts.ts";

type Paged = {
  [K in CallName]: Answers[K] extends Page<unknown> ? K : never;
}[CallName];

/** `by`: what the call names the place where the next page begins. */
export function usePages<K extends Paged>(name: K, input: Input<K>, by: "after" | "before" = "after") {
  const query = useInfiniteQuery({
    queryKey: [name, input, "pages"],
    queryFn: ({ pageParam, signal }) =>
      ask(name, pageParam === null ? input : { ...input, [by]: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page: Answers[K]) => (page as Page<unknown>).next,
  });
  const rows = query.data?.pages.flatMap((page) => (page as Page<unknown>).items);
  return { ...query, rows: rows as Answers[K]["items"] | undefined };
}

export function More({
  query,
  label = t.more,
}: {
  readonly query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
  readonly label?: string;
}) {
  return query.hasNextPage ? (
    <Group justify="center" p="xs">
      <Button
        variant="default"
        size="xs"
        loading={query.isFetchingNextPage}
        onClick={() => void query.fetchNextPage()}
      >
        {label}
      </Button>
    </Group>
  ) : null;
}
