/** Sources and their folders as a tree: each folder's are asked for when it is opened. Keys as ARIA has them for trees. */
import { Button, Group, Loader, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { ask } from "../../api.ts";
import { IconDeliveries, IconFolder, IconRight } from "../../parts/icons.tsx";
import { displayOf, nameOf } from "../../parts/paths.ts";
import { Plain } from "../../parts/plain.tsx";
import { isPreparing } from "../../retry.ts";
import { t } from "../../texts.ts";
import { listInput, type Place } from "./place.ts";

interface TreeProps {
  readonly place: Place;
  readonly onGo: (source: string, folder: string) => void;
}

export function Tree({ place, sources, onGo }: TreeProps & { readonly sources: readonly string[] }) {
  const box = useRef<HTMLUListElement>(null);
  return (
    <nav className="files-tree" aria-label={t.files.sources}>
      {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a tree of lists, as ARIA's own pattern has it */}
      <ul role="tree" aria-label={t.files.sources} ref={box} onKeyDown={(event) => move(event, box.current)}>
        {sources.map((source, i) => (
          <Node
            key={source}
            {...{ place, onGo, source }}
            folder=""
            level={1}
            first={i === 0}
            anything={sources.includes(place.source)}
          />
        ))}
      </ul>
    </nav>
  );
}

interface NodeProps extends TreeProps {
  readonly source: string;
  readonly folder: string;
  readonly level: number;
  /** Where the keyboard comes in when nothing is chosen. */
  readonly first?: boolean;
  readonly anything: boolean;
}

function Node(props: NodeProps) {
  const { place, source, folder, level, onGo } = props;
  const selected = place.source === source && place.folder === folder;
  const onTheWay =
    place.source === source &&
    (folder === "" || place.folder === folder || place.folder.startsWith(`${folder}/`));
  const [opened, setOpened] = useState<boolean>();
  const open = opened ?? onTheWay;
  const below = useFolders({ ...place, source, folder }, open);
  const folders = below.data?.pages.flatMap(({ items }) => items);
  const leaf = open && folders?.length === 0 && !below.hasNextPage;
  const name = folder === "" ? source : nameOf(displayOf(folder));
  const group = useId();
  const Icon = folder === "" ? IconDeliveries : IconFolder;
  return (
    <li role="none">
      <div
        role="treeitem"
        className="tree-line"
        style={{ paddingLeft: 4 + (level - 1) * 16 }}
        aria-level={level}
        aria-selected={selected}
        aria-expanded={leaf ? undefined : open}
        aria-owns={open && !leaf ? group : undefined}
        tabIndex={selected || (props.first && !props.anything) ? 0 : -1}
        onClick={() => {
          onGo(source, folder);
          setOpened(true);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowRight" && !open) setOpened(true);
          else if (event.key === "ArrowLeft" && open && !leaf) setOpened(false);
          else if (event.key === "Enter" || event.key === " ") onGo(source, folder);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the arrow keys do it */}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: as above */}
        <span
          className="tree-open"
          data-open={open || undefined}
          data-leaf={leaf || undefined}
          onClick={(event) => {
            event.stopPropagation();
            setOpened(!open);
          }}
        >
          <IconRight size={14} />
        </span>
        <Icon size={15} />
        <Plain text={name} />
      </div>
      {open && folders !== undefined && folders.length > 0 && (
        // biome-ignore lint/a11y/useSemanticElements: the role is what ARIA has for this
        <ul role="group" id={group}>
          {folders.map(({ pathEncoded }) => (
            <Node
              key={pathEncoded}
              {...{ place, onGo, source, level: level + 1, anything: props.anything }}
              folder={pathEncoded}
            />
          ))}
        </ul>
      )}
      {open && below.isLoading && (
        <Group gap={6} ml={level * 16 + 8} wrap="nowrap">
          <Loader size={12} aria-label={t.files.loadingFolder} />
          {isPreparing(below.failureReason) && <Text size="xs">{t.files.preparing}</Text>}
        </Group>
      )}
      {open && below.error !== null && (
        <Text size="xs" c="var(--trouble)" role="alert" ml={level * 16 + 8}>
          {below.error.message}{" "}
          <Button size="compact-xs" variant="subtle" onClick={() => void below.refetch()}>
            {t.again}
          </Button>
        </Text>
      )}
      {open && below.hasNextPage && (
        <Button
          size="compact-xs"
          variant="subtle"
          ml={level * 16}
          loading={below.isFetchingNextPage}
          onClick={() => void below.fetchNextPage()}
        >
          {t.more}
        </Button>
      )}
    </li>
  );
}

function useFolders(place: Place, enabled: boolean) {
  const input = { ...listInput(place), only: "folders", limit: 200 } as const;
  return useInfiniteQuery({
    queryKey: ["files.list", input, "pages"],
    queryFn: ({ pageParam, signal }) =>
      ask("files.list", pageParam === null ? input : { ...input, after: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    // Another instant's folders would say what is not so.
    placeholderData: undefined,
    enabled,
  });
}

const above = (item: HTMLElement | undefined): HTMLElement | null | undefined =>
  item?.closest('[role="group"]')?.parentElement?.querySelector<HTMLElement>('[role="treeitem"]');

/** What moves between items; what opens and closes one, it hears itself. */
function move(event: KeyboardEvent, tree: HTMLElement | null): void {
  const items = [...(tree?.querySelectorAll<HTMLElement>('[role="treeitem"]') ?? [])];
  const here = items.indexOf(event.target as HTMLElement);
  if (here === -1) return;
  const to = {
    ArrowDown: items[here + 1],
    ArrowRight: items[here + 1],
    ArrowUp: items[here - 1],
    ArrowLeft: above(items[here]),
    Home: items[0],
    End: items.at(-1),
  }[event.key];
  if (to == null) return;
  event.preventDefault();
  to.focus();
  to.scrollIntoView({ block: "nearest" });
}
