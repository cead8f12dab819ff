/**
 * The search: one box for clients, agents, files, digests, versions and receipts. What is typed is tried as each of them that
 * it can be. Whoever asks sees all clients. File names are a tail of the ledger in tables beside it, so every answer says how
 * far behind those are.
 */
import { uuid } from "@tributary/shared/protocol.ts";
import type { Database } from "../ledger/schema.ts";
import { type EntryPage, type FoundEntry, findByDigest, findByVersionId, isDigest } from "./digests.ts";
import { type FilePage, type FileQuery, searchFiles } from "./files.ts";
import { catchUpSearch, searchPosition } from "./follow.ts";
import { type FoundAgent, type FoundClient, findAgents, findClients } from "./names.ts";
import { type CheckedReceipt, checkReceipt, looksLikeReceipt, type Signer } from "./receipts.ts";
import { type SearchDatabase, withSearch } from "./schema.ts";

export interface FoundFiles extends FilePage {
  /** So many entries at most are not searched yet: their paths may be new. */
  readonly behind: number;
}

export interface Found {
  readonly clients: readonly FoundClient[];
  readonly agents: readonly FoundAgent[];
  /** With contents whose digest begins so. */
  readonly digests: EntryPage;
  /** The entry of exactly this version id. */
  readonly version: FoundEntry | undefined;
  /** Undefined: it does not look like one. */
  readonly receipt: CheckedReceipt | undefined;
  readonly files: FoundFiles;
}

/** Longer texts are receipts, or nothing. */
const LONGEST_TEXT = 500;
/** How long an answer waits for names that came just before, in ms. */
const WAIT_MS = 20;
const NOTHING: FoundFiles = { files: [], next: undefined, searched: 1, behind: 0 };

/** A page of files alone, to go on or to filter. Throws `request-invalid` for an `after` that is none. */
export async function findFiles(db: Database, query: FileQuery): Promise<FoundFiles> {
  if (query.text.length > LONGEST_TEXT) return NOTHING;
  const search = withSearch(db);
  await catchUpSearch(db, { withinMs: WAIT_MS });
  const page = await searchFiles(search, query);
  return { ...page, behind: await behind(search) };
}

async function behind(db: SearchDatabase): Promise<number> {
  const { last, at } = await searchPosition(db);
  return Math.max(0, last - at);
}

/** All that one text may mean, a few of each. */
export async function findAnything(
  db: Database,
  { text, limit }: { readonly text: string; readonly limit: number },
  signer: Signer,
): Promise<Found> {
  const wanted = text.trim();
  const none: EntryPage = { entries: [], next: undefined };
  if (looksLikeReceipt(wanted))
    return {
      ...{ clients: [], agents: [], digests: none, version: undefined, files: NOTHING },
      receipt: await checkReceipt(db, wanted, signer),
    };
  if (wanted === "" || wanted.length > LONGEST_TEXT)
    return {
      ...{ clients: [], agents: [], digests: none, version: undefined, files: NOTHING },
      receipt: undefined,
    };
  const [clients, agents, digests, version, files] = await Promise.all([
    findClients(db, wanted, limit),
    findAgents(db, wanted, limit),
    isDigest(wanted) ? findByDigest(db, { text: wanted, limit }) : none,
    uuid.safeParse(wanted.toLowerCase()).success ? findByVersionId(db, wanted.toLowerCase()) : undefined,
    findFiles(db, { text: wanted, limit }),
  ]);
  return { clients, agents, digests, version, receipt: undefined, files };
}
