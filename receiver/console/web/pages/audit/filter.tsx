/** What of the record is shown: by client, person, act and time. It stands in the address. */
import { CloseButton, Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useState } from "react";
import type { Input } from "../../../inputs.ts";
import { ClientFilter } from "../../parts/client-filter.tsx";
import { useFilter } from "../../parts/filter.ts";
import { t } from "../../texts.ts";
import { midnightOf } from "./days.ts";

type AuditInput = Input<"audit.list">;

/** Waits for the next key before it asks. */
const TYPED_MS = 300;

/** `client`: of this one alone. */
export function useAuditInput(client: string | undefined): AuditInput {
  const { get } = useFilter();
  const from = midnightOf(get("from"));
  // The whole of the last day.
  const until = midnightOf(get("to"), 1);
  const texts = { client: client ?? get("client"), who: get("who"), act: get("act") };
  const subject = { subjectKind: get("subjectKind"), subject: get("subject") };
  return {
    ...Object.fromEntries(Object.entries({ ...texts, ...subject }).filter(([, text]) => text !== "")),
    ...(from === undefined ? {} : { from }),
    ...(until === undefined ? {} : { until }),
  };
}

export function AuditFilter({ client }: { readonly client: string | undefined }) {
  const { get, set } = useFilter();
  return (
    <>
      <Group gap="sm" align="flex-end">
        {client === undefined && (
          <ClientFilter value={get("client")} onChange={(value) => set({ client: value })} />
        )}
        <Who value={get("who")} onChange={(who) => set({ who })} />
        <Select
          placeholder={t.audit.act}
          aria-label={t.audit.act}
          data={Object.entries(t.acts).map(([value, label]) => ({ value, label }))}
          value={get("act") === "" ? null : get("act")}
          onChange={(value) => set({ act: value ?? "" })}
          clearable
          searchable
          w={{ base: "100%", sm: 240 }}
        />
        {(["from", "to"] as const).map((name) => (
          <TextInput
            key={name}
            type="date"
            aria-label={t.auditFilter[name]}
            leftSection={
              <Text size="xs" c="dimmed">
                {t.auditFilter[name]}
              </Text>
            }
            leftSectionWidth={48}
            value={get(name)}
            onChange={(event) => set({ [name]: event.currentTarget.value })}
            w={{ base: "100%", sm: 190 }}
          />
        ))}
      </Group>
      {get("subject") !== "" && (
        <Group gap={4}>
          <Text size="sm">
            {t.auditFilter.onlyThis} {t.changes.subjects[get("subjectKind")] ?? get("subjectKind")}{" "}
            <span className="mono">{get("subject")}</span>
          </Text>
          <CloseButton
            size="sm"
            aria-label={t.auditFilter.everything}
            onClick={() => set({ subject: "", subjectKind: "" })}
          />
        </Group>
      )}
    </>
  );
}

function Who({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const tell = useDebouncedCallback(onChange, TYPED_MS);
  return (
    <TextInput
      placeholder={`${t.auditFilter.who}: ${t.auditFilter.whoHint}`}
      aria-label={t.auditFilter.who}
      value={text}
      onChange={(event) => {
        const { value: typed } = event.currentTarget;
        setText(typed);
        tell(typed.trim());
      }}
      w={{ base: "100%", sm: 250 }}
    />
  );
}
