/** Where somebody is signed in. */
import { Text } from "@mantine/core";
import type { SessionRow } from "../../../answers.ts";
import { Confirmed } from "../../parts/confirm.tsx";
import { deviceOf } from "../../parts/device.ts";
import { Section } from "../../parts/page.tsx";
import { State } from "../../parts/state.tsx";
import { type Column, DataTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { useAct } from "../../queries.ts";
import { t } from "../../texts.ts";
import type { OwnAccount } from "./own.ts";

/** Of anybody's sessions; the last column is the caller's. */
export const SESSION_COLUMNS: readonly Column<SessionRow>[] = [
  {
    key: "device",
    head: t.account.device,
    cell: (session) => (
      <>
        <span title={session.device ?? undefined}>{deviceOf(session.device)}</span>
        {session.current && (
          <Text size="xs">
            <State severity="good">{t.account.thisOne}</State>
          </Text>
        )}
      </>
    ),
  },
  {
    key: "address",
    head: t.account.address,
    wide: true,
    cell: ({ address }) => <span className="mono">{address}</span>,
  },
  { key: "how", head: t.account.how, wide: true, cell: ({ how }) => t.account.hows[how] ?? how },
  {
    key: "since",
    head: t.account.since,
    width: 130,
    wide: true,
    cell: ({ createdAt }) => <Time at={createdAt} />,
  },
  { key: "used", head: t.account.used, width: 120, cell: ({ usedAt }) => <Time at={usedAt} /> },
];

export function Sessions({ account }: { readonly account: OwnAccount }) {
  const revoke = useAct("account.revoke");
  const acts: Column<SessionRow> = {
    key: "acts",
    head: "",
    width: 100,
    cell: ({ id, current }) =>
      !current && (
        <Confirmed
          label={t.account.end}
          title={t.account.endTitle}
          says={t.account.endSays}
          size="xs"
          onConfirm={() => revoke.mutateAsync({ id })}
        />
      ),
  };
  return (
    <Section title={t.account.sessions}>
      <DataTable
        label={t.account.sessions}
        columns={[...SESSION_COLUMNS, acts]}
        rows={account.sessions}
        id={({ id }) => id}
      />
    </Section>
  );
}
