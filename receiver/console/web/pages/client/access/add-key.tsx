/** A new API key, shown once. */
import { Alert, Button, Group, Modal, MultiSelect, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { CopyBlock } from "../../../parts/copy.tsx";
import { IconPlus } from "../../../parts/icons.tsx";
import { Failure } from "../../../parts/page.tsx";
import { useAct } from "../../../queries.ts";
import { t } from "../../../texts.ts";
import { useViewer } from "../../../viewer.tsx";

const SCOPES = ["write", "read", "remove"] as const;

export function AddKey({ client }: { readonly client: string }) {
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
