/** What was found that can be nothing else: a version by its id, a receipt, files by their digest. */
import { Anchor, Group, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import type { FoundEntry } from "../../../../search/digests.ts";
import type { CheckedReceipt } from "../../../../search/receipts.ts";
import { doorName } from "../../parts/bringer.tsx";
import { Short } from "../../parts/copy.tsx";
import { formatSize } from "../../parts/numbers.tsx";
import { Facts, Section } from "../../parts/page.tsx";
import { displayOf, filesHref } from "../../parts/paths.ts";
import { Plain } from "../../parts/plain.tsx";
import { State } from "../../parts/state.tsx";
import { formatInstant, Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import { ReceiverSays } from "../files/verdict.tsx";

export function FoundEntries({ entries }: { readonly entries: readonly FoundEntry[] }) {
  return (
    <Stack gap={0} component="ul" p={0} m={0} style={{ listStyle: "none" }} className="found">
      {entries.map((entry) => (
        <li key={entry.versionId}>
          <Anchor component={Link} href={filesHref(entry, entry.versionId)} size="sm">
            <Plain text={displayOf(entry.pathEncoded)} />
          </Anchor>
          <Group gap={6} fz="xs" c="dimmed">
            <span>
              {entry.client} / {entry.source}
            </span>
            {entry.kind === "removal" ? (
              <State severity="normal">{t.search.removed}</State>
            ) : (
              <span>{formatSize(entry.size ?? 0)}</span>
            )}
            {entry.sha256 !== null && <Short text={entry.sha256} />}
            <Time at={entry.receivedAt} />
          </Group>
        </li>
      ))}
    </Stack>
  );
}

export function FoundReceipt({ receipt }: { readonly receipt: CheckedReceipt }) {
  const says = receipt.kind === "malformed" ? undefined : receipt.says;
  return (
    <Section title={t.search.receiptIs}>
      <ReceiverSays checked={receipt} />
      {receipt.kind === "genuine" && receipt.entry !== undefined && (
        <div>
          <Text size="xs" c="dimmed">
            {t.search.entry}
          </Text>
          <FoundEntries entries={[receipt.entry]} />
        </div>
      )}
      {says !== undefined && (
        <div>
          <Text size="xs" c="dimmed" mb={4}>
            {t.search.says}
          </Text>
          <Text size="sm" mb="xs">
            <Plain text={displayOf(says.pathEncoded)} />
          </Text>
          <Facts
            facts={[
              [t.deliveries.client, says.client],
              [t.deliveries.source, says.source],
              [t.search.status, says.status],
              [t.deliveries.size, says.size === null ? t.none : formatSize(says.size)],
              [
                t.deliveries.digest,
                says.sha256 === null ? t.none : <Short key="d" text={says.sha256} length={16} />,
              ],
              [t.deliveries.received, formatInstant(says.receivedAt)],
              [t.deliveries.channel, doorName(says.channel)],
              [t.files.versionId, <Short key="v" text={says.versionId} length={13} />],
              [t.search.issuedBy, <Short key="s" text={says.iss} length={13} />],
            ]}
          />
        </div>
      )}
    </Section>
  );
}
