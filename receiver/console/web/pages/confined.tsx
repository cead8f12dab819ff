/** All that is open to somebody who has to set up a second factor: their own account, and why. */
import { Alert, Button, Container, Group, Stack, Text } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { signOut } from "../auth.ts";
import { Brand } from "../parts/brand.tsx";
import { queryClient, useCall } from "../queries.ts";
import { t } from "../texts.ts";
import { useViewer } from "../viewer.tsx";
import { Account } from "./settings/account.tsx";

export default function Confined({ onDone }: { readonly onDone: () => void }) {
  const { site, email } = useViewer();
  const account = useCall("account.get", {});
  useDocumentTitle(`${t.confined.title} · ${t.product}`);
  const done = account.data?.mustSetUp === false;
  const leave = async (): Promise<void> => {
    await signOut();
    window.location.assign("/sign-in");
  };
  const enter = async (): Promise<void> => {
    await queryClient.refetchQueries({ queryKey: ["me"] });
    onDone();
  };
  return (
    <Container size="md" component="main" py="md">
      <Stack gap="lg">
        <Group justify="space-between">
          <Brand site={site} />
          <Group gap="xs">
            <Text size="sm" c="dimmed" visibleFrom="xs">
              {email}
            </Text>
            <Button variant="default" size="xs" onClick={() => void leave()}>
              {t.nav.signOut}
            </Button>
          </Group>
        </Group>
        <Alert
          color={done ? "green" : "orange"}
          variant="light"
          title={t.confined.title}
          role={done ? "status" : undefined}
        >
          <Text size="sm">{done ? t.confined.done : t.confined.says}</Text>
          {done && (
            <Button mt="sm" onClick={() => void enter()}>
              {t.confined.goOn}
            </Button>
          )}
        </Alert>
        <Account />
      </Stack>
    </Container>
  );
}
