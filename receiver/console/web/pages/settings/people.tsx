/** Who may use the console, for administrators. One person opens at ?person=EMAIL. */
import { Anchor, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import type { PersonRow } from "../../../answers.ts";
import { useFilter } from "../../parts/filter.ts";
import { Loaded, Section } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { useViewer } from "../../viewer.tsx";
import { factorsOf } from "./factors.ts";
import { Invite, OpenLinks } from "./links.tsx";
import { PersonDrawer } from "./person.tsx";

const personHref = (email: string): string => `/settings/people?person=${encodeURIComponent(email)}`;

const COLUMNS: readonly Column<PersonRow>[] = [
  {
    key: "person",
    head: t.people.person,
    order: ({ name }) => name.toLowerCase(),
    cell: ({ name, email }) => (
      <>
        <Anchor component={Link} href={personHref(email)} fw={500} size="sm">
          {name}
        </Anchor>
        <Text size="xs" c="dimmed">
          {email}
        </Text>
      </>
    ),
  },
  {
    key: "role",
    head: t.people.role,
    width: 150,
    order: ({ role }) => role,
    cell: ({ role, client }) =>
      client === null ? t.people.roles[role] : `${t.people.roles[role]}, ${client}`,
  },
  {
    key: "factor",
    head: t.people.factor,
    wide: true,
    order: (person) => factorsOf(person).join(", "),
    cell: (person) =>
      factorsOf(person).join(", ") || (
        <Text span inherit c="dimmed">
          {t.people.factorNone}
        </Text>
      ),
  },
  {
    key: "login",
    head: t.people.lastLogin,
    width: 130,
    wide: true,
    order: ({ lastLoginAt }) => lastLoginAt ?? "",
    cell: ({ lastLoginAt }) => <Time at={lastLoginAt} />,
  },
  {
    key: "state",
    head: t.people.state,
    width: 120,
    order: ({ disabledAt }) => disabledAt ?? "",
    cell: ({ disabledAt }) => (
      <State severity={disabledAt === null ? "normal" : "attention"}>
        {disabledAt === null ? t.people.enabled : t.people.disabled}
      </State>
    ),
  },
];

export function People() {
  const { role } = useViewer();
  const query = useCall("people.list", {}, { enabled: role === "admin" });
  const { get, set } = useFilter();
  if (role !== "admin") return <Text>{t.people.needsAdmin(t.people.roles[role])}</Text>;
  return (
    <Loaded query={query}>
      {({ items, links }) => (
        <Stack gap="xl">
          <Section title={t.settings.tabs.people} actions={<Invite />}>
            <DataTable
              label={t.settings.tabs.people}
              columns={COLUMNS}
              rows={items}
              id={({ id }) => id}
              onOpen={({ email }) => set({ person: email })}
              sortedBy={{ key: "person", descending: false }}
            />
          </Section>
          {links.length > 0 && <OpenLinks links={links} />}
          <PersonDrawer
            email={get("person")}
            person={items.find(({ email }) => email === get("person"))}
            onClose={() => set({ person: "" })}
          />
        </Stack>
      )}
    </Loaded>
  );
}
