/** What keeps the agent as a whole: two hosts, silence, a pause, and what to do next. */
import { Alert, Text } from "@mantine/core";
import { formatCount } from "../../parts/numbers.tsx";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";
import type { Agent } from "./facts-of.ts";

export function Standing({ agent, silent }: { readonly agent: Agent; readonly silent: boolean }) {
  if (agent.state === "revoked")
    return (
      <Alert color="gray" variant="light" title={t.agent.revokedTitle}>
        {t.agent.revokedSays}
      </Alert>
    );
  if (agent.state === "forked") {
    const { hosts = [agent.host], foundAt } = agent.status?.fork ?? {};
    return (
      <Alert color="red" variant="light" title={t.agent.forkedTitle} role="alert">
        <Text size="sm">
          {t.agent.forkedSays(hosts.join(", "))}{" "}
          {foundAt !== undefined && (
            <>
              {t.agent.foundOut} <Time at={foundAt} />.
            </>
          )}
        </Text>
        <Text size="sm" mt="xs">
          {t.agent.forkedNext}
        </Text>
      </Alert>
    );
  }
  if (silent) {
    const waiting = agent.status?.queue.depth ?? 0;
    return (
      <Alert color="red" variant="light" title={t.agent.silentTitle} role="alert">
        <Text size="sm">
          {t.agent.lastWord}: <Time at={agent.lastSeenAt} />;{" "}
          {t.agent.waitingNow(formatCount(waiting), waiting === 1)}.
        </Text>
        <Text size="sm" mt="xs">
          {agent.lastSeenAt === null ? t.attention.next.neverSpoke : t.attention.next.silent}
        </Text>
        {agent.status !== null && (
          <Text size="xs" mt="xs">
            {t.agent.stale}
          </Text>
        )}
      </Alert>
    );
  }
  if (agent.pause !== null)
    return (
      <Alert color="orange" variant="light" title={t.agent.pausedBy(agent.pause.by)}>
        <Text size="sm">
          <Time at={agent.pause.since} />.{" "}
          {agent.status?.paused === true ? t.agent.pauseObeyed : t.agent.pauseAsked}
        </Text>
      </Alert>
    );
  return null;
}
