/** Quotas and limits: of a client, or narrower ones of an agent, a key, an account. Empty means the default. */
import { Button, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { mayDo } from "../../calls.ts";
import { t } from "../texts.ts";
import { For, useViewer } from "../viewer.tsx";
import { type BoundField, type Bounds, changedBounds, isSize, textsOf, wrongOf } from "./bounds-text.ts";
import { Failure } from "./page.tsx";

export function BoundsForm({
  bounds,
  fields,
  onSave,
}: {
  readonly bounds: Bounds;
  readonly fields: readonly BoundField[];
  readonly onSave: (bounds: Bounds) => Promise<unknown>;
}) {
  const [shown, setShown] = useState(() => textsOf(bounds, fields));
  const [texts, setTexts] = useState(shown);
  const [error, setError] = useState<Error>();
  const [saved, setSaved] = useState(false);
  const may = mayDo(useViewer().role, "operator");
  const wrong = wrongOf(shown, texts);
  const changes = changedBounds(shown, texts);
  const save = async (): Promise<void> => {
    setError(undefined);
    try {
      await onSave(changes);
      setShown(texts);
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
            <Button
              type="submit"
              variant="default"
              disabled={wrong.length > 0 || Object.keys(changes).length === 0}
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
