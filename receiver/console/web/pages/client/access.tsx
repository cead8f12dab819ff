/** Who brings files of a client without an agent: API keys and SFTP accounts. */
import {
  Alert,
  Button,
  Checkbox,
  Group,
  Modal,
  MultiSelect,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useState } from "react";
import type { ApiKeyView } from "../../../../identity/apikeys.ts";
import type { AccountView } from "../../../../identity/sftp-accounts.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { CopyBlock } from "../../parts/copy.tsx";
import { IconPlus } from "../../parts/icons.tsx";
import { formatSize } from "../../parts/numbers.tsx";
import { Failure, Loaded, Section } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useAct, useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For, useViewer } from "../../viewer.tsx";
import { AddWebhook } from "../webhooks/add.tsx";
import { ClientWebhooks } from "../webhooks/list.tsx";

export function ClientAccess({ client }: { readonly client: string }) {
  return (
    <Stack gap="xl">
      <Keys client={client} />
      <Accounts client={client} />
      <Section
        title={t.webhooks.title}
        actions={
          <For may="operator">
            <AddWebhook client={client} />
          </For>
        }
      >
        <ClientWebhooks client={client} />
      </Section>
    </Stack>
  );
}

function Keys({ client }: { readonly client: string }) {
  const query = useCall("keys.list", { client });
  const revoke = useAct("keys.revoke");
  const columns: readonly Column<ApiKeyView>[] = [
    {
      key: "name",
      head: t.access.name,
      cell: (key) => (
        <>
          {key.name ?? <span className="mono">{key.id}</span>}
          {key.revokedAt !== null && (
            <Text size="xs" c="dimmed">
              {t.access.revoked} <Time at={key.revokedAt} />
            </Text>
          )}
        </>
      ),
    },
    {
      key: "scopes",
      head: t.access.scopes,
      cell: (key) => key.scopes.map((scope) => t.access.scopeNames[scope]).join(", "),
    },
    { key: "source", head: t.access.source, width: 140, cell: (key) => key.source ?? "" },
    {
      key: "today",
      head: t.access.today,
      numeric: true,
      width: 110,
      cell: (key) => formatSize(key.dayBytes),
    },
    {
      key: "created",
      head: t.access.created,
      width: 130,
      wide: true,
      cell: (key) => <Time at={key.createdAt} />,
    },
    {
      key: "acts",
      head: "",
      width: 110,
      cell: (key) =>
        key.revokedAt === null && (
          <For may="operator">
            <Confirmed
              label={t.access.revoke}
              title={t.access.revokeKey(key.name ?? key.id)}
              says={t.access.revokeKeySays}
              size="xs"
              onConfirm={() => revoke.mutateAsync({ id: key.id })}
            />
          </For>
        ),
    },
  ];
  return (
    <Section
      title={t.access.keys}
      actions={
        <For may="operator">
          <AddKey client={client} />
        </For>
      }
    >
      <Text size="sm" c="dimmed">
        {t.access.keysSay}
      </Text>
      <Loaded query={query}>
        {({ items }) => (
          <Living items={items} label={t.access.keys} columns={columns} empty={t.access.noKeys} />
        )}
      </Loaded>
    </Section>
  );
}

/** Those that count; the revoked ones when they are asked for. */
function Living<Row extends { readonly id: string; readonly revokedAt: string | null }>({
  items,
  label,
  columns,
  empty,
}: {
  readonly items: readonly Row[];
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly empty: string;
}) {
  const [all, setAll] = useState(false);
  const living = items.filter((row) => row.revokedAt === null);
  const revoked = items.length - living.length;
  return (
    <Stack gap="xs">
      <DataTable
        label={label}
        columns={columns}
        rows={all ? items : living}
        id={(row) => row.id}
        empty={<Text c="dimmed">{empty}</Text>}
      />
      {revoked > 0 && !all && (
        <div>
          <Button variant="subtle" size="xs" onClick={() => setAll(true)}>
            {t.access.showRevoked(revoked)}
          </Button>
        </div>
      )}
    </Stack>
  );
}

const SCOPES = ["write", "read", "remove"] as const;

function AddKey({ client }: { readonly client: string }) {
  const { receiverUrl } = useViewer();
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [source, setSource] = useState("");
  const [scopes, setScopes] = useState<string[]>(["write"]);
  const add = useAct("keys.add");
  const close = (): void => {
    setOpen(false);
    setName("");
    setSource("");
    add.reset();
  };
  const curl = `curl -T FILE -H "Authorization: Bearer ${add.data?.secret}" ${receiverUrl}/v1/files/${source || "SOURCE"}/FILE`;
  return (
    <>
      <Button leftSection={<IconPlus />} variant="default" onClick={() => setOpen(true)}>
        {t.access.addKey}
      </Button>
      <Modal opened={open} onClose={close} title={t.access.addKey} size="lg">
        {add.data ? (
          <Stack>
            <Alert color="orange" variant="light">
              {t.access.once}
            </Alert>
            <CopyBlock text={add.data.secret} label={t.access.addKey} />
            <Text size="sm" fw={600}>
              {t.access.curl}
            </Text>
            <CopyBlock text={curl} label={t.access.curl} />
            <Group justify="flex-end">
              <Button onClick={close}>{t.invite.done}</Button>
            </Group>
          </Stack>
        ) : (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              add.mutate({
                client,
                scopes: SCOPES.filter((scope) => scopes.includes(scope)),
                ...(name.trim() === "" ? {} : { name: name.trim() }),
                ...(source.trim() === "" ? {} : { source: source.trim() }),
              });
            }}
          >
            <Stack>
              <TextInput
                label={t.access.name}
                description={t.access.nameHint}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                data-autofocus
              />
              <TextInput
                label={t.access.source}
                description={t.access.sourceHint}
                value={source}
                onChange={(event) => setSource(event.currentTarget.value)}
              />
              <MultiSelect
                label={t.access.scopes}
                data={SCOPES.map((value) => ({ value, label: t.access.scopeNames[value] }))}
                value={scopes}
                onChange={setScopes}
              />
              {add.error && <Failure error={add.error} />}
              <Group justify="flex-end">
                <Button type="submit" loading={add.isPending} disabled={scopes.length === 0}>
                  {t.access.addKey}
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Modal>
    </>
  );
}

