/** One-time links to people: made, shown once, and those that nobody followed yet. */
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Answers } from "../../../answers.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { IconPlus } from "../../parts/icons.tsx";
import { Once } from "../../parts/once.tsx";
import { Failure, Section } from "../../parts/page.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";
import { RoleSelect, type Standing, whole } from "./role.tsx";

type OpenLink = Answers["people.list"]["links"][number];

export function OpenLinks({ links }: { readonly links: readonly OpenLink[] }) {
  const withdraw = useAct("people.withdraw");
  const columns: readonly Column<OpenLink>[] = [
    { key: "email", head: t.people.person, cell: ({ email }) => email ?? t.people.kinds.first },
    { key: "kind", head: t.people.link, cell: ({ kind }) => t.people.kinds[kind] },
    {
      key: "role",
      head: t.people.role,
      wide: true,
      cell: ({ role, client }) =>
        client === null ? t.people.roles[role] : `${t.people.roles[role]}, ${client}`,
    },
    { key: "expires", head: t.people.expires, width: 130, cell: ({ expiresAt }) => <Time at={expiresAt} /> },
    {
      key: "acts",
      head: "",
      width: 120,
      cell: ({ email }) =>
        email !== null && (
          <Confirmed
            label={t.people.takeBack}
            title={t.people.takeBackTitle(email)}
            says={t.people.takeBackSays}
            size="xs"
            onConfirm={() => withdraw.mutateAsync({ email })}
          />
        ),
    },
  ];
  return (
    <Section title={t.people.open}>
      <DataTable
        label={t.people.open}
        columns={columns}
        rows={links}
        id={({ kind, email }) => `${kind} ${email}`}
      />
    </Section>
  );
}

export function Invite() {
  const [open, setOpen] = useState(false);
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [standing, setStanding] = useState<Standing>({ role: "viewer", client: "" });
  const invite = useAct("people.invite");
  const close = (): void => {
    setOpen(false);
    setEmail("");
    setName("");
    invite.reset();
  };
  const submit = (): void => {
    const { role, client } = standing;
    invite.mutate({
      ...{ email: email.trim(), role },
      ...(role === "uploader" ? { client } : {}),
      ...(name.trim() === "" ? {} : { name: name.trim() }),
    });
  };
  const shown = invite.data !== undefined;
  return (
    <>
      <Button leftSection={<IconPlus />} onClick={() => setOpen(true)}>
        {t.people.invite}
      </Button>
      <Modal
        opened={open}
        onClose={close}
        title={t.people.invite}
        size="lg"
        closeOnClickOutside={!shown}
        closeButtonProps={{ "aria-label": t.close }}
      >
        {invite.data ? (
          <Once text={invite.data.link} label={t.people.link} says={t.people.linkSays} onDone={close} />
        ) : (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              submit();
            }}
          >
            <Stack>
              <Text size="sm" c="dimmed">
                {t.people.inviteHint} {t.people.inviteSso}
              </Text>
              <TextInput
                label={t.account.email}
                type="email"
                value={email}
                onChange={(event) => setEmail(event.currentTarget.value)}
                autoComplete="off"
                required
                data-autofocus
              />
              <TextInput
                label={t.account.name}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                maxLength={200}
                autoComplete="off"
              />
              <RoleSelect value={standing} onChange={setStanding} />
              {invite.error && <Failure error={invite.error} />}
              <Group justify="flex-end">
                <Button type="submit" loading={invite.isPending} disabled={!whole(standing)}>
                  {t.people.invite}
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Modal>
    </>
  );
}
