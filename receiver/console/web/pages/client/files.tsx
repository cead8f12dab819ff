/** A client's files as at any instant: folders at the left, what is in one at the right, the time above. */
import { Anchor, Breadcrumbs, Checkbox, Group, Stack, Text } from "@mantine/core";
import { Link, useSearchParams } from "wouter";
import { Empty, Loaded } from "../../parts/page.tsx";
import { displayOf, nameOf, stepsOf } from "../../parts/paths.ts";
import { Plain } from "../../parts/plain.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { FileDrawer } from "../files/drawer.tsx";
import { FileList } from "../files/list.tsx";
import { type Place, usePlace } from "../files/place.ts";
import { TimeSlider } from "../files/slider.tsx";
import { Tree } from "../files/tree.tsx";

export function ClientFiles({ client }: { readonly client: string }) {
  const bounds = useCall("files.bounds", { client });
  return (
    <>
      <Loaded query={bounds}>
        {({ firstAt, lastAt }) =>
          firstAt === null || lastAt === null ? (
            <Empty title={t.files.emptyTitle}>
              <Text>{t.files.empty}</Text>
              <Group gap="md">
                <Anchor component={Link} href={`/clients/${client}/agents`}>
                  {t.files.toAgents}
                </Anchor>
                <Anchor component={Link} href={`/clients/${client}/access`}>
                  {t.files.toAccess}
                </Anchor>
              </Group>
            </Empty>
          ) : (
            <Browse {...{ client, firstAt, lastAt }} />
          )
        }
      </Loaded>
      <FileDrawer />
    </>
  );
}

function Browse(props: { readonly client: string; readonly firstAt: string; readonly lastAt: string }) {
  const { place: asked, set } = usePlace(props.client);
  const sources = useCall("files.sources", {
    client: asked.client,
    ...(asked.at === "" ? {} : { at: asked.at }),
  });
  // Those of another instant would stand under the words of this one.
  const then = sources.isPlaceholderData ? { ...sources, data: undefined } : sources;
  return (
    <Stack gap="md">
      <TimeSlider
        firstAt={props.firstAt}
        lastAt={props.lastAt}
        at={asked.at}
        onChange={(at) => set({ at, removed: "" })}
      />
      <Loaded query={then}>
        {({ items }) => {
          // Where there is one alone, nobody needs to choose it.
          const source = asked.source === "" && items.length === 1 ? (items[0] ?? "") : asked.source;
          return <Shown place={{ ...asked, source }} sources={items} set={set} />;
        }}
      </Loaded>
    </Stack>
  );
}

function Shown({
  place,
  sources,
  set,
}: {
  readonly place: Place;
  readonly sources: readonly string[];
  readonly set: (changes: Readonly<Record<string, string>>) => void;
}) {
  const go = useGo();
  if (sources.length === 0 && place.source === "") return <Text c="dimmed">{t.files.sourcesEmptyThen}</Text>;
  return (
    <div className="files-split">
      <Tree place={place} sources={sources} onGo={go} />
      <Stack gap="xs" miw={0}>
        <Group justify="space-between" gap="xs">
          <Way place={place} />
          {place.at === "" && (
            <Checkbox
              size="xs"
              label={t.files.showRemoved}
              checked={place.removed}
              onChange={(event) => set({ removed: event.currentTarget.checked ? "1" : "" })}
            />
          )}
        </Group>
        {place.source === "" ? (
          <Stack gap={4}>
            <Text c="dimmed" size="sm">
              {t.files.chooseSource}
            </Text>
            {sources.map((source) => (
              <Anchor key={source} component={Link} href={hrefOf(place, source, "")} size="sm">
                {source}
              </Anchor>
            ))}
          </Stack>
        ) : (
          <FileList
            key={`${place.at} ${place.source}/${place.folder}`}
            place={place}
            onGo={(folder) => go(place.source, folder)}
          />
        )}
      </Stack>
    </div>
  );
}

/** Going to a folder is a step that the browser's way back undoes. */
function useGo(): (source: string, folder: string) => void {
  const [, setParams] = useSearchParams();
  return (source, folder) =>
    setParams((old) => {
      const next = new URLSearchParams(old);
      next.set("source", source);
      next.delete("file");
      next.delete("version");
      if (folder === "") next.delete("folder");
      else next.set("folder", folder);
      return next;
    });
}

function hrefOf({ client, at, removed }: Place, source: string, folder: string): string {
  const query = new URLSearchParams();
  if (at !== "") query.set("at", at);
  if (removed) query.set("removed", "1");
  if (source !== "") query.set("source", source);
  if (folder !== "") query.set("folder", folder);
  return `/clients/${client}/files?${query}`;
}

function Way({ place }: { readonly place: Place }) {
  const steps = stepsOf(place.folder);
  return (
    <nav aria-label={t.files.way}>
      <Breadcrumbs separatorMargin={6} style={{ flexWrap: "wrap", rowGap: 4 }}>
        <Anchor component={Link} href={hrefOf(place, "", "")} size="sm">
          {place.client}
        </Anchor>
        {place.source !== "" && (
          <Anchor component={Link} href={hrefOf(place, place.source, "")} size="sm">
            {place.source}
          </Anchor>
        )}
        {steps.map((step) => (
          <Anchor
            key={step}
            component={Link}
            href={hrefOf(place, place.source, step)}
            size="sm"
            aria-current={step === place.folder ? "page" : undefined}
          >
            <Plain text={nameOf(displayOf(step))} />
          </Anchor>
        ))}
      </Breadcrumbs>
    </nav>
  );
}
