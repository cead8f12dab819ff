/**
 * The manifest is a tail of the ledger: one object per group commit, `manifest/date=<day>/<uuidv7>.jsonl`, one
 * full entry with its receipt per line. It holds only what was committed; what a crash left unwritten is written
 * at the next start or, when a receiver is gone for good, by any other. A segment's bytes follow from the ledger
 * alone, so writing one twice is harmless.
 */
import type { ManifestLine } from "@tributary/shared/protocol.ts";
import { segmentKey } from "../lake/key.ts";
import type { Lake } from "../lake/lake.ts";
import type { Segment, Segments } from "../ledger/ledger.ts";
import type { Database } from "../ledger/schema.ts";

/** What the committer needs: a receipt leaves only when its segment is durable. */
export interface Manifest {
  /** Durable in the lake when it resolves. Several calls for one segment share one write. */
  write(segment: Segment): Promise<void>;
  /** Resolves when the segments of all these versions are durable, writing those that another receiver left. */
  settled(versionIds: readonly string[]): Promise<void>;
}

const MARK_AFTER_MS = 1000;

export class ManifestTail implements Manifest {
  readonly #lake: Pick<Lake, "stage" | "publish">;
  readonly #segments: Segments;
  readonly #unwrittenOf: (versionIds: readonly string[]) => Promise<readonly string[]>;
  readonly #writing = new Map<string, Promise<void>>();
  /** Durable, but the ledger was not told yet: that happens after the replies, many at a time. */
  readonly #unmarked = new Set<string>();
  #marking: NodeJS.Timeout | undefined;

  constructor(
    lake: Pick<Lake, "stage" | "publish">,
    segments: Segments,
    unwrittenOf: (versionIds: readonly string[]) => Promise<readonly string[]>,
  ) {
    this.#lake = lake;
    this.#segments = segments;
    this.#unwrittenOf = unwrittenOf;
  }

  async write(segment: Segment): Promise<void> {
    if (this.#unmarked.has(segment.id)) return;
    const begun = this.#writing.get(segment.id);
    if (begun) return await begun;
    const writing = this.#put(segment).finally(() => this.#writing.delete(segment.id));
    this.#writing.set(segment.id, writing);
    await writing;
  }

  async settled(versionIds: readonly string[]): Promise<void> {
    if (versionIds.length === 0) return;
    const open = (await this.#unwrittenOf(versionIds)).filter((id) => !this.#unmarked.has(id));
    const left = open.filter((id) => !this.#writing.has(id));
    await Promise.all(open.flatMap((id) => this.#writing.get(id) ?? []));
    // Only these: when the lake is away for long, there are far more that nobody asks for now.
    for (const id of left) {
      const segment = await this.#segments.read(id);
      if (segment !== undefined) await this.write(segment);
    }
  }

  /** Writes what was left unwritten by at least this age, until it is told to stop; returns how many segments. */
  async catchUp(olderThanMs: number, stopping?: AbortSignal): Promise<number> {
    await this.flush();
    let count = 0;
    let failure: { readonly error: unknown } | undefined;
    for await (const segment of this.#segments.unwritten(olderThanMs)) {
      if (stopping?.aborted) break;
      count += 1;
      // One segment that cannot be written must not keep the others from it.
      await this.write(segment).catch((error: unknown) => {
        failure ??= { error };
      });
    }
    await this.flush();
    if (failure !== undefined) throw failure.error;
    return count;
  }

  /** Tells the ledger which segments are in the lake. A failure costs only a repeated write later. */
  async flush(): Promise<void> {
    clearTimeout(this.#marking);
    this.#marking = undefined;
    const ids = [...this.#unmarked];
    if (ids.length === 0) return;
    await this.#segments.markWritten(ids);
    for (const id of ids) this.#unmarked.delete(id);
  }

  async #put(segment: Segment): Promise<void> {
    const staged = await this.#lake.stage(jsonl(segment.lines));
    await this.#lake.publish(staged, segmentKey(segment), {});
    this.#unmarked.add(segment.id);
    this.#marking ??= setTimeout(() => void this.flush().catch(() => {}), MARK_AFTER_MS).unref();
  }
}

/** Which unmarked segments hold these versions: the cheap question that nearly always has an empty answer. */
export function unwrittenSegmentsOf(db: Database) {
  return async (versionIds: readonly string[]): Promise<readonly string[]> => {
    const rows = await db
      .selectFrom("entries")
      .innerJoin("segments", "segments.id", "entries.segment_id")
      .select("segments.id")
      .distinct()
      .where("entries.version_id", "in", versionIds)
      .where("segments.written_at", "is", null)
      .execute();
    return rows.map((row) => row.id);
  };
}

const LINES_PER_CHUNK = 200;

async function* jsonl(lines: readonly ManifestLine[]): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < lines.length; from += LINES_PER_CHUNK) {
    const chunk = lines.slice(from, from + LINES_PER_CHUNK);
    yield Buffer.from(chunk.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
}
