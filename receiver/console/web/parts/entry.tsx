/** The frame of what is seen before somebody is signed in. */
import { Paper, Stack, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import { t } from "../texts.ts";
import { Brand } from "./brand.tsx";

export function Entry({
  title,
  site,
  children,
}: {
  readonly title: string;
  readonly site?: string | undefined;
  readonly children: ReactNode;
}) {
  useDocumentTitle(`${title} · ${t.product}`);
  return (
    <main className="entry">
      <Stack gap="lg">
        <Brand site={site} size={32} />
        <Paper withBorder p="lg">
          <Stack>
            <Title order={1}>{title}</Title>
            {children}
          </Stack>
        </Paper>
      </Stack>
    </main>
  );
}
