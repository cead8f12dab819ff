/** What is done to files that inspection held back. Their bytes lie in the lake, so it is recorded before and after. */
import type { DeliveryAnswer } from "@tributary/shared/protocol.ts";
import { type Deed, witnessed } from "../audit/audit.ts";
import type { Discard } from "../ledger/discard.ts";
import type { Release } from "../ledger/ledger.ts";
import { type QuarantinedFile, quarantinedFile } from "../ledger/quarantine.ts";
import type { Administrator } from "./administrator.ts";

/** Makes a version of what is held. */
export async function releaseFile(
  by: Administrator,
  id: string,
  asked: Omit<Release, "by">,
  release: (id: string, release: Release) => Promise<DeliveryAnswer>,
): Promise<DeliveryAnswer> {
  return await witnessed(
    by.db,
    by.who,
    await deedOf(by, "quarantine.release", id, asked.reason),
    async () => {
      const result = await release(id, { ...asked, by: by.who.name });
      const { status, versionId } = result;
      return { result, after: { state: "released", status, versionId, ...asked } };
    },
  );
}

/** Its bytes go for good. */
export async function discardFile<T extends { readonly before: boolean }>(
  by: Administrator,
  id: string,
  reason: string,
  discard: (id: string, discard: Discard) => Promise<T>,
): Promise<T> {
  return await witnessed(by.db, by.who, await deedOf(by, "quarantine.delete", id, reason), async () => {
    const result = await discard(id, { by: by.who.name, reason });
    return { result, after: { state: "discarded", reason, already: result.before } };
  });
}

async function deedOf({ db }: Administrator, act: Deed["act"], id: string, reason: string): Promise<Deed> {
  const file = await quarantinedFile(db, id);
  return {
    act,
    subject: { kind: "quarantined", id },
    client: file?.client,
    before: file === undefined ? null : factsOf(file),
    after: { reason },
  };
}

function factsOf({ state, client, source, path, size, sha256, finding }: QuarantinedFile) {
  return { state, client, source, path, size, sha256, finding };
}
