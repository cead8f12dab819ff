/** A new webhook, and its secret, which is shown once. */
import { Anchor, Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { IconPlus } from "../../parts/icons.tsx";
import { Once } from "../../parts/once.tsx";
import { Failure } from "../../parts/page.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";

const FIELDS = ["url", "name", "client", "source", "from"] as const;
type Field = (typeof FIELDS)[number];

const HINTS: Readonly<Record<Field, string>> = {
  url: t.webhooks.urlHint,
  name: t.webhooks.nameHint,
  client: t.webhooks.clientHint,
  source: t.webhooks.sourceHint,
  from: `${t.webhooks.fromHint}; ${t.webhooks.fromNow}`,
};
const LABELS: Readonly<Record<Field, string>> = {
  url: t.webhooks.url,
  name: t.access.name,
  client: t.webhooks.client,
  source: t.webhooks.source,
  from: t.webhooks.from,
};

/** `client`: of this one alone. */
export function AddWebhook({ client }: { readonly client?: string }) {
  const [open, setOpen] = useState(false);
  const [texts, setTexts] = useState<Partial<Record<Field, string>>>({});
  const add = useAct("webhooks.add");
  const close = (): void => {
    setOpen(false);
    setTexts({});
    add.reset();
  };
  const submit = (): void => {
    const { url = "", ...rest } = texts;
    const filled = Object.entries({ ...rest, ...(client === undefined ? {} : { client }) })
      .map(([name, text]) => [name, text.trim()] as const)
      .filter(([, text]) => text !== "");
    add.mutate({ url: url.trim(), ...Object.fromEntries(filled) });
  };
  const shown = add.data !== undefined;
  return (
    <>
      <Button leftSection={<IconPlus />} variant="default" onClick={() => setOpen(true)}>
        {t.webhooks.add}
      </Button>
      <Modal
        opened={open}
        onClose={close}
        title={t.webhooks.add}
        size="lg"
        closeOnClickOutside={!shown}
        closeButtonProps={{ "aria-label": t.close }}
      >
        {add.data ? (
          <Once text={add.data.secret} label={t.webhooks.secret} says={t.webhooks.secretSays} onDone={close}>
            <Signatures />
          </Once>
        ) : (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              submit();
            }}
          >
            <Stack>
              {FIELDS.filter((field) => field !== "client" || client === undefined).map((field) => (
                <TextInput
                  key={field}
                  label={LABELS[field]}
                  description={HINTS[field]}
                  value={texts[field] ?? ""}
                  onChange={(event) => {
                    const { value } = event.currentTarget;
                    setTexts((old) => ({ ...old, [field]: value }));
                  }}
                  type={field === "url" ? "url" : "text"}
                  required={field === "url"}
                  data-autofocus={field === "url" || undefined}
                  autoComplete="off"
                />
              ))}
              <Signatures />
              {add.error && <Failure error={add.error} />}
              <Group justify="flex-end">
                <Button type="submit" loading={add.isPending}>
                  {t.webhooks.add}
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Modal>
    </>
  );
}

function Signatures() {
  return (
    <Text size="sm" c="dimmed">
      {t.webhooks.signature}{" "}
      <Anchor href="https://www.standardwebhooks.com" target="_blank" rel="noreferrer" inherit>
        {t.webhooks.signatureStandard}
      </Anchor>
      {t.webhooks.signatureDocs}
    </Text>
  );
}
