/** Rows that there is one of for each path, client or bearer: made, or brought up to date. */
import type { Writer } from "./database.ts";
import type { Tables } from "./schema.ts";

export async function putHeads(trx: Writer, heads: readonly Tables["heads"][]): Promise<void> {
  await trx
    .insertInto("heads")
    .values(heads)
    .onConflict((oc) =>
      oc.columns(["client", "source", "path_hash"]).doUpdateSet((eb) => ({
        seq: eb.ref("excluded.seq"),
        kind: eb.ref("excluded.kind"),
        version_id: eb.ref("excluded.version_id"),
        size: eb.ref("excluded.size"),
        sha256: eb.ref("excluded.sha256"),
        bearer: eb.ref("excluded.bearer"),
      })),
    )
    .execute();
}

export async function putUsage(trx: Writer, usage: readonly Tables["usage"][]): Promise<void> {
  await trx
    .insertInto("usage")
    .values(usage)
    .onConflict((oc) =>
      oc.column("client").doUpdateSet((eb) => ({
        stored_bytes: eb.ref("excluded.stored_bytes"),
        day: eb.ref("excluded.day"),
        day_bytes: eb.ref("excluded.day_bytes"),
      })),
    )
    .execute();
}

/** Limits may be set meanwhile: they are left as they are. */
export async function putBearers(trx: Writer, bearers: readonly Tables["bearers"][]): Promise<void> {
  await trx
    .insertInto("bearers")
    .values(bearers.map(({ bearer, day, day_bytes }) => ({ bearer, day, day_bytes })))
    .onConflict((oc) =>
      oc.column("bearer").doUpdateSet((eb) => ({
        day: eb.ref("excluded.day"),
        day_bytes: eb.ref("excluded.day_bytes"),
      })),
    )
    .execute();
}
