/** One client, or all: chosen from those that there are. */
import { Select } from "@mantine/core";
import { useCall } from "../queries.ts";
import { t } from "../texts.ts";

export function ClientFilter({
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
      placeholder={t.quarantine.client}
      aria-label={t.quarantine.client}
      data={value === "" || names.includes(value) ? names : [value, ...names]}
      value={value === "" ? null : value}
      onChange={(client) => onChange(client ?? "")}
      clearable
      searchable
      limit={100}
      w={{ base: "100%", sm: 220 }}
    />
  );
}
