/** Whatever was typed into the box at the top: what can be nothing else first, then whatever is called so. */
import { Anchor, Group, Stack, Text } from "@mantine/core";
import { Link, useSearchParams } from "wouter";
import type { Answers } from "../../answers.ts";
import { Empty, Loaded, Page, Section } from "../parts/page.tsx";
import { plainText } from "../parts/plain.tsx";
import { State } from "../parts/state.tsx";
import { useCall } from "../queries.ts";
import { t } from "../texts.ts";
import { FoundEntries, FoundReceipt } from "./search/exact.tsx";
import { FoundFiles } from "./search/files.tsx";

export default function Search() {
  const [params] = useSearchParams();
  const q = (params.get("q") ?? "").trim();
  return <Page title={t.search.title}>{q === "" ? <What /> : <Results key={q} q={q} />}</Page>;
}

function Results({ q }: { readonly q: string }) {
  // What is being read stays as it is, with what was loaded below it; who comes back later searches anew.
  const query = useCall("search.all", { q }, { staleTime: Number.POSITIVE_INFINITY, gcTime: 30_000 });
  // Of another search nothing is shown meanwhile.
  const own = query.isPlaceholderData ? { ...query, data: undefined } : query;
  return (
    <Loaded query={own}>
      {(found) => (isNothing(found) ? <Nothing q={q} /> : <Found q={q} found={found} />)}
    </Loaded>
  );
}

function isNothing({ clients, agents, version, receipt, digests, files }: Answers["search.all"]): boolean {
  const some = clients.length + agents.length + digests.items.length + files.files.length > 0;
  return !some && version === null && receipt === null && files.next === null && files.behind === 0;
}

function Found({ q, found }: { readonly q: string; readonly found: Answers["search.all"] }) {
  const { clients, agents, version, receipt, digests, files } = found;
  return (
    <Stack gap="xl">
      {receipt !== null && <FoundReceipt receipt={receipt} />}
      {version !== null && (
        <Section title={t.search.versionIs}>
          <FoundEntries entries={[version]} />
        </Section>
      )}
      {digests.items.length > 0 && (
        <Section title={t.search.digests}>
          <FoundEntries entries={digests.items} />
          {digests.next !== null && (
            <Text size="sm" c="dimmed">
              {q.length === 64 ? t.search.moreEqual : t.search.moreDigests}{" "}
              <Anchor component={Link} href={`/deliveries?digest=${q.toLowerCase()}`} inherit>
                {t.search.allOfDigest}
              </Anchor>
            </Text>
          )}
        </Section>
      )}
      {clients.length > 0 && (
        <Section title={t.search.clients}>
          <Group gap="md">
            {clients.map(({ name, suspended }) => (
              <span key={name}>
                <Anchor component={Link} href={`/clients/${name}`}>
                  {name}
                </Anchor>
                {suspended && (
                  <Text size="xs">
                    <State severity="attention">{t.search.suspended}</State>
                  </Text>
                )}
              </span>
            ))}
          </Group>
        </Section>
      )}
      {agents.length > 0 && (
        <Section title={t.search.agents}>
          <Group gap="md">
            {agents.map(({ id, name, host, state }) => (
              <span key={id}>
                <Anchor component={Link} href={`/agents/${id}`}>
                  {name}
                </Anchor>
                <Text size="xs" c="dimmed">
                  {plainText(host)}
                </Text>
                {(state === "revoked" || state === "forked") && (
                  <Text size="xs">
                    <State severity={state === "forked" ? "trouble" : "normal"}>
                      {t.agents.states[state]}
                    </State>
                  </Text>
                )}
              </span>
            ))}
          </Group>
        </Section>
      )}
      <FoundFiles q={q} first={files} />
    </Stack>
  );
}

function Nothing({ q }: { readonly q: string }) {
  return (
    <Stack gap="lg">
      <Empty title={t.search.nothing(plainText(q.length > 100 ? `${q.slice(0, 100)}…` : q))}>
        <Text c="dimmed">{t.search.nothingSays}</Text>
      </Empty>
      <What />
    </Stack>
  );
}

function What() {
  return (
    <Section title={t.search.whatTitle}>
      <dl className="facts">
        {t.search.what.map(([name, how]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{how}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}
