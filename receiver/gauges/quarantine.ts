/** Gauges of what is held in quarantine. */
import type { Registry } from "prom-client";
import type { HeldSum } from "../ledger/quarantine.ts";
import type { Look } from "./look.ts";
import { ageSeconds, plainGauges } from "./plain.ts";

export function quarantineGauges(look: Look<HeldSum>, registers: Registry[]): () => Promise<void> {
  const set = plainGauges(
    {
      quarantine_files: "Files that are held in quarantine",
      quarantine_bytes: "Bytes that are held in quarantine",
      quarantine_oldest_seconds: "How long the file that came first has been held; 0: none is",
    },
    registers,
  );
  return async () => {
    const sum = await look();
    if (sum === undefined) return set({});
    set({
      quarantine_files: sum.files,
      quarantine_bytes: sum.bytes,
      quarantine_oldest_seconds: sum.oldest === undefined ? 0 : ageSeconds(sum.oldest, Date.now()),
    });
  };
}
