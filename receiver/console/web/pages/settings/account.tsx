/** What somebody can change of their own: name, password, second factor, passkeys, sessions. */
import { Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { changePassword } from "../../auth.ts";
import { useAttempt } from "../../parts/attempt.ts";
import { Facts, Failure, Loaded, Section } from "../../parts/page.tsx";
import { Refused } from "../../parts/refused-alert.tsx";
import { useAct, useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { accountChanged, type OwnAccount } from "./own.ts";
import { Passkeys } from "./passkeys.tsx";
import { Sessions } from "./sessions.tsx";
import { AuthenticatorApp } from "./totp.tsx";

export function Account() {
  const query = useCall("account.get", {});
  return <Loaded query={query}>{(account) => <Parts account={account} />}</Loaded>;
}

function Parts({ account }: { readonly account: OwnAccount }) {
  // Decided once: what moved would begin anew, and codes that are shown once would be gone.
  const [factorsFirst] = useState(account.mustSetUp);
  const factors = [
    <AuthenticatorApp key="app" account={account} />,
    <Passkeys key="passkeys" account={account} />,
  ];
  return (
    <Stack gap="xl" maw={880}>
      {factorsFirst && factors}
      <Section title={t.account.who}>
        <Facts
          facts={[
            [t.account.email, account.email],
            [t.account.role, t.people.roles[account.role]],
            [t.account.how, t.account.hows[account.how] ?? account.how],
          ]}
        />
        <Name account={account} />
      </Section>
      <Section title={t.account.password}>
        {account.password ? <Password /> : <Text size="sm">{t.account.noPassword}</Text>}
      </Section>
      {!factorsFirst && factors}
      <Sessions account={account} />
    </Stack>
  );
}

function Name({ account }: { readonly account: OwnAccount }) {
  const [name, setName] = useState(account.name);
  const rename = useAct("account.rename", ["me", "people"]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        rename.mutate({ name: name.trim() });
      }}
    >
      <Stack gap="xs">
        <Group align="flex-end" gap="xs">
          <TextInput
            label={t.account.name}
            value={name}
            onChange={(event) => {
              rename.reset();
              setName(event.currentTarget.value);
            }}
            w={320}
            maw="100%"
            maxLength={200}
            autoComplete="name"
            required
          />
          <Button
            type="submit"
            variant="default"
            loading={rename.isPending}
            disabled={name.trim() === account.name || name.trim() === ""}
          >
            {t.save}
          </Button>
          {rename.isSuccess && (
            <Text size="sm" role="status">
              {t.account.saved}
            </Text>
          )}
        </Group>
        {rename.error && <Failure error={rename.error} />}
      </Stack>
    </form>
  );
}

function Password() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [done, setDone] = useState(false);
  const { busy, error, run } = useAttempt();
  const change = async (): Promise<void> => {
    await changePassword(current, next);
    setCurrent("");
    setNext("");
    setDone(true);
    await accountChanged();
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setDone(false);
        void run(change);
      }}
    >
      <Stack gap="sm" maw={400}>
        <PasswordInput
          label={t.account.current}
          value={current}
          onChange={(event) => setCurrent(event.currentTarget.value)}
          autoComplete="current-password"
          required
        />
        <PasswordInput
          label={t.account.next}
          description={t.welcome.passwordHint}
          value={next}
          onChange={(event) => setNext(event.currentTarget.value)}
          autoComplete="new-password"
          minLength={12}
          required
        />
        <Refused words={error} />
        <Group>
          <Button type="submit" variant="default" loading={busy}>
            {t.account.change}
          </Button>
          {done && (
            <Text size="sm" role="status">
              {t.account.changed}
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  );
}
