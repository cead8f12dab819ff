/** What of a client's files is shown stands in the address: instant, source, folder, file. */

import type { Input } from "../../../inputs.ts";
import { useFilter } from "../../parts/filter.ts";

export interface Place {
  readonly client: string;
  readonly source: string;
  /** Encoded; "" is the source itself. */
  readonly folder: string;
  /** RFC 3339; "" is now. */
  readonly at: string;
  readonly removed: boolean;
}

export function usePlace(client: string) {
  const { get, set } = useFilter();
  const asked = get("at");
  const place: Place = {
    client,
    source: get("source"),
    folder: get("folder"),
    at: Number.isNaN(Date.parse(asked)) ? "" : new Date(asked).toISOString(),
    removed: get("removed") === "1",
  };
  return { place, set };
}

/** As the call takes it. */
export function listInput({ client, source, folder, at, removed }: Place): Input<"files.list"> {
  return {
    ...{ client, source, folder },
    ...(at === "" ? { removed: String(removed) } : { at }),
  };
}
