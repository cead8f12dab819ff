/**
 * Deliveries page by page. What came since the first page was shown stays out of it until it is asked for, so that nothing
 * jumps: the list is anchored at the newest that it showed, and asked for anew from there.
 */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { ask } from "../../api.ts";
import { useCall } from "../../queries.ts";
import type { Filter } from "./filters.tsx";

const LIMIT = 100;
/** A sparse filter is looked for further back by itself so many times, then somebody says so. */
const BY_ITSELF = 10;

export function useDeliveries(filter: Filter) {
  const [round, setRound] = useState(0);
  const anchors = useRef(new Map<string, number>());
  const key = JSON.stringify([filter, round]);
  const query = useInfiniteQuery({
    queryKey: ["deliveries.list", filter, round, "pages"],
    queryFn: async ({ pageParam, signal }) => {
      const before = pageParam ?? anchors.current.get(key);
      const page = await ask(
        "deliveries.list",
        { ...filter, limit: LIMIT, ...(before && { before }) },
        signal,
      );
      const newest = page.items[0];
      if (pageParam === null && newest !== undefined && before === undefined)
        anchors.current.set(key, newest.seq + 1);
      return page;
    },
    initialPageParam: null as number | null,
    getNextPageParam: ({ next }) => next,
    // Another filter's rows would say what is not so.
    placeholderData: undefined,
  });
  const pages = query.data?.pages ?? [];
  const rows = pages.flatMap(({ items }) => items);
  const { looking, goOn } = useGoingOn(query, pages.at(-1), key);
  const newer = useNewer(filter, rows[0]?.seq, query.data !== undefined && !query.hasNextPage);
  const showNewer = useCallback(() => setRound((now) => now + 1), []);
  return { query, rows, looking, goOn, searchedTo: pages.at(-1)?.searchedTo ?? null, newer, showNewer };
}

/** Pages whose time ended before they were full are followed by the next at once, so many times. */
function useGoingOn(
  query: {
    readonly isFetching: boolean;
    readonly hasNextPage: boolean;
    readonly isError: boolean;
    fetchNextPage: () => unknown;
  },
  last: { readonly searchedTo: string | null } | undefined,
  key: string,
) {
  const [left, setLeft] = useState({ key, times: BY_ITSELF });
  const times = left.key === key ? left.times : BY_ITSELF;
  const { isFetching, hasNextPage, isError, fetchNextPage } = query;
  const unfinished = last?.searchedTo != null && hasNextPage && !isError;
  useEffect(() => {
    if (!unfinished || isFetching || times <= 0) return;
    setLeft({ key, times: times - 1 });
    void fetchNextPage();
  }, [unfinished, isFetching, times, key, fetchNextPage]);
  return {
    /** Undefined: it need not be looked further back. */
    looking: unfinished ? isFetching || times > 0 : undefined,
    goOn: () => setLeft({ key, times: BY_ITSELF }),
  };
}

/** Asked again by itself whenever something arrived: see `live.ts`. */
function useNewer(filter: Filter, newest: number | undefined, all: boolean) {
  const after = newest ?? (all ? 0 : undefined);
  const newer = useCall(
    "newer.count",
    { ...filter, after: after ?? 0 },
    { enabled: after !== undefined && filter.to === undefined },
  );
  // What was counted after another delivery is not the number of this one.
  return newer.isPlaceholderData ? undefined : newer.data;
}
