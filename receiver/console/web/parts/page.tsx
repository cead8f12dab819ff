/** What every page has: a title, what can be done, and what is shown when there is nothing, or when it failed. */
import { Alert, Anchor, Box, Button, Group, Loader, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { Refusal } from "../api.ts";
import { sentence } from "../refused.ts";
import { isPreparing } from "../retry.ts";
import { t } from "../texts.ts";

export function Page(props: {
  readonly title: string;
  readonly above?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  useDocumentTitle(`${props.title} · ${t.product}`);
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-end" gap="sm">
        <Box miw={0}>
          {props.above}
          <Title order={1} style={{ overflowWrap: "anywhere" }}>
            {props.title}
          </Title>
        </Box>
        <Group gap="xs">{props.actions}</Group>
      </Group>
      {props.children}
    </Stack>
  );
}

/** What was asked for: while it is on its way, when it failed, and when it is there. */
export function Loaded<T>({
  query,
  children,
}: {
  readonly query: {
    readonly data: T | undefined;
    readonly error: Error | null;
    /** Why it is asked for once more. */
    readonly failureReason?: Error | null;
    refetch: () => unknown;
  };
  readonly children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined)
    return (
      <>
        {query.error !== null && <Failure error={query.error} />}
        {children(query.data)}
      </>
    );
  if (query.error !== null) return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  const preparing = isPreparing(query.failureReason) ? sentence(query.failureReason.message) : undefined;
  return (
    <Group justify="center" py="xl" role={preparing === undefined ? undefined : "status"}>
      <Loader size="sm" aria-label={t.loading} />
      {preparing !== undefined && (
        <Text size="sm">
          {preparing} {t.goesOn}
        </Text>
      )}
    </Group>
  );
}

export function Failure({ error, onRetry }: { readonly error: Error; readonly onRetry?: () => void }) {
  const requestId = error instanceof Refusal ? error.requestId : undefined;
  return (
    <Alert color="red" variant="light" title={t.failed} role="alert">
      <Text size="sm">{error.message}</Text>
      <Group gap="md" mt="xs">
        {onRetry && (
          <Button size="xs" variant="default" onClick={onRetry}>
            {t.again}
          </Button>
        )}
        {requestId !== undefined && (
          <Anchor component={Link} href={`/log?requestId=${requestId}`} size="sm">
            {t.logOf}
          </Anchor>
        )}
      </Group>
    </Alert>
  );
}

/** Nothing yet: says what to do first. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <Stack align="flex-start" gap="xs" py="lg" maw={640}>
      <Text fw={600} size="lg">
        {title}
      </Text>
      {children}
    </Stack>
  );
}

/** A part of a page. */
export function Section({
  title,
  actions,
  children,
}: {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <Stack gap="xs" component="section">
      <Group justify="space-between">
        <Title order={2}>{title}</Title>
        <Group gap="xs">{actions}</Group>
      </Group>
      {children}
    </Stack>
  );
}

/** Names of things, and what they are: two columns, one where there is little room. */
export function Facts({ facts }: { readonly facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