function Accounts({ client }: { readonly client: string }) {
  const { sftp } = useViewer();
  const query = useCall("accounts.list", { client });
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
      cell: (account) =>
        [
          ...account.keys.map((key) => key.comment || key.fingerprint.slice(0, 20)),
          ...(account.password ? [t.signIn.password] : []),
        ].join(", "),
    },
    { key: "source", head: t.access.source, width: 140, cell: (account) => account.source ?? "" },
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
      width: 240,
      cell: (account) =>
        account.revokedAt === null && (
          <For may="operator">
            <Group gap={4} wrap="nowrap">
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

function AddAccount({ client }: { readonly client: string }) {
  const { sftp } = useViewer();
  const [open, setOpen] = useState(false);
  const [user, setUser] = useState(client);
  const [source, setSource] = useState("");
  const [publicKeys, setPublicKeys] = useState("");
  const [password, setPassword] = useState(false);
  const [access, setAccess] = useState<AccountView["access"]>("write");
  const [removals, setRemovals] = useState<AccountView["removals"]>("record");
  const [receipts, setReceipts] = useState(false);
  const add = useAct("accounts.add");
  const close = (): void => {
    setOpen(false);
    setPublicKeys("");
    add.reset();
  };
  return (
    <>
      <Button leftSection={<IconPlus />} variant="default" onClick={() => setOpen(true)}>
        {t.access.addAccount}
      </Button>
      <Modal opened={open} onClose={close} title={t.access.addAccount} size="lg">
        {add.data ? (
          <Stack>
            {sftp && (
              <>
                <Text size="sm" fw={600}>
                  {t.access.connect}
                </Text>
                <CopyBlock text={`sftp -P ${sftp.port} ${user}@${sftp.host}`} label={t.access.connect} />
              </>
            )}
            {add.data.password !== null && (
              <>
                <Alert color="orange" variant="light">
                  {t.access.once}
                </Alert>
                <CopyBlock text={add.data.password} label={t.signIn.password} />
              </>
            )}
            <Group justify="flex-end">
              <Button onClick={close}>{t.invite.done}</Button>
            </Group>
          </Stack>
        ) : (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              add.mutate({
                ...{ client, user: user.trim(), access, removals, receipts, password },
                ...(source.trim() === "" ? {} : { source: source.trim() }),
                ...(publicKeys.trim() === "" ? {} : { publicKeys }),
              });
            }}
          >
            <Stack>
              <TextInput
                label={t.access.user}
                description={t.access.userHint}
                value={user}
                onChange={(event) => setUser(event.currentTarget.value)}
                required
                data-autofocus
                autoComplete="off"
              />
              <TextInput
                label={t.access.source}
                description={t.access.sourceHint}
                value={source}
                onChange={(event) => setSource(event.currentTarget.value)}
              />
              <Textarea
                label={t.access.publicKeys}
                description={t.access.publicKeysHint}
                value={publicKeys}
                onChange={(event) => setPublicKeys(event.currentTarget.value)}
                autosize
                minRows={2}
                maxRows={6}
                classNames={{ input: "mono" }}
              />
              <Checkbox
                label={t.access.password}
                description={t.access.passwordHint}
                checked={password}
                onChange={(event) => setPassword(event.currentTarget.checked)}
              />
              <Select
                label={t.access.scopes}
                data={Object.entries(t.access.accessKinds).map(([value, label]) => ({ value, label }))}
                value={access}
                onChange={(value) => setAccess((value ?? "write") as AccountView["access"])}
                allowDeselect={false}
              />
              <Select
                label={t.access.removals}
                data={Object.entries(t.access.removalKinds).map(([value, label]) => ({ value, label }))}
                value={removals}
                onChange={(value) => setRemovals((value ?? "record") as AccountView["removals"])}
                allowDeselect={false}
              />
              <Checkbox
                label={t.access.receipts}
                checked={receipts}
                onChange={(event) => setReceipts(event.currentTarget.checked)}
              />
              {add.error && <Failure error={add.error} />}
              <Group justify="flex-end">
                <Button
                  type="submit"
                  loading={add.isPending}
                  disabled={!password && publicKeys.trim() === ""}
                >
                  {t.access.addAccount}
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Modal>
    </>
  );
}
