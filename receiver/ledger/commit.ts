/**
 * The commit: many captures, one transaction, one sync to the disk. Everything that is decided about a capture is
 * decided here, under the lock on the site's row; receipts are signed inside, because they carry the commit's time.
 */
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import {
  captureRef,
  type Head,
  type HeldCapture,
  headRef,
  headsOf,
  heldCaptures,
  type KnownCapture,
  knownCaptures,
  lookUp,
  standingOf,
} from "./batch.ts";
import { chunks } from "./chunks.ts";
import { committing, type LedgerDatabase, named } from "./database.ts";
import { conflict, equals, type Quotas, sameCapture } from "./decide.ts";
import { Draft, type Path, repeated } from "./draft.ts";
import { manifestLineOf, pathHash } from "./entry.ts";
import { holds } from "./leases.ts";
import type { Capture, Committed, Comparing, Ledger, Naming, Outcome, SignReceipt } from "./ledger.ts";

const NO_BOUNDS: Quotas = { stored: null, day: null, file: null };

/** The ledger over either database. `quotas`: for clients without bounds of their own. */
export function createLedger(database: LedgerDatabase, quotas: Quotas = NO_BOUNDS): Ledger {
  return {
    commit: (captures, sign) => commit(database, captures, sign, quotas),
    known: (captures) => named(() => known(database, captures)),
    unchanged: (captures) => named(() => unchanged(database, captures)),
    holds: (lease) => named(() => holds(database.db, lease)),
  };
}

async function known(
  { db }: LedgerDatabase,
  captures: readonly Naming[],
): Promise<readonly (Outcome | undefined)[]> {
  const found = new Map<string, KnownCapture | HeldCapture>();
  for (const some of chunks(captures)) {
    const ids = some.map(({ client, captureId }) => [client, captureId]);
    const [known, held] = await Promise.all([knownCaptures(db, ids), heldCaptures(db, ids)]);
    // What was released between the two looks is in both.
    for (const [ref, one] of [...held, ...known]) found.set(ref, one);
  }
  return captures.map((capture) => {
    const before = found.get(captureRef(capture));
    if (before === undefined) return undefined;
    const { kind, source, pathEncoded } = capture;
    const sha256 = capture.sha256 ?? before.sha256;
    const again = { kind, source, path_hash: pathHash(pathEncoded), sha256, size: before.size };
    if (!sameCapture(before, again)) return conflict(capture);
    if ("receipt" in before) return repeated(before.receipt);
    return standingOf(before);
  });
}

async function unchanged(
  { db }: LedgerDatabase,
  captures: readonly Comparing[],
): Promise<readonly boolean[]> {
  const refs = captures.map((capture) => ({ ...capture, path_hash: pathHash(capture.pathEncoded) }));
  const heads = new Map<string, Head>();
  for (const some of chunks(refs)) for (const head of await headsOf(db, some)) heads.set(headRef(head), head);
  return refs.map((capture) => {
    const head = heads.get(headRef(capture));
    return head !== undefined && equals(head, capture);
  });
}

async function commit(
  database: LedgerDatabase,
  captures: readonly Capture[],
  sign: SignReceipt,
  quotas: Quotas,
): Promise<Committed> {
  if (captures.length === 0) return { outcomes: [], segment: undefined };
  const paths = captures.map(pathOf);
  let done: Committed | undefined;
  try {
    return await committing(database, async (trx, turn) => {
      const draft = new Draft(await lookUp(trx, captures), turn, sign, quotas);
      const outcomes = captures.map((capture, i) => draft.add(capture, paths[i] as Path));
      await draft.write(trx);
      const lines = draft.entries.map(({ row, path }) => manifestLineOf(row, path));
      const segment = lines.length > 0 ? { id: draft.segmentId, date: draft.day, lines } : undefined;
      done = { outcomes, segment };
      return done;
    });
  } catch (error) {
    if (done?.segment !== undefined && (await wasCommitted(database, done.segment.id, error))) return done;
    throw error;
  }
}

/**
 * The connection broke while COMMIT was on its way: it may have arrived. The site lock waits until the other
 * transaction has ended either way; after that the segment is there or it never will be.
 */
async function wasCommitted(database: LedgerDatabase, segmentId: string, error: unknown): Promise<boolean> {
  try {
    return await committing(database, async (trx) => {
      const row = await trx
        .selectFrom("segments")
        .select("id")
        .where("id", "=", segmentId)
        .executeTakeFirst();
      return row !== undefined;
    });
  } catch (cause) {
    throw new ProblemError(
      "ledger-unavailable",
      `the ledger went away during a commit: whether segment ${segmentId} was recorded is not known; keep its bytes`,
      { cause: new AggregateError([error, cause]) },
    );
  }
}

/** Before the lock is taken: it is held as short as possible. */
function pathOf({ pathEncoded }: Capture): Path {
  const hash = pathHash(pathEncoded);
  try {
    return { hash, display: displayPath(decodePath(pathEncoded)) };
  } catch {
    return { hash, display: undefined };
  }
}
