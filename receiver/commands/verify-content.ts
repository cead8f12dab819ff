/** Every object that an entry names, or that is held in quarantine, read again and hashed. */
import { createHash } from "node:crypto";
import type { Lake } from "../lake/lake.ts";
import { createHistory } from "../ledger/history.ts";
import type { History } from "../ledger/ledger.ts";
import { listQuarantined, quarantinedFile } from "../ledger/quarantine.ts";
import type { Database } from "../ledger/schema.ts";

export interface Read {
  readonly versions: number;
  readonly bytes: number;
}

/** What is said of an object. */
interface Named {
  readonly versionId: string;
  readonly client: string;
  readonly source: string;
  readonly path: string;
  readonly key: string | null;
  readonly size: number | null;
  readonly sha256: string | null;
  /** False when the ledger says otherwise by now: it was released meanwhile. */
  readonly stillHolds?: () => Promise<boolean>;
}

/** A store answers several at once; a disk keeps one head busy with that few. */
const AT_ONCE = 4;
const PAGE = 500;

/** Calls `differs` with a line for everything that is not as the ledger says. */
export async function verifyContent(
  db: Database,
  lake: Pick<Lake, "read">,
  client: string | undefined,
  differs: (line: string) => void,
  progress: (read: Read) => void,
): Promise<Read> {
  const versions = allVersions(db, client);
  let count = 0;
  let bytes = 0;
  const work = async (): Promise<void> => {
    for (let next = await versions.next(); !next.done; next = await versions.next()) {
      const found = await examine(next.value, lake);
      count += 1;
      bytes += found.bytes;
      const { difference } = found;
      if (difference !== undefined && (await next.value.stillHolds?.()) !== false) differs(difference);
      progress({ versions: count, bytes });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { versions: count, bytes };
}

async function* allVersions(db: Database, client: string | undefined): AsyncGenerator<Named> {
  const history: Pick<History, "page"> = createHistory(db);
  for await (const held of listQuarantined(db, { client, all: false }))
    yield {
      ...held,
      versionId: held.id,
      stillHolds: async () => (await quarantinedFile(db, held.id))?.state === "held",
    };
  const clients = client === undefined ? ("all" as const) : [client];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page = await history.page({ clients, after, limit: PAGE });
    for (const entry of page.entries) if (entry.kind === "version") yield entry;
    after = page.next;
  }
}

async function examine(
  entry: Named,
  lake: Pick<Lake, "read">,
): Promise<{ readonly bytes: number; readonly difference?: string }> {
  const name = `${entry.versionId} ${entry.client}/${entry.source}/${entry.path}`;
  if (entry.key === null) return { bytes: 0, difference: `${name}: the ledger names no object` };
  let size = 0;
  const hash = createHash("sha256");
  try {
    const stream = await lake.read(entry.key);
    if (stream === undefined) return { bytes: 0, difference: `${name}: its object is missing: ${entry.key}` };
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (error) {
    return { bytes: size, difference: `${name}: cannot be read: ${(error as Error).message}` };
  }
  if (size !== entry.size)
    return {
      bytes: size,
      difference: `${name}: has ${size} bytes, the ledger says ${entry.size}: ${entry.key}`,
    };
  const sha256 = hash.digest("hex");
  if (sha256 !== entry.sha256)
    return {
      bytes: size,
      difference: `${name}: has the SHA-256 ${sha256}, the ledger says ${entry.sha256}: ${entry.key}`,
    };
  return { bytes: size };
}
