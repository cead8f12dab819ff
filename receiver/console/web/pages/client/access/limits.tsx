/** Narrower limits of one key or account, over its row. */
import { Button, Modal } from "@mantine/core";
import { useState } from "react";
import type { Bounds } from "../../../parts/bound-text.ts";
import { BoundsForm } from "../../../parts/bounds.tsx";
import { t } from "../../../texts.ts";

export function Limits(props: {
  /** Whose. */
  readonly name: string;
  readonly limits: Bounds;
  readonly onSave: (bounds: Bounds) => Promise<unknown>;
}) {
  const { name, limits, onSave } = props;
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant="default" size="xs" onClick={() => setOpen(true)}>
        {t.access.limits}
      </Button>
      <Modal
        opened={open}
        onClose={() => setOpen(false)}
        title={t.access.limitsOf(name)}
        size="lg"
        closeButtonProps={{ "aria-label": t.close }}
      >
        <BoundsForm bounds={limits} fields={["day", "file", "requests", "uploads"]} onSave={onSave} />
      </Modal>
    </>
  );
}
