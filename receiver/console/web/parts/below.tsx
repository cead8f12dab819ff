/** The end of a list that has more: the next page comes when this is scrolled into sight, or with a click. */
import { Button, Group } from "@mantine/core";
import { useEffect, useRef } from "react";
import { t } from "../texts.ts";

export function Below({
  query,
  says,
}: {
  readonly query: {
    readonly hasNextPage: boolean;
    readonly isFetching: boolean;
    readonly isError: boolean;
    fetchNextPage: () => unknown;
  };
  /** Where it has got to. */
  readonly says?: string;
}) {
  const end = useRef<HTMLDivElement>(null);
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (!hasNextPage || isFetching || isError || end.current === null) return;
    const seen = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting) void fetchNextPage();
    });
    seen.observe(end.current);
    return () => seen.disconnect();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  if (!hasNextPage) return null;
  return (
    <Group justify="center" p="xs" gap="sm" ref={end}>
      {says}
      <Button variant="default" size="xs" loading={isFetching} onClick={() => void fetchNextPage()}>
        {t.more}
      </Button>
    </Group>
  );
}
