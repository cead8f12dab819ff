/** Quotas and limits: of a client, or narrower ones of an agent, a key, an account. Empty means the default. */
import { Button, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { mayDo } from "../../calls.ts";
import { t } from "../texts.ts";
import { For, useViewer } from "../viewer.tsx";
import {
  type Bounds,
  type BoundTexts,
  boundText,
  type Field,
  isSize,
  readBound,
  touched,
} from "./bound-text.ts";
import { Failure } from "./page.tsx";

export function BoundsForm({
  bounds,
  fields,
  onSave,
}: {
  readonly bounds: Bounds;
  readonly fields: readonly Field[];
  /** Of those alone that were typed anew. */
  readonly onSave: (bounds: Bounds) => Promise<unknown>;
}) {
  // Only what is being typed: whatever a colleague sets meanwhile is shown in the others, and not taken back.
  const [texts, setTexts] = useState<BoundTexts>({});
  const [error, setError] = useState<Error>();
  const [saved, setSaved] = useState(false);
  const [busy, setBusy] = useState(false);
  const may = mayDo(useViewer().role, "operator");
  const changed = touched(bounds, texts);
  const wrong = changed.filter((field) => readBound(field, texts[field] ?? "") === undefined);
  const save = async (): Promise<void> => {
    setError(undefined);
    setBusy(true);
    try {
      await onSave(Object.fromEntries(changed.map((field) => [field, readBound(field, texts[field] ?? "")])));
      setTexts({});
      setSaved(true);
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (changed.length > 0 && wrong.length === 0 && !busy) void save();
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
              value={texts[field] ?? boundText(field, bounds[field])}
              placeholder={t.default}
              readOnly={!may || busy}
              error={wrong.includes(field) ? wrongWords(field) : undefined}
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
            <Button
              type="submit"
              variant="default"
              loading={busy}
              disabled={changed.length === 0 || wrong.length > 0}
            >
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

function wrongWords(field: Field): string {
  if (isSize(field)) return t.bounds.bad;
  return field === "requests" ? t.bounds.badRate : t.bounds.badNumber;
}
