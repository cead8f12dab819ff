/** Something long that is shown short, and copied whole with a click; and text that is meant to be copied. */
import { ActionIcon, Code, CopyButton, Group, Tooltip, UnstyledButton, VisuallyHidden } from "@mantine/core";
import { t } from "../texts.ts";
import { IconCheck, IconCopy } from "./icons.tsx";

export function Short({ text, length = 10 }: { readonly text: string; readonly length?: number }) {
  return (
    <CopyButton value={text} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t.copied : text} maw={480} style={{ wordBreak: "break-all" }}>
          <UnstyledButton onClick={copy} className="mono" aria-description={text}>
            <VisuallyHidden>{t.copy} </VisuallyHidden>
            {text.length > length + 1 ? <span className="cut">{text.slice(0, length)}</span> : text}
          </UnstyledButton>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** A command or a secret. */
export function CopyBlock({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <Group gap="xs" wrap="nowrap" align="flex-start">
      <Code block className="copy-block" tabIndex={0} aria-label={label}>
        {text}
      </Code>
      <CopyButton value={text} timeout={1500}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? t.copied : t.copy}>
            <ActionIcon variant="default" size="lg" onClick={copy} aria-label={t.copyOf(label)}>
              {copied ? <IconCheck /> : <IconCopy />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Group>
  );
}
