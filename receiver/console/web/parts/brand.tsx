/** The mark, the product and the site. */
import { Group, Text } from "@mantine/core";
import mark from "../mark.svg";
import { t } from "../texts.ts";

export function Brand({ site, size = 24 }: { readonly site?: string; readonly size?: number }) {
  return (
    <Group gap={8} wrap="nowrap">
      <img src={mark} alt="" width={size} height={size} />
      <div>
        <Text fw={700} lh={1.1} c="var(--mantine-color-text)">
          {t.product}
        </Text>
        {site !== undefined && (
          <Text size="xs" c="dimmed" lh={1.2} truncate maw={150}>
            {site}
          </Text>
        )}
      </div>
    </Group>
  );
}
