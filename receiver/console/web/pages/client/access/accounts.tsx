/** SFTP accounts of a client. */
import { Alert, Group, Modal, Stack, Text } from "@mantine/core";
import type { AccountView } from "../../../../../identity/sftp-accounts.ts";
import { Confirmed } from "../../../parts/confirm.tsx";
import { CopyBlock } from "../../../parts/copy.tsx";
import { Loaded, Section } from "../../../parts/page.tsx";
import { State } from "../../../parts/state.tsx";
import type { Column } from "../../../parts/table.tsx";
import { Time } from "../../../parts/time.tsx";
import { useAct, useCall } from "../../../queries.ts";
import { t } from "../../../texts.ts";
import { For, useViewer } from "../../../viewer.tsx";
import { AddAccount } from "./add-account.tsx";
import { Limits } from "./limits.tsx";
import { Living } from "./living.tsx";

export function Accounts({ client }: { readonly client: string }) {
  const { sftp } = useViewer();
  const query = useCall("accounts.list", { client });
  const bound = useAct("accounts.bound");
  const revoke = useAct("accounts.revoke");
  const columns: readonly Column<AccountView>[] = [
    {
      key: "user",
      head: t.access.user,
      cell: (account) => (
        <>
          <span className="mono">{account.user}</span>
          {account.revokedAt !== null && (
            <Text size="xs" c="dimmed">
              {t.access.revoked} <Time at={account.revokedAt} />
            </Text>
          )}
        </>
      ),
    },
    {
      key: "proofs",
      head: t.access.publicKeys,
      wide: true,
      cell: (account) =>
        [
          ...account.keys.map((key) => key.comment || key.fingerprint.slice(0, 20)),
          ...(account.password ? [t.signIn.password] : []),
        ].join(", "),
    },
    { key: "source", head: t.access.source, width: 140, wide: true, cell: (account) => account.source ?? "" },
    {
      key: "access",
      head: t.access.scopes,
      wide: true,
      cell: (account) => t.access.accessKinds[account.access],
    },
    {
      key: "login",
      head: t.access.lastLogin,
      width: 150,
      wide: true,
      cell: (account) => (
        <>
          <Time at={account.lastLoginAt} />
          {account.lastLoginFrom !== null && (
            <Text size="xs" c="dimmed">
              {account.lastLoginFrom}
            </Text>
          )}
        </>
      ),
    },
    {
      key: "acts",
      head: "",
      width: 310,
      cell: (account) =>
        account.revokedAt === null && (
          <For may="operator">
            <Group gap={4} wrap="nowrap">
              <Limits
                name={account.user}
                limits={account.limits}
                onSave={(bounds) => bound.mutateAsync({ user: account.user, ...bounds })}
              />
              <NewPassword user={account.user} />
              <Confirmed
                label={t.access.revoke}
                title={t.access.revokeAccount(account.user)}
                says={t.access.revokeAccountSays}
                size="xs"
                onConfirm={() => revoke.mutateAsync({ user: account.user })}
              />
            </Group>
          </For>
        ),
    },
  ];
  return (
    <Section
      title={t.access.accounts}
      actions={
        <For may="operator">
          <AddAccount client={client} />
        </For>
      }
    >
      <Text size="sm" c="dimmed">
        {t.access.accountsSay}
      </Text>
      {sftp === null && <State severity="attention">{t.access.sftpOff}</State>}
      <Loaded query={query}>
        {({ items }) => (
          <Living items={items} label={t.access.accounts} columns={columns} empty={t.access.noAccounts} />
        )}
      </Loaded>
    </Section>
  );
}

function NewPassword({ user }: { readonly user: string }) {
  const change = useAct("accounts.credentials");
  const made = change.data?.password;
  return (
    <>
      <Confirmed
        label={t.access.newPassword}
        title={`${t.access.newPassword}: ${user}`}
        says={t.access.newPasswordSays}
        danger={false}
        size="xs"
        onConfirm={() => change.mutateAsync({ user, password: "new" })}
      />
      <Modal opened={made != null} onClose={change.reset} title={t.access.newPassword}>
        <Stack>
          <Alert color="orange" variant="light">
            {t.access.once}
          </Alert>
          <CopyBlock text={made ?? ""} label={t.signIn.password} />
        </Stack>
      </Modal>
    </>
  );
}
