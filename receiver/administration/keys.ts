/** What is done to API keys. */
import type { Act, Subject } from "../audit/audit.ts";
import { audited } from "../audit/audit.ts";
import {
  addApiKey,
  listApiKeys,
  type NewApiKey,
  parseApiKey,
  revokeApiKey as revoke,
} from "../identity/apikeys.ts";
import type { Writer } from "../ledger/database.ts";
import { type BearerLimits, type Changes, setBearerLimits } from "../ledger/limits.ts";
import { type Administrator, change } from "./administrator.ts";

/** The key's text: it cannot be shown again. Throws `request-invalid`, `not-found`. */
export async function addKey({ db, who }: Administrator, wanted: NewApiKey): Promise<string> {
  return await audited(db, who, async (trx, record) => {
    const text = await addApiKey(trx, wanted);
    const id = parseApiKey(text)?.id ?? "";
    const { client } = wanted;
    record({
      act: "key.add",
      subject: { kind: "key", id },
      client,
      before: null,
      after: await keyFacts(trx, id),
    });
    return text;
  });
}

/** For good. Throws `not-found`. */
export const revokeKey = (by: Administrator, id: string): Promise<void> =>
  onKey(by, "key.revoke", id, (trx) => revoke(trx, id));

/** Undefined is left, null is taken back. Throws `not-found`. */
export const setKeyLimits = (by: Administrator, id: string, limits: Changes<BearerLimits>): Promise<void> =>
  onKey(by, "key.limit", id, (trx) => setBearerLimits(trx, "key", id, limits));

async function onKey<T>(
  by: Administrator,
  act: Act,
  id: string,
  work: (trx: Writer) => Promise<T>,
): Promise<T> {
  const [key] = await listApiKeys(by.db, { id });
  const facts = (trx: Writer): Promise<Subject> => keyFacts(trx, id);
  return await change(by, { act, kind: "key", id, client: key?.client, facts }, work);
}

async function keyFacts(trx: Writer, id: string): Promise<Subject> {
  const [key] = await listApiKeys(trx, { id });
  if (key === undefined) return null;
  const { name, source, scopes, limits, revokedAt } = key;
  return { name, source, scopes, limits, revokedAt };
}
