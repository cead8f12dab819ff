/** Quotas and limits: of a client, or narrower ones of an agent, a key, an account. Empty means the default. */
import { Button, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { mayDo } from "../../calls.ts";
import { t } from "../texts.ts";
import { For, useViewer } from "../viewer.tsx";
import { formatSize } from "./numbers.tsx";
import { Failure } from "./page.tsx";

export interface Bounds {
  readonly stored?: number | null;
  readonly day?: number | null;
  readonly file?: number | null;
  readonly requests?: { readonly count: number; readonly perMs: number } | null;
  readonly uploads?: number | null;
}

type Field = keyof Bounds;

export function BoundsForm({
  bounds,
  fields,
  onSave,
}: {
  readonly bounds: Bounds;
  readonly fields: readonly Field[];
  readonly onSave: (bounds: Bounds) => Promise<unknown>;
}) {
  const [texts, setTexts] = useState(() => textsOf(bounds, fields));
  const [error, setError] = useState<Error>();
  const [saved, setSaved] = useState(false);
  const may = mayDo(useViewer().role, "operator");
  const wrong = fields.filter((field) => parseBound(field, texts[field] ?? "") === undefined);
  const save = async (): Promise<void> => {
    setError(undefined);
    try {
      await onSave(Object.fromEntries(fields.map((field) => [field, parseBound(field, texts[field] ?? "")])));
      setSaved(true);
    } catch (failure) {
      setError(failure as Error);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t.bounds.hint}
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="sm">
          {fields.map((field) => (
            <TextInput
              key={field}
              label={t.bounds[field]}
              value={texts[field] ?? ""}
              placeholder={t.default}
              readOnly={!may}
              error={wrong.includes(field) ? (isSize(field) ? t.bounds.bad : t.bounds.badNumber) : undefined}
              onChange={(event) => {
                const { value } = event.currentTarget;
                setSaved(false);
                setTexts((old) => ({ ...old, [field]: value }));
              }}
            />
          ))}
        </SimpleGrid>
        {error && <Failure error={error} />}
        <For may="operator">
          <Group>
            <Button type="submit" variant="default" disabled={wrong.length > 0}>
              {t.save}
            </Button>
            {saved && (
              <Text size="sm" role="status">
                {t.bounds.saved}
              </Text>
            )}
          </Group>
        </For>
      </Stack>
    </form>
  );
}

const isSize = (field: Field): boolean => field === "stored" || field === "day" || field === "file";

function textsOf(bounds: Bounds, fields: readonly Field[]): Partial<Record<Field, string>> {
  return Object.fromEntries(
    fields.map((field) => {
      const value = bounds[field];
      if (value === null || value === undefined) return [field, ""];
      if (typeof value === "object") return [field, String(Math.round((value.count * 60_000) / value.perMs))];
      return [field, isSize(field) ? formatSize(value) : String(value)];
    }),
  );
}

const POWERS: Readonly<Record<string, number>> = { b: 0, kb: 1, mb: 2, gb: 3, tb: 4, pb: 5 };

/** Null: the default; undefined: it cannot be read. */
function parseBound(field: Field, text: string): Bounds[Field] | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (!isSize(field)) {
    if (!/^[1-9]\d{0,8}$/.test(trimmed)) return undefined;
    return field === "requests" ? { count: Number(trimmed), perMs: 60_000 } : Number(trimmed);
  }
  const [, number, unit = "b"] = /^([\d.,]+)\s*([a-z]*)$/i.exec(trimmed) ?? [];
  const power = POWERS[unit.toLowerCase() || "b"];
  const value = Number(number?.replace(",", "."));
  if (power === undefined || !Number.isFinite(value) || value < 0) return undefined;
  return Math.round(value * 1000 ** power);
}
