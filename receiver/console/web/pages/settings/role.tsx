/** Which role, with what it may; and of an uploader which client's. */
import { Select, Stack } from "@mantine/core";
import type { PersonRow } from "../../../answers.ts";
import { useCall } from "../../queries.ts";
import { t } from "../../texts.ts";

export interface Standing {
  readonly role: PersonRow["role"];
  /** Empty: none is chosen. */
  readonly client: string;
}

const ROLES = ["viewer", "operator", "admin", "uploader"] as const;

/** Whether nothing is left to choose. */
export const whole = ({ role, client }: Standing): boolean => role !== "uploader" || client !== "";

export function RoleSelect({
  value: { role, client },
  onChange,
}: {
  readonly value: Standing;
  readonly onChange: (standing: Standing) => void;
}) {
  const clients = useCall("clients.list", {}, { enabled: role === "uploader" });
  return (
    <Stack gap="sm">
      <Select
        label={t.people.role}
        description={t.people.roleSays[role]}
        data={ROLES.map((value) => ({ value, label: t.people.roles[value] }))}
        value={role}
        onChange={(value) => onChange({ role: ROLES.find((one) => one === value) ?? role, client })}
        allowDeselect={false}
      />
      {role === "uploader" && (
        <Select
          label={t.people.client}
          description={t.people.clientHint}
          data={clients.data?.items.map(({ name }) => name) ?? []}
          value={client === "" ? null : client}
          onChange={(value) => onChange({ role, client: value ?? "" })}
          searchable
          required
        />
      )}
    </Stack>
  );
}
