/** What can be done to an agent. What this version does not know, or its host does not allow, says so instead. */
import { Button, Stack, Text } from "@mantine/core";
import { Confirmed } from "../../parts/confirm.tsx";
import { formatCount } from "../../parts/numbers.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";
import { Invite } from "../client/agents.tsx";
import { type Agent, barrier } from "./facts-of.ts";

export function Acts({ agent }: { readonly agent: Agent }) {
  const { id, name, state, clients } = agent;
  const revoke = useAct("agents.revoke", ["overview", "clients"]);
  const [client] = clients;
  const waiting = agent.status?.queue.depth ?? 0;
  return (
    <For may="operator">
      {state === "active" && <PauseOrResume agent={agent} />}
      {client !== undefined && (
        <Invite
          client={client}
          replaces={{ id, name }}
          label={t.agent.move}
          title={t.agent.moveTitle(name)}
          says={t.agent.moveSays}
        />
      )}
      {state !== "revoked" && (
        <Confirmed
          label={t.agent.revoke}
          title={t.agent.revokeTitle(name)}
          says={
            <Stack gap="xs">
              <Text size="sm">{t.agent.revokeSays}</Text>
              <Text size="sm" fw={waiting > 0 ? 600 : undefined}>
                {waiting > 0 ? t.agent.revokeWaits(formatCount(waiting), waiting === 1) : t.agent.revokeEmpty}
              </Text>
            </Stack>
          }
          onConfirm={() => revoke.mutateAsync({ id })}
        />
      )}
    </For>
  );
}

function PauseOrResume({ agent }: { readonly agent: Agent }) {
  const { id, name } = agent;
  const pause = useAct("agents.pause", ["overview"]);
  const resume = useAct("agents.resume", ["overview"]);
  if (agent.pause !== null)
    return (
      <Button loading={resume.isPending} onClick={() => resume.mutate({ id })}>
        {t.agent.resume}
      </Button>
    );
  const barred = barrier(agent, "pause");
  const waiting = agent.status?.queue.depth ?? 0;
  return (
    <Barred agent={agent} what="pause">
      <Confirmed
        label={t.agent.pause}
        title={t.agent.pauseTitle(name)}
        says={t.agent.pauseSays(t.agent.waitingNow(formatCount(waiting), waiting === 1))}
        danger={false}
        disabled={barred !== undefined}
        onConfirm={() => pause.mutateAsync({ id })}
      />
    </Barred>
  );
}

export function DiagnoseButton({ agent }: { readonly agent: Agent }) {
  const diagnose = useAct("agents.diagnose");
  const barred = barrier(agent, "diagnostics");
  if (agent.state !== "active") return null;
  return (
    <For may="operator">
      <Barred agent={agent} what="diagnostics">
        <Button
          variant="default"
          size="compact-sm"
          loading={diagnose.isPending}
          disabled={barred !== undefined}
          onClick={() => diagnose.mutate({ id: agent.id })}
        >
          {t.agent.diagnose}
        </Button>
      </Barred>
      {diagnose.error && (
        <Text size="xs" c="var(--trouble)" role="alert">
          {diagnose.error.message}
        </Text>
      )}
    </For>
  );
}

/** Why a button cannot be pressed. */
function Barred({
  agent,
  what,
  children,
}: {
  readonly agent: Agent;
  readonly what: "pause" | "diagnostics";
  readonly children: React.ReactNode;
}) {
  const barred = barrier(agent, what);
  if (barred === undefined) return children;
  const words = t.agent.what[what] ?? what;
  return (
    <Stack gap={2} maw={240}>
      {children}
      <Text size="xs" c="dimmed">
        {barred === "denied" ? t.agent.denied(words) : t.agent.unknown(words, agent.version)}
      </Text>
    </Stack>
  );
}
