/** The receipt of one version: to keep, and to check here and now. */
import { Button, Group, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { addressOf, ask } from "../../api.ts";
import { IconCheck, IconDownload } from "../../parts/icons.tsx";
import { Failure } from "../../parts/page.tsx";
import { t } from "../../texts.ts";
import { checkHere, type Shown } from "./receipt.ts";
import { BrowserSays, ReceiverSays } from "./verdict.tsx";

export function Receipt(props: {
  readonly versionId: string;
  readonly receipt: string;
  readonly shown: Shown;
}) {
  const { versionId, receipt, shown } = props;
  const verify = useMutation({
    mutationFn: async () => {
      const [found, keys] = await Promise.all([ask("search.all", { q: receipt }), ask("site.jwks", {})]);
      return {
        says: found.receipt ?? { kind: "malformed" as const },
        here: await checkHere(receipt, keys, shown),
      };
    },
  });
  return (
    <Stack gap={6}>
      <Text size="sm" fw={600}>
        {t.files.receipt}
      </Text>
      <Text size="xs" c="dimmed">
        {t.files.receiptSays}
      </Text>
      <Group gap="xs">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconCheck />}
          loading={verify.isPending}
          onClick={() => verify.mutate()}
        >
          {t.files.receiptVerify}
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconDownload />}
          component="a"
          href={addressOf("files.receipt", { id: versionId })}
          download
        >
          {t.files.receiptDownload}
        </Button>
      </Group>
      <Stack gap="xs" role="status">
        {verify.data && <ReceiverSays checked={verify.data.says} />}
        {verify.data && <BrowserSays checked={verify.data.here} />}
      </Stack>
      {verify.error && <Failure error={verify.error} />}
    </Stack>
  );
}
