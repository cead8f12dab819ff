/** Nothing is destroyed before it was said what that does, in numbers. */
import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { t } from "../texts.ts";

export function Confirmed(props: {
  readonly label: string;
  readonly title: string;
  /** What it will do. */
  readonly says: ReactNode;
  readonly onConfirm: () => Promise<unknown>;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  readonly variant?: string;
  readonly size?: string;
  /** False: what is asked for is not filled in yet. */
  readonly ready?: boolean;
  /** What was filled in is gone with it. */
  readonly onClose?: () => void;
}) {
  const { danger = true, ready = true } = props;
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const close = (): void => {
    setOpen(false);
    props.onClose?.();
  };
  const confirm = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await props.onConfirm();
      close();
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button
        variant={props.variant ?? "default"}
        size={props.size ?? "sm"}
        disabled={props.disabled}
        onClick={() => {
          setError(undefined);
          setOpen(true);
        }}
      >
        {props.label}
      </Button>
      <Modal opened={open} onClose={close} title={props.title} closeButtonProps={{ "aria-label": t.cancel }}>
        <Stack gap="md">
          {typeof props.says === "string" ? <Text size="sm">{props.says}</Text> : props.says}
          {error && (
            <Alert color="red" variant="light" role="alert">
              {error.message}
            </Alert>
          )}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              {t.cancel}
            </Button>
            <Button
              color={danger ? "red" : undefined}
              loading={busy}
              disabled={!ready}
              onClick={() => void confirm()}
            >
              {props.label}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
