/**
 * The commit: many captures, one transaction, one sync to the disk. Everything that is decided about a capture is
 * decided here, under the lock on the site's row; receipts are signed inside, because they carry the commit's time.
 */
import { decodePath, displayPath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { captureRef, knownCaptures, lookUp } from "./batch.ts";
import { committing, type LedgerDatabase, named } from "./database.ts";
import { conflict, equals, type Quotas, sameCapture } from "./decide.ts";
import { Draft, type Path, repeated } from "./draft.ts";
import { manifestLineOf, pathHash } from "./entry.ts";
import type { Capture, Committed, Ledger, SignReceipt } from "./ledger.ts";

const NO_BOUNDS: Quotas = { stored: null, day: null, file: null };

/** The ledger over either database. `quotas`: for clients without bounds of their own. */
export function createLedger(database: LedgerDatabase, quotas: Quotas = NO_BOUNDS): Ledger {
  return {
    commit: (captures, sign) => commit(database, captures, sign, quotas),
    async known(capture) {
      const hash = pathHash(capture.pathEncoded);
      const ids = [[capture.client, capture.captureId]];
      const found = await named(() => knownCaptures(database.db, ids));
      const known = found.get(captureRef(capture));
      if (known === undefined) return undefined;
      const { kind, source } = capture;
      const sha256 = capture.sha256 ?? known.sha256;
      const same = sameCapture(known, { kind, source, path_hash: hash, sha256, size: known.size });
      return same ? repeated(known.receipt) : conflict(capture);
    },
    async unchanged(capture) {
      const head = await named(() =>
        database.db
          .selectFrom("heads")
          .select(["kind", "sha256", "size", "bearer"])
          .where("client", "=", capture.client)
          .where("source", "=", capture.source)
          .where("path_hash", "=", pathHash(capture.pathEncoded))
          .executeTakeFirst(),
      );
      return head !== undefined && equals(head, capture);
    },
  };
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
