/** What can be seen only now: said, shown, copied. */
import { Alert, Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { t } from "../texts.ts";
import { CopyBlock } from "./copy.tsx";

export function Once({
  text,
  label,
  says = t.access.once,
  done = t.invite.done,
  onDone,
  children,
}: {
  readonly text: string;
  readonly label: string;
  readonly says?: string;
  readonly done?: string;
  readonly onDone: () => void;
  readonly children?: ReactNode;
}) {
  return (
    <Stack>
      <Alert color="orange" variant="light">
        {says}
      </Alert>
      <CopyBlock text={text} label={label} />
      {children}
      <Group justify="flex-end">
        <Button onClick={onDone}>{done}</Button>
      </Group>
    </Stack>
  );
}

/** Undefined: it is closed. It closes by its button alone, since what it shows is lost then. */
export function OnceModal(props: {
  readonly text: string | undefined;
  readonly label: string;
  readonly says?: string;
  readonly done?: string;
  readonly onDone: () => void;
}) {
  return (
    <Modal
      opened={props.text !== undefined}
      onClose={props.onDone}
      title={props.label}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
      size="lg"
    >
      <Once {...props} text={props.text ?? ""} />
    </Modal>
  );
}
