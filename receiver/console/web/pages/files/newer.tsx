/** That something came since the list was read: it stays as it is until it is asked anew. */
import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { ask } from "../../api.ts";
import { formatCount } from "../../parts/numbers.tsx";
import { refresh, useCall } from "../../queries.ts";
import { t } from "../../texts.ts";
import type { Place } from "./place.ts";

/** The seq of the newest entry of a client; asked before a list is read, so that nothing falls between them. */
export async function newestOf(client: string, signal: AbortSignal): Promise<number> {
  const { items } = await ask("deliveries.list", { client, limit: 1 }, signal);
  return items[0]?.seq ?? 0;
}

export function NewerFiles({ place, after }: { readonly place: Place; readonly after: number }) {
  const { client, source } = place;
  const queries = useQueryClient();
  const newer = useCall("newer.count", { client, source, after });
  // What was counted after another list is not the number of this one.
  const { count, more } = (newer.isPlaceholderData ? undefined : newer.data) ?? { count: 0, more: false };
  return (
    <div role="status">
      {count > 0 && (
        <Button size="compact-sm" onClick={() => void refresh(queries, ["files"])}>
          {t.files.newer(`${formatCount(count)}${more ? "+" : ""}`, source)}
        </Button>
      )}
    </div>
  );
}
