/**
 * The audit log: who did what as an administrator, from a page or the command line, and what it was before and after.
 * Rows are only added; the database itself refuses to change them. An act and its record are one transaction: neither
 * is ever there without the other. What cannot be one (bytes in the lake, files on the disk) is recorded as `asked`
 * before, and as `done` or `failed` after.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { named, type Writer, writing } from "../ledger/database.ts";
import type { Database, Tables } from "../ledger/schema.ts";

/** Who acts. `command`: somebody on the receiver's host, by the name of the account there. */
export interface Who {
  readonly kind: "person" | "command";
  /** A person's id; of a command the account's name. */
  readonly id: string;
  readonly name: string;
  readonly address?: string | undefined;
  /** Leads to the log lines of the request. */
  readonly requestId?: string | undefined;
}

/** What can be done: `noun.verb`. The page has a sentence for each. */
export type Act =
  | `client.${"add" | "suspend" | "resume" | "offboard" | "quota" | "limit"}`
  | `agent.${"invite" | "uninvite" | "revoke" | "limit" | "scan" | "pause" | "resume" | "diagnostics" | "bundle"}`
  | `key.${"add" | "limit" | "revoke"}`
  | `sftp.${"add" | "limit" | "revoke" | "credentials" | "host-key"}`
  | `webhook.${"add" | "revoke" | "replay"}`
  | `quarantine.${"release" | "delete"}`
  | `person.${"invite" | "withdraw" | "join" | "role" | "rename" | "disable" | "enable" | "reset" | "sign-out" | "login"}`
  | `file.${"download" | "preview"}`
  | `site.${"backup" | "restore" | "rebuild" | "sweep" | "authority" | "receipts" | "diagnostics"}`;

export type Subject = Readonly<Record<string, unknown>> | null;

export interface Deed {
  readonly act: Act;
  readonly subject: { readonly kind: string; readonly id: string };
  readonly client?: string | undefined;
  /** As it was; null: it was not there, or nothing is changed by it. No secrets. */
  readonly before: Subject;
  readonly after: Subject;
}

/** What is done to the site as a whole. */
export const SITE = { kind: "site", id: "site" } as const;

/** For what changes nothing and only has to be known: who looked at what, or took it along. */
export async function noted(db: Database, who: Who, deed: Deed): Promise<void> {
  await audited(db, who, async (_trx, record) => record(deed));
}

/** For a deed whose every write is in `trx`. Throws what `work` throws: then nothing was done and nothing is recorded. */
export async function audited<T>(
  db: Database,
  who: Who,
  work: (trx: Writer, record: (deed: Deed) => void) => Promise<T>,
  now = Date.now(),
): Promise<T> {
  return await writing(db, async (trx) => {
    const deeds: Deed[] = [];
    const result = await work(trx, (deed) => deeds.push(deed));
    if (deeds.length === 0) throw new Error("an administrative act without a record");
    for (const deed of deeds) await insert(trx, who, deed, "done", now);
    return result;
  });
}

/**
 * For a deed that is more than a transaction: it is recorded before it begins, and again when it has ended. `failed` is
 * said only of what failed: where the ledger does not take `done`, the deed stays `asked`, and that is thrown.
 */
export async function witnessed<T>(
  db: Database,
  who: Who,
  deed: Deed,
  work: () => Promise<{ readonly result: T; readonly after: Subject }>,
  now: () => number = Date.now,
): Promise<T> {
  await writing(db, (trx) => insert(trx, who, deed, "asked", now()));
  const end = (outcome: "done" | "failed", after: Subject) =>
    writing(db, (trx) => insert(trx, who, { ...deed, after }, outcome, now()));
  const { result, after } = await work().catch(async (error: unknown) => {
    await end("failed", { error: error instanceof Error ? error.message : String(error) }).catch(() => {});
    throw error;
  });
  await end("done", after).catch((cause: unknown) => {
    throw unrecorded(deed, cause);
  });
  return result;
}

function unrecorded({ act, subject }: Deed, cause: unknown): ProblemError {
  return new ProblemError(
    "ledger-unavailable",
    `${act} of ${subject.kind} ${subject.id} was done, but the audit log could not be told so: there it stands as asked, without an end; look at what is there before you do it again`,
    { cause },
  );
}

async function insert(
  trx: Writer,
  who: Who,
  { act, subject, client, before, after }: Deed,
  outcome: Tables["audit"]["outcome"],
  now: number,
): Promise<void> {
  await trx
    .insertInto("audit")
    .values({
      ...{ id: uuidv7(), at: now, act, outcome },
      ...{ who_kind: who.kind, who: who.id, who_name: who.name },
      ...{ address: who.address ?? null, request_id: who.requestId ?? null },
      ...{ subject_kind: subject.kind, subject: subject.id, client: client ?? null },
      ...{ before: before && JSON.stringify(before), after: after && JSON.stringify(after) },
    })
    .execute();
}

/** One line of the audit log. Times RFC 3339. */
export interface AuditLine {
  readonly id: string;
  readonly at: string;
  readonly who: Who;
  readonly act: string;
  readonly outcome: Tables["audit"]["outcome"];
  readonly subject: { readonly kind: string; readonly id: string };
  readonly client: string | null;
  readonly before: Subject;
  readonly after: Subject;
}

export interface AuditQuery {
  readonly client?: string | undefined;
  readonly who?: string | undefined;
  readonly act?: string | undefined;
  readonly subject?: { readonly kind: string; readonly id: string } | undefined;
  /** Lines older than the one with this id. */
  readonly before?: string | undefined;
  /** ms since 1970: this one and younger ones. */
  readonly from?: number | undefined;
  /** ms since 1970; older ones. */
  readonly until?: number | undefined;
  readonly limit: number;
}

/** Newest first. Each filter has an index that ends in the order of the lines. */
export async function listAudit(db: Database, query: AuditQuery): Promise<readonly AuditLine[]> {
  let rows = db.selectFrom("audit").selectAll().orderBy("id", "desc").limit(query.limit);
  if (query.client !== undefined) rows = rows.where("client", "=", query.client);
  if (query.who !== undefined) rows = rows.where("who", "=", query.who);
  if (query.act !== undefined) rows = rows.where("act", "=", query.act);
  if (query.subject !== undefined)
    rows = rows.where("subject_kind", "=", query.subject.kind).where("subject", "=", query.subject.id);
  if (query.before !== undefined) rows = rows.where("id", "<", query.before);
  // The first 48 bits of a UUIDv7 are its time (RFC 9562, 5.7).
  if (query.from !== undefined) rows = rows.where("id", ">=", timePrefix(query.from));
  if (query.until !== undefined) rows = rows.where("id", "<", timePrefix(query.until));
  return (await named(() => rows.execute())).map(lineOf);
}

function timePrefix(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

function lineOf(row: Tables["audit"]): AuditLine {
  const { id, act, outcome, client } = row;
  return {
    ...{ id, act, outcome, client },
    at: new Date(row.at).toISOString(),
    who: {
      kind: row.who_kind === "person" ? "person" : "command",
      id: row.who,
      name: row.who_name,
      ...(row.address === null ? {} : { address: row.address }),
      ...(row.request_id === null ? {} : { requestId: row.request_id }),
    },
    subject: { kind: row.subject_kind, id: row.subject },
    before: row.before === null ? null : (JSON.parse(row.before) as Subject),
    after: row.after === null ? null : (JSON.parse(row.after) as Subject),
  };
}
