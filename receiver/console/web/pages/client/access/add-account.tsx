/** A new SFTP account; a password that is made for it is shown once. */
import {
  Alert,
  Button,
  Checkbox,
  Group,
  Modal,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useState } from "react";
import type { AccountView } from "../../../../../identity/sftp-accounts.ts";
import { CopyBlock } from "../../../parts/copy.tsx";
import { IconPlus } from "../../../parts/icons.tsx";
import { Failure } from "../../../parts/page.tsx";
import { useAct } from "../../../queries.ts";
import { t } from "../../../texts.ts";
import { useViewer } from "../../../viewer.tsx";

export function AddAccount({ client }: { readonly client: string }) {
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
