/** One person, for administrators: what they are, where they are signed in, and what can be done about it. */
import { Anchor, Button, Checkbox, Drawer, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import type { PersonRow } from "../../../answers.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { OnceModal } from "../../parts/once.tsx";
import { Facts, Failure, Loaded, Section } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useAct, useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { factorsOf } from "./factors.ts";
import { RoleSelect, type Standing, whole } from "./role.tsx";
import { SESSION_COLUMNS } from "./sessions.tsx";

export function PersonDrawer({
  email,
  person,
  onClose,
}: {
  /** Empty: it is closed. */
  readonly email: string;
  readonly person: PersonRow | undefined;
  readonly onClose: () => void;
}) {
  return (
    <Drawer
      opened={email !== ""}
      onClose={onClose}
      position="right"
      size="lg"
      title={person?.name ?? email}
      closeButtonProps={{ "aria-label": t.close }}
    >
      {person === undefined ? (
        email !== "" && <Text>{t.people.gone}</Text>
      ) : (
        <Stack gap="xl" key={person.id}>
          <About person={person} />
          <ChangeRole person={person} />
          <SignedIn person={person} />
          <Acts person={person} />
        </Stack>
      )}
    </Drawer>
  );
}

function About({ person }: { readonly person: PersonRow }) {
  const ways = [
    ...(person.password ? [t.account.hows["password"]] : []),
    ...(person.passkeys > 0 ? [t.account.hows["passkey"]] : []),
    ...person.providers,
  ];
  return (
    <Stack gap="sm">
      <Facts
        facts={[
          [t.account.email, person.email],
          [
            t.people.state,
            <State key="state" severity={person.disabledAt === null ? "normal" : "attention"}>
              {person.disabledAt === null ? (
                t.people.enabled
              ) : (
                <>
                  {t.people.disabled} <Time at={person.disabledAt} />
                </>
              )}
            </State>,
          ],
          [t.people.lastLogin, <Time key="login" at={person.lastLoginAt} />],
          [t.people.ways, ways.join(", ") || t.none],
          [t.people.factor, factorsOf(person).join(", ") || t.people.factorNone],
          [t.people.since, <Time key="since" at={person.createdAt} />],
        ]}
      />
      <Anchor component={Link} href={`/audit?who=${encodeURIComponent(person.email)}`} size="sm">
        {t.people.acts}
      </Anchor>
    </Stack>
  );
}

function ChangeRole({ person }: { readonly person: PersonRow }) {
  const [standing, setStanding] = useState<Standing>({ role: person.role, client: person.client ?? "" });
  const change = useAct("people.role", ["me", "account"]);
  const same = standing.role === person.role && standing.client === (person.client ?? "");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const { role, client } = standing;
        change.mutate({ id: person.id, role, ...(role === "uploader" ? { client } : {}) });
      }}
    >
      <Stack gap="sm">
        <RoleSelect
          value={standing}
          onChange={(next) => {
            change.reset();
            setStanding(next);
          }}
        />
        {change.error && <Failure error={change.error} />}
        <Group>
          <Button
            type="submit"
            variant="default"
            loading={change.isPending}
            disabled={same || !whole(standing)}
          >
            {t.people.changeRole}
          </Button>
          {change.isSuccess && (
            <Text size="sm" role="status">
              {t.people.roleChanged}
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  );
}

function SignedIn({ person }: { readonly person: PersonRow }) {
  const query = useCall("people.sessions", { id: person.id });
  const signOut = useAct("people.signout", ["account"]);
  const count = query.data?.items.length ?? 0;
  return (
    <Section
      title={t.account.sessions}
      actions={
        count > 0 && (
          <Confirmed
            label={t.people.signOut}
            title={t.people.signOutTitle(person.email)}
            says={t.people.signOutSays(count)}
            onConfirm={() => signOut.mutateAsync({ id: person.id })}
          />
        )
      }
    >
      <Loaded query={query}>
        {({ items }) => (
          <DataTable
            label={t.account.sessions}
            columns={SESSION_COLUMNS.filter(({ key }) => key !== "how")}
            rows={items}
            id={({ id }) => id}
            empty={<Text c="dimmed">{t.people.noSessions}</Text>}
          />
        )}
      </Loaded>
    </Section>
  );
}

function Acts({ person: { id, email, disabledAt } }: { readonly person: PersonRow }) {
  const disable = useAct("people.disable");
  const enable = useAct("people.enable");
  const reset = useAct("people.reset");
  const [factor, setFactor] = useState(false);
  return (
    <Group gap="xs">
      <Confirmed
        label={t.people.reset}
        title={t.people.resetTitle(email)}
        says={
          <Stack gap="sm">
            <Text size="sm">{t.people.resetSays}</Text>
            <Checkbox
              label={t.people.resetFactor}
              description={t.people.resetFactorHint}
              checked={factor}
              onChange={(event) => setFactor(event.currentTarget.checked)}
            />
          </Stack>
        }
        danger={false}
        onConfirm={() => reset.mutateAsync({ id, alsoSecondFactor: factor })}
      />
      {disabledAt === null ? (
        <Confirmed
          label={t.people.disable}
          title={t.people.disableTitle(email)}
          says={t.people.disableSays}
          onConfirm={() => disable.mutateAsync({ id })}
        />
      ) : (
        <Confirmed
          label={t.people.enable}
          title={t.people.enableTitle(email)}
          says={t.people.enableSays}
          danger={false}
          onConfirm={() => enable.mutateAsync({ id })}
        />
      )}
      <OnceModal
        text={reset.data?.link}
        label={t.people.link}
        says={t.people.linkSays}
        onDone={() => reset.reset()}
      />
    </Group>
  );
}
