/** One version or removal of a file: what it is in one line, and all that is known of it where it is open. */
import { Button, Group, Stack, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import type { Moment } from "../../../../timeline/timeline.ts";
import { addressOf } from "../../api.ts";
import { BroughtBy } from "../../parts/bringer.tsx";
import { Short } from "../../parts/copy.tsx";
import { IconDownload } from "../../parts/icons.tsx";
import { formatSize } from "../../parts/numbers.tsx";
import { Facts, Loaded } from "../../parts/page.tsx";
import type { FileId } from "../../parts/paths.ts";
import { State } from "../../parts/state.tsx";
import { formatInstant, Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { Changed } from "./changed.tsx";
import { Rows, usePreview } from "./preview.tsx";
import { Receipt } from "./verify.tsx";

export interface MomentProps {
  readonly file: FileId;
  readonly moment: Moment;
  /** The version before it; undefined: none, or a removal is between them, or it is not loaded. */
  readonly before: string | undefined;
  readonly marks: readonly string[];
  readonly open: boolean;
  readonly onToggle: () => void;
}

export function MomentItem({ file, moment, before, marks, open, onToggle }: MomentProps) {
  const { kind, size, receivedAt, broughtBy, channel } = moment;
  return (
    <li className="moment">
      <UnstyledButton onClick={onToggle} aria-expanded={open}>
        <Group justify="space-between" gap="xs" wrap="nowrap" align="flex-start">
          <Text size="sm" component="div">
            <Group gap="xs">
              <span style={{ fontWeight: 600 }}>
                {kind === "removal" ? (
                  <State severity="normal">{t.files.removal}</State>
                ) : (
                  formatSize(size ?? 0)
                )}
              </span>
              {sizeChange(moment) !== "" && (
                <Text span size="xs" c="dimmed">
                  {sizeChange(moment)}
                </Text>
              )}
              {marks.map((mark) => (
                <Text key={mark} span size="xs" fw={600}>
                  {mark}
                </Text>
              ))}
            </Group>
            <Text size="xs" component="div">
              <BroughtBy by={broughtBy} channel={channel} />
            </Text>
          </Text>
          <Text size="sm" style={{ whiteSpace: "nowrap" }}>
            <Time at={receivedAt} />
          </Text>
        </Group>
      </UnstyledButton>
      {open && <Details {...{ file, moment, before }} />}
    </li>
  );
}

function sizeChange({ kind, sizeChange: change }: Moment): string {
  if (change === null || kind === "removal") return "";
  if (change === 0) return t.files.sameSize;
  return change > 0 ? t.files.bigger(formatSize(change)) : t.files.smaller(formatSize(-change));
}

function Details({ file, moment, before }: Pick<MomentProps, "file" | "moment" | "before">) {
  const { kind, versionId, size, sha256, modifiedAt, sealedAt, receivedAt, receipt } = moment;
  const removal = kind === "removal";
  const when = (at: string | null) => (at === null ? t.files.notTold : formatInstant(at));
  return (
    <Stack gap="md">
      {removal && <Text size="sm">{t.files.removalSays}</Text>}
      <Facts
        facts={[
          [t.files.receivedAt, when(receivedAt)],
          [removal ? t.files.vanishedAt : t.files.modifiedAt, when(modifiedAt)],
          [t.files.sealedAt, when(sealedAt)],
          ...(sha256 === null
            ? []
            : [[t.files.digest, <Short key="d" text={sha256} length={16} />] as const]),
          [t.files.versionId, <Short key="v" text={versionId} length={13} />],
        ]}
      />
      {!removal && <Content {...{ versionId, before }} />}
      <Receipt {...{ versionId, receipt, shown: { ...file, size, sha256 } }} />
    </Stack>
  );
}

function Content({ versionId, before }: { readonly versionId: string; readonly before: string | undefined }) {
  const [shown, setShown] = useState(false);
  const [compared, setCompared] = useState(false);
  const preview = usePreview(versionId, shown);
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Button
          size="xs"
          leftSection={<IconDownload />}
          component="a"
          href={addressOf("files.download", { id: versionId })}
          download
        >
          {t.files.download}
        </Button>
        <Button size="xs" variant="default" aria-expanded={shown} onClick={() => setShown(!shown)}>
          {shown ? t.files.hideRows : t.files.firstRows}
        </Button>
        {before !== undefined && !compared && (
          <Button size="xs" variant="default" onClick={() => setCompared(true)}>
            {t.files.compareWith}
          </Button>
        )}
      </Group>
      <Text size="xs" c="dimmed">
        {t.files.remembered}
      </Text>
      {compared && before !== undefined && <Changed before={before} after={versionId} />}
      {shown && <Loaded query={preview}>{(data) => <Rows preview={data} />}</Loaded>}
    </Stack>
  );
}
