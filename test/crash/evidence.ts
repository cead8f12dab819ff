/** Gathers what both sides say came of the files: the `found` of the oracle. */
import type { Entry } from "@tributary/shared/protocol.ts";
import { type LakeReader, manifestOf } from "../site/lake.ts";
import type { Acknowledged, Found } from "./oracle.ts";

export async function gather(
  ledger: readonly Entry[],
  lake: LakeReader,
  receipts: readonly string[],
): Promise<Found> {
  const manifest = await manifestOf(lake);
  const digests = new Map<string, string>();
  for (const key of await lake.keys("raw").catch(() => [])) digests.set(key, await lake.sha256(key));
  return { ledger, manifest, lake: digests, receipts: receipts.map(claimsOf) };
}

function claimsOf(receipt: string): Acknowledged {
  return JSON.parse(Buffer.from(receipt.split(".")[1] as string, "base64url").toString()) as Acknowledged;
}
