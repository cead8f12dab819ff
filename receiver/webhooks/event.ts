/** What a webhook is told of an entry: the entry as everybody sees it, and where the reader stands after it. */
import { type Entry, entry } from "@tributary/shared/protocol.ts";
import { formatCursor } from "../tail/cursor.ts";

const TYPES = { version: "version.created", removal: "removal.created" } as const;

/** The body of the request; the same bytes at every attempt, as long as the ledger is not rebuilt. */
export function eventBody(told: Entry, place: { readonly epoch: string; readonly seq: number }): string {
  const data = entry.parse(told);
  return JSON.stringify({
    type: TYPES[data.kind],
    timestamp: data.receivedAt,
    data,
    seq: place.seq,
    cursor: formatCursor(place),
  });
}
