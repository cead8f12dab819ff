/** What of all deliveries is listed; it stands in the address. */
import { Button, Group, Select, Stack } from "@mantine/core";
import { type ReactNode, useState } from "react";
import type { Input } from "../../../inputs.ts";
import { useFilter } from "../../parts/filter.ts";
import { InstantField } from "../../parts/instant-field.tsx";
import { TextField } from "../../parts/text-field.tsx";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";

const NAMES = ["client", "source", "channel", "kind", "bearer", "from", "to", "digest"] as const;
const FEW = ["client", "source", "kind"] as const;
export type Filter = Pick<Input<"deliveries.list">, (typeof NAMES)[number]>;

/** `fixed`: of this client alone. */
export function useDeliveryFilter(fixed: string | undefined) {
  const { get, set } = useFilter();
  const given = NAMES.flatMap((name): [string, string][] => {
    const value = name === "client" && fixed !== undefined ? fixed : get(name);
    return value === "" ? [] : [[name, value]];
  });
  const filter = Object.fromEntries(given) as Filter;
  const chosen = given.map(([name]) => name).filter((name) => name !== "client" || fixed === undefined);
  const clear = (): void => set(Object.fromEntries(NAMES.map((name) => [name, ""])));
  return { filter, chosen, set, clear };
}

export function Filters({
  fixed,
  children,
}: {
  readonly fixed: string | undefined;
  /** Stands beside the buttons. */
  readonly children: ReactNode;
}) {
  const { filter, chosen, set, clear } = useDeliveryFilter(fixed);
  const [more, setMore] = useState(chosen.some((name) => !(FEW as readonly string[]).includes(name)));
  const says = t.deliveries;
  return (
    <Stack gap="xs">
      <Group gap="sm" align="flex-start">
        {fixed === undefined && (
          <ClientChoice value={filter.client ?? ""} onChange={(client) => set({ client })} />
        )}
        <TextField
          label={says.source}
          value={filter.source ?? ""}
          onChange={(source) => set({ source })}
          fault={(text) => (/^[a-z0-9][a-z0-9-]{0,62}$/.test(text) ? undefined : says.badSource)}
        />
        <Choice
          label={says.kind}
          names={says.kinds}
          value={filter.kind ?? ""}
          onChange={(kind) => set({ kind })}
        />
        {more && (
          <>
            <Choice
              label={says.channel}
              names={t.files.doors}
              value={filter.channel ?? ""}
              onChange={(channel) => set({ channel })}
            />
            <InstantField label={says.from} value={filter.from ?? ""} onChange={(from) => set({ from })} />
            <InstantField label={says.to} value={filter.to ?? ""} onChange={(to) => set({ to })} />
            <TextField
              label={says.digestBegin}
              value={filter.digest ?? ""}
              onChange={(digest) => set({ digest: digest.toLowerCase() })}
              fault={(text) => (/^[0-9a-f]{8,64}$/i.test(text) ? undefined : says.badDigest)}
              width={200}
              mono
            />
            <TextField
              label={says.bearer}
              value={filter.bearer ?? ""}
              onChange={(bearer) => set({ bearer })}
              width={300}
              mono
            />
          </>
        )}
      </Group>
      <Group gap="xs" mih={28}>
        <Button size="compact-sm" variant="subtle" aria-expanded={more} onClick={() => setMore(!more)}>
          {more ? says.fewerFilters : says.moreFilters}
        </Button>
        {chosen.length > 0 && (
          <Button size="compact-sm" variant="subtle" onClick={clear}>
            {says.clear}
          </Button>
        )}
        {children}
      </Group>
    </Stack>
  );
}

function Choice(props: {
  readonly label: string;
  readonly names: Readonly<Record<string, string>>;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  const { label, names, value, onChange } = props;
  const data = Object.entries(names).map(([key, name]) => ({ value: key, label: name }));
  return (
    <Select
      label={label}
      placeholder={t.deliveries.any}
      data={value === "" || value in names ? data : [...data, { value, label: value }]}
      value={value === "" ? null : value}
      onChange={(chosen) => onChange(chosen ?? "")}
      clearable
      w={{ base: "100%", xs: 160 }}
    />
  );
}

function ClientChoice({
  value,
  onChange,
}: {
  readonly value: string;
  readonly onChange: (client: string) => void;
}) {
  const clients = useCall("clients.list", {});
  const names = clients.data?.items.map(({ name }) => name) ?? [];
  return (
    <Select
      label={t.deliveries.client}
      placeholder={t.deliveries.any}
      data={value === "" || names.includes(value) ? names : [value, ...names]}
      value={value === "" ? null : value}
      onChange={(client) => onChange(client ?? "")}
      clearable
      searchable
      limit={100}
      w={{ base: "100%", xs: 200 }}
    />
  );
}
