/** How much a client may bring, and whether it may bring anything. */
import { Stack, Text, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import type { Answers, ClientDetail } from "../../../answers.ts";
import { BoundsForm } from "../../parts/bounds.tsx";
import { Confirmed } from "../../parts/confirm.tsx";
import { formatCount, formatSize } from "../../parts/numbers.tsx";
import { Facts, Loaded, Section } from "../../parts/page.tsx";
import { Time } from "../../parts/time.tsx";
import { useAct, useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";

export function ClientSettings({ detail }: { readonly detail: ClientDetail }) {
  const bound = useAct("clients.bound");
  const { name, quotas, limits } = detail;
  return (
    <Stack gap="xl">
      <Facts
        facts={[
          [t.clients.since, <Time key="since" at={detail.createdAt} />],
          [t.clients.stored, formatSize(detail.storedBytes)],
          [t.clients.today, formatSize(detail.dayBytes)],
        ]}
      />
      <Section title={t.bounds.title}>
        <BoundsForm
          bounds={{ ...quotas, ...limits }}
          fields={["stored", "day", "file", "requests", "uploads"]}
          onSave={(bounds) => bound.mutateAsync({ client: name, ...bounds })}
        />
      </Section>
      <For may="operator">
        <Section title={t.clients.state}>
          <Standing detail={detail} />
        </Section>
      </For>
    </Stack>
  );
}

function Standing({ detail: { name, state } }: { readonly detail: ClientDetail }) {
  const suspend = useAct("clients.suspend");
  const resume = useAct("clients.resume");
  if (state !== "active")
    return (
      <div>
        <Confirmed
          label={t.client.resume}
          title={t.client.resumeTitle(name)}
          says={state === "suspended" ? t.client.resumeSays : t.client.resumeOffboarded}
          danger={false}
          onConfirm={() => resume.mutateAsync({ client: name })}
        />{" "}
        {state === "suspended" && <Offboard client={name} />}
      </div>
    );
  return (
    <div>
      <Confirmed
        label={t.client.suspend}
        title={t.client.suspendTitle(name)}
        says={t.client.suspendSays}
        onConfirm={() => suspend.mutateAsync({ client: name })}
      />{" "}
      <Offboard client={name} />
    </div>
  );
}

function Offboard({ client }: { readonly client: string }) {
  const offboard = useAct("clients.offboard", ["agents", "keys", "accounts", "webhooks"]);
  const [typed, setTyped] = useState("");
  const [told, setTold] = useState(false);
  return (
    <Confirmed
      label={t.client.offboard}
      title={t.client.offboardTitle(client)}
      says={
        <Stack gap="sm">
          <Plan client={client} onTold={setTold} />
          <TextInput
            label={t.client.typeName(client)}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
          />
        </Stack>
      }
      ready={told && typed === client}
      onClose={() => {
        setTyped("");
        setTold(false);
      }}
      onConfirm={() => offboard.mutateAsync({ client })}
    />
  );
}

/** What it will do, in numbers of now. `onTold`: whether they stand there; nobody confirms what they could not read. */
function Plan({ client, onTold }: { readonly client: string; readonly onTold: (told: boolean) => void }) {
  // Kept for nobody: numbers of an earlier look may be old.
  const query = useCall("clients.offboarding", { client }, { staleTime: 0, gcTime: 0 });
  const told = query.data !== undefined && query.error === null && !query.isPlaceholderData;
  useEffect(() => onTold(told), [told, onTold]);
  return <Loaded query={query}>{(plan) => <PlanWords plan={plan} />}</Loaded>;
}

function PlanWords({ plan }: { readonly plan: Answers["clients.offboarding"] }) {
  const counts = [
    [plan.revoked.length, t.client.ends.agents],
    [plan.keys, t.client.ends.keys],
    [plan.accounts, t.client.ends.accounts],
    [plan.webhooks, t.client.ends.webhooks],
    [plan.invitations, t.client.ends.invitations],
    [plan.people, t.client.ends.people],
  ] as const;
  const words = counts
    .filter(([count]) => count > 0)
    .map(([count, [one, many]]) => `${formatCount(count)} ${count === 1 ? one : many}`)
    .join(", ");
  const waiting = plan.revoked.reduce((sum, agent) => sum + agent.waiting, 0);
  return (
    <>
      <Text size="sm">{words === "" ? t.client.offboardNobody : t.client.offboardSays(words)}</Text>
      {waiting > 0 && (
        <Text size="sm" fw={600}>
          {t.client.offboardWaiting(formatCount(waiting))}
        </Text>
      )}
      {plan.kept.length > 0 && (
        <Text size="sm">{t.client.offboardKept(plan.kept.map(({ name }) => name).join(", "))}</Text>
      )}
      <Text size="sm">{t.client.offboardStays}</Text>
    </>
  );
}
