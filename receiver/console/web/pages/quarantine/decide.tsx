/** A file that is held becomes a version, or goes for good; either with a reason that is kept. */
import { Alert, Button, Checkbox, Group, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";
import type { Answers } from "../../../answers.ts";
import { Refusal } from "../../api.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { formatSize } from "../../parts/numbers.tsx";
import { Failure } from "../../parts/page.tsx";
import { plainText } from "../../parts/plain.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";

export type Quarantined = Answers["quarantine.list"]["items"][number];

export function Decide({ file }: { readonly file: Quarantined }) {
  return (
    <Group gap={4}>
      <Release file={file} />
      <For may="admin">
        <Discard file={file} />
      </For>
    </Group>
  );
}

/** What is shown of it elsewhere, too. */
const MORE = ["overview", "deliveries", "files"];

function Release({ file }: { readonly file: Quarantined }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [overNewer, setOverNewer] = useState(false);
  const release = useAct("quarantine.release", MORE);
  const newer = release.error instanceof Refusal && release.error.code === "path-newer";
  const close = (): void => {
    setOpen(false);
    setOverNewer(false);
    release.reset();
  };
  return (
    <>
      <Button variant="default" size="xs" onClick={() => setOpen(true)}>
        {t.quarantine.release}
      </Button>
      <Modal
        opened={open}
        onClose={close}
        title={t.quarantine.releaseTitle(plainText(file.path))}
        closeButtonProps={{ "aria-label": t.cancel }}
      >
        <form
          onSubmit={(event) => {
            event.preventDefault();
            release.mutate({ id: file.id, reason: reason.trim(), overNewer }, { onSuccess: close });
          }}
        >
          <Stack gap="md">
            <Text size="sm">{t.quarantine.releaseSays}</Text>
            <Reason value={reason} onChange={setReason} />
            {newer && (
              <Alert color="orange" variant="light" title={t.quarantine.newerTitle} role="alert">
                <Stack gap="xs">
                  <Text size="sm">{t.quarantine.newerSays}</Text>
                  <Checkbox
                    label={t.quarantine.overNewer}
                    checked={overNewer}
                    onChange={(event) => setOverNewer(event.currentTarget.checked)}
                  />
                </Stack>
              </Alert>
            )}
            {release.error && !newer && <Failure error={release.error} />}
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>
                {t.cancel}
              </Button>
              <Button
                type="submit"
                loading={release.isPending}
                disabled={reason.trim() === "" || (newer && !overNewer)}
              >
                {t.quarantine.release}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}

function Discard({ file }: { readonly file: Quarantined }) {
  const [reason, setReason] = useState("");
  const discard = useAct("quarantine.discard", MORE);
  return (
    <Confirmed
      label={t.quarantine.discard}
      title={t.quarantine.discardTitle(plainText(file.path))}
      says={
        <Stack gap="md">
          <Text size="sm">{t.quarantine.discardSays(formatSize(file.size))}</Text>
          <Reason value={reason} onChange={setReason} />
        </Stack>
      }
      size="xs"
      ready={reason.trim() !== ""}
      onConfirm={() => discard.mutateAsync({ id: file.id, reason: reason.trim() })}
    />
  );
}

function Reason({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }) {
  return (
    <Textarea
      label={t.quarantine.reason}
      description={t.quarantine.reasonHint}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      maxLength={500}
      autosize
      minRows={2}
      maxRows={6}
      required
      data-autofocus
    />
  );
}
