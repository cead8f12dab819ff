/** Passkeys of whoever looks: listed, added under a name, deleted. */
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { addPasskey, canUsePasskeys, deletePasskey, listPasskeys, type Passkey } from "../../auth.ts";
import { useAttempt } from "../../parts/attempt.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { IconPlus } from "../../parts/icons.tsx";
import { Loaded, Section } from "../../parts/page.tsx";
import { Refused } from "../../parts/refused-alert.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { inWords, sentence } from "../../refused.ts";
import { t } from "../../texts.ts";
import { accountChanged, type OwnAccount } from "./own.ts";

const COLUMNS: readonly Column<Passkey>[] = [
  { key: "name", head: t.account.passkeyName, cell: ({ name }) => name || t.account.unnamed },
  {
    key: "added",
    head: t.account.added,
    width: 150,
    cell: ({ createdAt }) => <Time at={new Date(createdAt).toISOString()} />,
  },
  {
    key: "acts",
    head: "",
    width: 110,
    cell: ({ id, name }) => (
      <Confirmed
        label={t.account.remove}
        title={t.account.removePasskey(name || t.account.unnamed)}
        says={t.account.removePasskeySays}
        size="xs"
        onConfirm={async () => {
          await deletePasskey(id).catch((error: Error) => {
            throw new Error(inWords(error));
          });
          await accountChanged();
        }}
      />
    ),
  },
];

export function Passkeys({ account }: { readonly account: OwnAccount }) {
  const { passkeysOff } = account;
  const query = useQuery({
    queryKey: ["account.passkeys"],
    queryFn: listPasskeys,
    enabled: passkeysOff === null,
  });
  return (
    <Section title={t.account.passkeys} actions={passkeysOff === null && canUsePasskeys() && <AddPasskey />}>
      <Text size="sm" c="dimmed">
        {t.account.passkeysSay}
      </Text>
      {passkeysOff !== null ? (
        <Text size="sm">{sentence(passkeysOff)}</Text>
      ) : (
        <>
          {!canUsePasskeys() && <Text size="sm">{t.account.passkeysUnsupported}</Text>}
          <Loaded query={query}>
            {(passkeys) => (
              <DataTable
                label={t.account.passkeys}
                columns={COLUMNS}
                rows={passkeys}
                id={({ id }) => id}
                empty={<Text c="dimmed">{t.account.noPasskeys}</Text>}
              />
            )}
          </Loaded>
        </>
      )}
    </Section>
  );
}

function AddPasskey() {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const { busy, error, run } = useAttempt();
  return (
    <>
      <Button variant="default" leftSection={<IconPlus />} onClick={() => setOpen(true)}>
        {t.account.addPasskey}
      </Button>
      <Modal
        opened={open}
        onClose={() => setOpen(false)}
        title={t.account.addPasskey}
        closeButtonProps={{ "aria-label": t.cancel }}
      >
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void run(async () => {
              await addPasskey(name.trim());
              setOpen(false);
              setName("");
              await accountChanged();
            });
          }}
        >
          <Stack gap="sm">
            <TextInput
              label={t.account.passkeyName}
              description={t.account.passkeyNameHint}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              maxLength={100}
              required
              data-autofocus
            />
            <Refused words={error} />
            <Group justify="flex-end">
              <Button type="submit" loading={busy}>
                {t.account.addPasskey}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
