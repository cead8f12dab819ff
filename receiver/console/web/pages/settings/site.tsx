/** What this site is, where it is reached, and who was refused lately. */
import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { Link } from "wouter";
import { addressOf } from "../../api.ts";
import { CopyBlock } from "../../parts/copy.tsx";
import { IconDownload } from "../../parts/icons.tsx";
import { Facts, Section } from "../../parts/page.tsx";
import { t } from "../../texts.ts";
import { For, useViewer } from "../../viewer.tsx";
import { Refusals } from "./refusals.tsx";

export function Site() {
  const { site, version, receiverUrl, sftp, role } = useViewer();
  return (
    <Stack gap="xl">
      <Section title={t.site.about}>
        <Facts
          facts={[
            [t.settings.tabs.site, site],
            [t.site.version, version],
            [t.site.console, window.location.origin],
            [t.site.agents, receiverUrl],
            [t.site.sftp, sftp === null ? t.site.sftpOff : `${sftp.host}:${sftp.port}`],
          ]}
        />
        <Group gap="md">
          <For may="operator">
            <Anchor component={Link} href="/log?level=warn" size="sm">
              {t.site.log}
            </Anchor>
          </For>
          <Anchor component={Link} href="/audit" size="sm">
            {t.site.audit}
          </Anchor>
        </Group>
      </Section>
      <Refusals />
      <Section title={t.site.diagnostics}>
        <Text size="sm" maw={720}>
          {t.site.diagnosticsSay}
        </Text>
        {role === "admin" ? (
          <Group>
            <Button
              component="a"
              href={addressOf("site.diagnostics", {})}
              download
              variant="default"
              leftSection={<IconDownload />}
            >
              {t.site.download}
            </Button>
          </Group>
        ) : (
          <Stack gap="xs" maw={720}>
            <Text size="sm">{t.site.diagnosticsAdmin}</Text>
            <CopyBlock text={t.site.diagnosticsCommand} label={t.site.diagnostics} />
          </Stack>
        )}
      </Section>
      <Section title={t.site.monitoring}>
        <Text size="sm" maw={720}>
          {t.site.monitoringSay}
        </Text>
      </Section>
    </Stack>
  );
}
