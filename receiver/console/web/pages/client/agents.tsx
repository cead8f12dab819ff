/** The agents of a client, and the invitations that become agents by themselves. */
import { Button, Group, Modal, Select, Stack, Tabs, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import type { MadeInvitation } from "../../../answers.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { CopyBlock } from "../../parts/copy.tsx";
import { IconPlus } from "../../parts/icons.tsx";
import { Empty, Failure, Loaded, Section } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { formatInstant, Time } from "../../parts/time.tsx";
import { useAct, useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import { For } from "../../viewer.tsx";
import { AgentTable } from "../agents.tsx";

export function ClientAgents({ client }: { readonly client: string }) {
  const agents = useCall("agents.list", { client });
  const [all, setAll] = useState(false);
  return (
    <Stack gap="xl">
      <Section
        title={t.agents.title}
        actions={
          <For may="operator">
            <Invite client={client} />
          </For>
        }
      >
        <Loaded query={agents}>
          {({ items }) => {
            const living = items.filter(({ state }) => state !== "revoked");
            const revoked = items.length - living.length;
            return (
              <>
                {living.length === 0 && !all ? (
                  <Empty title={revoked === 0 ? t.agents.emptyTitle : t.agents.noneLeft}>
                    <Text>{t.agents.empty}</Text>
                  </Empty>
                ) : (
                  <AgentTable agents={all ? items : living} />
                )}
                {revoked > 0 && (
                  <Button
                    variant="subtle"
                    size="xs"
                    w="max-content"
                    aria-expanded={all}
                    onClick={() => setAll(!all)}
                  >
                    {all ? t.agents.hideRevoked : t.agents.showRevoked(revoked)}
                  </Button>
                )}
              </>
            );
          }}
        </Loaded>
      </Section>
      <OpenInvitations client={client} />
    </Stack>
  );
}

function OpenInvitations({ client }: { readonly client: string }) {
  const { data } = useCall("invitations.list", { client });
  const cancel = useAct("invitations.cancel");
  const open = data?.items.filter((one) => one.state === "open") ?? [];
  if (open.length === 0) return null;
  return (
    <Section title={t.invite.open}>
      {open.map((one) => (
        <Group key={one.id} gap="md">
          <State severity="normal">{one.name ?? t.invite.waiting}</State>
          <Text size="sm" c="dimmed">
            {t.invite.good} <Time at={one.expiresAt} />
          </Text>
          <For may="operator">
            <Confirmed
              label={t.invite.takeBack}
              title={t.invite.takeBackTitle}
              says={t.invite.takeBackSays}
              size="xs"
              onConfirm={() => cancel.mutateAsync({ id: one.id })}
            />
          </For>
        </Group>
      ))}
    </Section>
  );
}

/** A new agent, or (`replaces`) the same one on another host. */
export function Invite({
  client,
  replaces,
  label = t.agents.invite,
  title = t.invite.title,
  says,
}: {
  readonly client: string;
  readonly replaces?: { readonly id: string; readonly name: string };
  readonly label?: string;
  readonly title?: string;
  readonly says?: string;
}) {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [hours, setHours] = useState("24");
  const make = useAct("invitations.add");
  const close = (): void => {
    setOpen(false);
    setName("");
    make.reset();
  };
  return (
    <>
      <Button
        variant={replaces === undefined ? "filled" : "default"}
        leftSection={replaces === undefined && <IconPlus />}
        onClick={() => setOpen(true)}
      >
        {label}
      </Button>
      <Modal opened={open} onClose={close} title={title} size="lg">
        {make.data === undefined ? (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              make.mutate({
                client,
                hours: Number(hours),
                ...(replaces === undefined ? {} : { replaces: replaces.id }),
                ...(name.trim() === "" ? {} : { name: name.trim() }),
              });
            }}
          >
            <Stack>
              {says !== undefined && <Text size="sm">{says}</Text>}
              {replaces === undefined && (
                <TextInput
                  label={t.invite.name}
                  description={t.invite.nameHint}
                  value={name}
                  onChange={(event) => setName(event.currentTarget.value)}
                  data-autofocus
                  autoComplete="off"
                />
              )}
              <Select
                label={t.invite.hours}
                data={Object.entries(t.invite.hoursChoices).map(([value, label]) => ({ value, label }))}
                value={hours}
                onChange={(value) => setHours(value ?? "24")}
                allowDeselect={false}
              />
              {make.error && <Failure error={make.error} />}
              <Group justify="flex-end">
                <Button type="submit" loading={make.isPending}>
                  {t.invite.make}
                </Button>
              </Group>
            </Stack>
          </form>
        ) : (
          <Made client={client} made={make.data} onDone={close} />
        )}
      </Modal>
    </>
  );
}

/** The lines to paste, and what becomes of them: it turns by itself. */
function Made({
  client,
  made,
  onDone,
}: {
  readonly client: string;
  readonly made: MadeInvitation;
  readonly onDone: () => void;
}) {
  const { data: invitations } = useCall("invitations.list", { client }, { refetchInterval: 2000 });
  const { data: agents } = useCall("agents.list", { client }, { refetchInterval: 2000 });
  const became = invitations?.items.find((one) => one.id === made.id)?.agentId;
  const agent = agents?.items.find((one) => one.id === became);
  return (
    <Stack>
      <Tabs defaultValue="linux" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="linux">{t.invite.linux}</Tabs.Tab>
          <Tabs.Tab value="windows">{t.invite.windows}</Tabs.Tab>
          <Tabs.Tab value="code">{t.invite.code}</Tabs.Tab>
        </Tabs.List>
        {(["linux", "windows"] as const).map((system) => {
          const line = made.lines[system];
          return (
            <Tabs.Panel key={system} value={system} pt="sm">
              <Stack gap="xs">
                {"line" in line ? (
                  <>
                    <Text size="sm">{system === "linux" ? t.invite.linuxHow : t.invite.windowsHow}</Text>
                    <CopyBlock text={line.line} label={t.invite[system]} />
                  </>
                ) : (
                  <>
                    <Text size="sm">{t.invite.missing}</Text>
                    <Text size="xs" c="dimmed">
                      {line.missing}
                    </Text>
                  </>
                )}
              </Stack>
            </Tabs.Panel>
          );
        })}
        <Tabs.Panel value="code" pt="sm">
          <Stack gap="xs">
            <Text size="sm">{t.invite.codeHow}</Text>
            <CopyBlock text={made.code} label={t.invite.code} />
          </Stack>
        </Tabs.Panel>
      </Tabs>
      <Group justify="space-between">
        <div role="status">
          {agent === undefined ? (
            <State severity="normal">
              {t.invite.waiting}{" "}
              <Text span size="xs" c="dimmed">
                {t.invite.good} {formatInstant(made.expiresAt)}
              </Text>
            </State>
          ) : (
            <State severity="good">
              <Link href={`/agents/${agent.id}`}>{t.invite.connected(agent.name)}</Link>
            </State>
          )}
        </div>
        <Button variant="default" onClick={onDone}>
          {t.invite.done}
        </Button>
      </Group>
    </Stack>
  );
}
