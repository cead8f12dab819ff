/** Clients as commands and ingest see them: tenants, their quotas and what they have used. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { slug } from "@tributary/shared/protocol.ts";
import { sql, type UpdateObject } from "kysely";
import { named, type Writer, writing } from "./database.ts";
import type { Quotas } from "./decide.ts";
import { type Changes, type Limits, limitColumns, limitsOf } from "./limits.ts";
import type { Database, Tables } from "./schema.ts";

export interface ClientState {
  readonly name: string;
  /** ms since 1970. */
  readonly createdAt: number;
  readonly suspendedAt: number | null;
  /** It left: it is suspended too, and nobody may act for it any more. */
  readonly offboardedAt: number | null;
  /** Of its own; null: the configured default holds. */
  readonly quotas: Quotas;
  /** The same. */
  readonly limits: Limits;
  readonly storedBytes: number;
  /** Brought on the UTC day of `now`. */
  readonly dayBytes: number;
}

/** Throws `request-invalid` when the name is no slug or is taken. */
export async function addClient(db: Database, name: string, now = Date.now()): Promise<void> {
  const checked = slug.safeParse(name);
  if (!checked.success)
    throw new ProblemError(
      "request-invalid",
      `"${name}" is no client name; expected ${checked.error.issues[0]?.message}`,
    );
  const added = await writing(db, (trx) =>
    trx
      .insertInto("clients")
      .values({ name, created_at: now })
      .onConflict((oc) => oc.doNothing())
      .executeTakeFirst(),
  );
  if (Number(added.numInsertedOrUpdatedRows) === 0)
    throw new ProblemError("request-invalid", `there is a client "${name}" already`);
}

export async function listClients(db: Database, now = Date.now()): Promise<readonly ClientState[]> {
  return await named(async () => (await select(db, now).execute()).map(stateOf));
}

/** Undefined when there is no such client. Ingest asks before it takes bytes; the commit decides. */
export async function clientState(
  db: Database,
  name: string,
  now = Date.now(),
): Promise<ClientState | undefined> {
  const row = await named(() => select(db, now).where("name", "=", name).executeTakeFirst());
  return row && stateOf(row);
}

/** Takes effect with the next commit; suspending twice keeps the first time. */
export async function suspendClient(db: Database, name: string, now = Date.now()): Promise<void> {
  await change(db, name, { suspended_at: sql<number>`coalesce(suspended_at, ${now})` });
}

/** Takes effect with the next commit; twice keeps the first time. Its agents, keys and accounts are shut out by others. */
export async function markOffboarded(db: Database, name: string, now = Date.now()): Promise<void> {
  await change(db, name, {
    suspended_at: sql<number>`coalesce(suspended_at, ${now})`,
    offboarded_at: sql<number>`coalesce(offboarded_at, ${now})`,
  });
}

export async function resumeClient(db: Database, name: string): Promise<void> {
  await change(db, name, { suspended_at: null, offboarded_at: null });
}

/** Only what is named changes; null goes back to the configured default. */
export async function setQuotas(db: Database, name: string, quotas: Partial<Quotas>): Promise<void> {
  await change(db, name, columns(quotas));
}

/** As `setQuotas`; in force everywhere within 2 s. */
export async function setLimits(db: Database, name: string, limits: Changes<Limits>): Promise<void> {
  await change(db, name, limitColumns(limits));
}

/** Waits for whoever changes it, and lets nobody change it until the transaction ends. Undefined: there is none. */
export async function lockClient(
  trx: Writer,
  name: string,
): Promise<Pick<ClientState, "offboardedAt"> | undefined> {
  const row = await trx
    .updateTable("clients")
    .set((eb) => ({ name: eb.ref("name") }))
    .where("name", "=", name)
    .returning("offboarded_at")
    .executeTakeFirst();
  return row && { offboardedAt: row.offboarded_at };
}

/**
 * For whoever lets somebody act for it, or be told of it: its offboarding has happened, or comes after this transaction and
 * ends this too. Throws `request-invalid` when it was offboarded, `unknown` when there is none.
 */
export async function holdClient(
  trx: Writer,
  name: string,
  unknown: "not-found" | "request-invalid" = "not-found",
): Promise<void> {
  const client = await lockClient(trx, name);
  if (client === undefined)
    throw new ProblemError(
      unknown,
      `there is no client "${name}"; add it with: tributary-receiver client add NAME, or see: tributary-receiver client list`,
    );
  if (client.offboardedAt !== null)
    throw new ProblemError(
      "request-invalid",
      `the client "${name}" was offboarded, so nobody can be let in for it; take it back first, on its page or with: tributary-receiver client resume ${name}`,
    );
}

type Columns = UpdateObject<Tables, "clients">;

function columns(quotas: Partial<Quotas>): Columns {
  return {
    ...(quotas.stored === undefined ? {} : { quota_stored: quotas.stored }),
    ...(quotas.day === undefined ? {} : { quota_day: quotas.day }),
    ...(quotas.file === undefined ? {} : { quota_file: quotas.file }),
  };
}

async function change(db: Database, name: string, set: Columns): Promise<void> {
  await writing(db, async (trx) => {
    const result = await trx
      .updateTable("clients")
      .set({ name, ...set })
      .where("name", "=", name)
      .executeTakeFirst();
    if (Number(result.numUpdatedRows) === 0)
      throw new ProblemError(
        "not-found",
        `there is no client "${name}"; see: tributary-receiver client list`,
      );
  });
}

function select(db: Database, now: number) {
  const today = new Date(now).toISOString().slice(0, 10);
  return db
    .selectFrom("clients")
    .leftJoin("usage", "usage.client", "clients.name")
    .selectAll("clients")
    .select(["stored_bytes"])
    .select((eb) => eb.case().when("day", "=", today).then(eb.ref("day_bytes")).else(0).end().as("day_bytes"))
    .orderBy("name");
}

function stateOf(
  row: Awaited<ReturnType<ReturnType<typeof select>["executeTakeFirstOrThrow"]>>,
): ClientState {
  return {
    name: row.name,
    createdAt: row.created_at,
    suspendedAt: row.suspended_at,
    offboardedAt: row.offboarded_at,
    quotas: { stored: row.quota_stored, day: row.quota_day, file: row.quota_file },
    limits: limitsOf(row),
    storedBytes: row.stored_bytes ?? 0,
    dayBytes: row.day_bytes ?? 0,
  };
}
