/** Who brought something, and through which door. */
import { Text } from "@mantine/core";
import { t } from "../texts.ts";

export interface By {
  readonly kind: "agent" | "key" | "account" | "gone";
  readonly id: string;
  readonly name: string | null;
}

export const doorName = (channel: string): string =>
  (t.files.doors as Readonly<Record<string, string>>)[channel] ?? channel;

export function byName(by: By | null): string {
  if (by === null) return t.files.nobody;
  return by.name ?? (by.kind === "gone" ? by.id : t.files.nameless[by.kind]);
}

export function BroughtBy({ by, channel }: { readonly by: By | null; readonly channel: string }) {
  return (
    <>
      {by !== null && by.kind !== "gone" && (
        <Text span inherit c="dimmed">
          {t.files.bringers[by.kind]}{" "}
        </Text>
      )}
      {byName(by)}
      <Text span inherit c="dimmed">
        {" "}
        {t.files.through(doorName(channel))}
      </Text>
    </>
  );
}
