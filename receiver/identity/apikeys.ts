/** API keys, `trbk_<id>_<secret>`: shown once, of the secret only the SHA-256 is kept. */
import { randomBytes } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { slug } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import { holdClient } from "../ledger/clients.ts";
import { named, writing } from "../ledger/database.ts";
import {
  type BearerLimits,
  bearerStates,
  type Changes,
  NO_LIMITS,
  writeBearerLimits,
} from "../ledger/limits.ts";
import type { Database } from "../ledger/schema.ts";
import type { Act } from "./principal.ts";
import { hashSecret, newSecret } from "./secret.ts";

/** Write-only unless more is named: a leaked key cannot read what others delivered. */
export const scopes = z.array(z.enum(["write", "read", "remove"])).min(1);
const FORM = /^trbk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

export interface NewApiKey {
  readonly client: string;
  readonly name?: string | undefined;
  /** The only source it may touch. */
  readonly source?: string | undefined;
  /** Default: write. */
  readonly scopes?: readonly string[] | undefined;
  readonly limits?: Changes<BearerLimits>;
}

/** One line of `key list --json`. Times RFC 3339. */
export interface ApiKeyView {
  readonly id: string;
  readonly client: string;
  readonly name: string | null;
  readonly source: string | null;
  readonly scopes: readonly Act[];
  readonly limits: BearerLimits;
  /** Brought on this UTC day. */
  readonly dayBytes: number;
  readonly createdAt: string;
  readonly revokedAt: string | null;
}

/** The key's text: it cannot be shown again. Throws `request-invalid`, `not-found`. */
export async function addApiKey(db: Database, wanted: NewApiKey, now = Date.now()): Promise<string> {
  const acts = scopes.safeParse([...new Set(wanted.scopes ?? ["write"])]);
  if (!acts.success)
    throw new ProblemError("request-invalid", "the scopes of a key are one or more of: write, read, remove");
  if (wanted.source !== undefined && !slug.safeParse(wanted.source).success)
    throw new ProblemError("request-invalid", `"${wanted.source}" is not a source name (a-z, 0-9 and -)`);
  const id = randomBytes(8).toString("hex");
  const secret = newSecret();
  await writing(db, async (trx) => {
    await holdClient(trx, wanted.client);
    await trx
      .insertInto("api_keys")
      .values({
        id,
        client: wanted.client,
        name: wanted.name ?? null,
        secret_hash: hashSecret(secret),
        source: wanted.source ?? null,
        scopes: JSON.stringify(acts.data),
        created_at: now,
        revoked_at: null,
      })
      .execute();
    if (Object.values(wanted.limits ?? {}).some((limit) => limit !== undefined))
      await writeBearerLimits(trx, id, wanted.limits ?? {});
  });
  return `trbk_${id}_${secret}`;
}

/** Undefined when the text has not the form of a key. */
export function parseApiKey(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = FORM.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Oldest first, revoked ones too; all, or those of a client, or one. */
export async function listApiKeys(
  db: Database,
  { client, id }: { readonly client?: string; readonly id?: string } = {},
): Promise<readonly ApiKeyView[]> {
  let keys = db.selectFrom("api_keys").selectAll().orderBy("created_at").orderBy("id");
  if (client !== undefined) keys = keys.where("client", "=", client);
  if (id !== undefined) keys = keys.where("id", "=", id);
  const rows = await named(() => keys.execute());
  const bearers = await bearerStates(
    db,
    client === undefined && id === undefined ? "all" : rows.map((row) => row.id),
  );
  return rows.map(({ id, client, name, source, scopes: text, created_at, revoked_at }) => ({
    ...{ id, client, name, source },
    ...(bearers.get(id) ?? { limits: NO_LIMITS, dayBytes: 0 }),
    scopes: scopes.parse(JSON.parse(text)),
    createdAt: new Date(created_at).toISOString(),
    revokedAt: revoked_at === null ? null : new Date(revoked_at).toISOString(),
  }));
}

/** In force everywhere within 5 s; revoking twice keeps the first time. Throws `not-found`. */
export async function revokeApiKey(db: Database, id: string, now = Date.now()): Promise<void> {
  const result = await writing(db, (trx) =>
    trx
      .updateTable("api_keys")
      .set((eb) => ({ revoked_at: eb.fn.coalesce("revoked_at", eb.val(now)) }))
      .where("id", "=", id)
      .executeTakeFirst(),
  );
  if (Number(result.numUpdatedRows) === 0)
    throw new ProblemError("not-found", `there is no API key ${id}; see: tributary-receiver key list`);
}
