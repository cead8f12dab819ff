/**
 * A file that an SFTP client has open to write. Nothing of it is a version before the client closes it, all of it
 * written, under a name that is not temporary. A file that is opened without being emptied begins as its newest version.
 */
import { decodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import type { Piecemeal } from "../../ingest/piecemeal.ts";
import type { FileNode } from "../../tree/tree.ts";
import { attributesOf, type Look, timeOf } from "./attributes.ts";
import type { Handle } from "./handles.ts";
import { lastSegment } from "./place.ts";
import { type Reading, readVersion } from "./reading.ts";
import { record } from "./recording.ts";
import { refuse } from "./refusal.ts";
import { lookOf, type Target, whereabouts } from "./sight.ts";
import { mayRead, type Visit } from "./visit.ts";

export interface WritingOptions {
  /** What is under way there already, or is begun now. */
  readonly one?: Piecemeal | undefined;
  /** The version that it alters. */
  readonly base?: FileNode | undefined;
  /** Every write goes to the end, whatever its offset says. */
  readonly append: boolean;
}

/** Throws what refuses an upload before its first byte. */
export async function openToWrite(
  visit: Visit,
  target: Target,
  options: WritingOptions & { begin: boolean },
): Promise<Handle> {
  visit.rooms.refused.forget(whereabouts(visit, target));
  const release = await placeFor(visit);
  try {
    const one = options.begin ? await begin(visit, target) : options.one;
    return new Writing(visit, target, { ...options, one }, release);
  } catch (error) {
    release();
    throw error;
  }
}

/** As long as the file is open it counts among the uploads. */
async function placeFor({ rooms, account, client }: Visit): Promise<() => void> {
  const there = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const holding = rooms.hold(account, client, () => {
    there.resolve();
    return over.promise;
  });
  holding.catch(there.reject);
  await there.promise;
  return () => over.resolve();
}

async function begin({ rooms, account, client }: Visit, { source, pathEncoded }: Target): Promise<Piecemeal> {
  return await rooms.unfinished.begin(account.principal, { client, source, pathEncoded });
}

/** A new file with the bytes of a version, which nobody finds before it is shown. */
export async function prepareAs(
  visit: Visit,
  { source, pathEncoded }: Target,
  base: FileNode,
): Promise<Piecemeal> {
  const { rooms, account, client } = visit;
  const one = await rooms.unfinished.prepare(account.principal, { client, source, pathEncoded });
  try {
    const bytes = await visit.rooms.lake.read(base.key);
    if (bytes === undefined)
      throw refuse.failure(`lake-unavailable: the lake does not give ${base.versionId} back`);
    let at = 0;
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      await one.write(chunk, at);
      at += chunk.length;
    }
    if (at !== base.size)
      throw refuse.failure(`lake-unavailable: the lake gives only ${at} of ${base.size} bytes`);
    return one;
  } catch (error) {
    await one.discard();
    throw error;
  }
}

/** Which session has it now. */
const SESSIONS = new WeakMap<Piecemeal, Visit>();

/** Whether some other session has it open to write. */
export function isOpenElsewhere(visit: Visit, one: Piecemeal): boolean {
  return one.users > 0 && SESSIONS.get(one) !== visit;
}

const wasRemoved = (error: unknown): boolean =>
  error instanceof ProblemError && error.code === "upload-closed";

const lost = () => refuse.failure("a later session of this account has gone on with this file");

class Writing implements Handle {
  readonly what = "file to write";
  readonly #visit: Visit;
  #target: Target;
  readonly #append: boolean;
  readonly #release: () => void;
  #base: FileNode | undefined;
  #one: Piecemeal | undefined;
  #reading: Reading | undefined;
  /** Something of it came through this handle. */
  #wrote = false;
  #turn = 0;

  constructor(visit: Visit, target: Target, { one, base, append }: WritingOptions, release: () => void) {
    this.#visit = visit;
    this.#target = target;
    this.#append = append;
    this.#release = release;
    this.#base = base;
    if (one !== undefined) this.#take(one);
  }

  /** Of a session that was cut off the server may not know yet: the later one goes on with its file. */
  #take(one: Piecemeal): void {
    this.#one = one;
    if (SESSIONS.get(one) !== this.#visit) {
      if (SESSIONS.has(one)) one.interrupted = !one.closed;
      SESSIONS.set(one, this.#visit);
      one.turn += 1;
      one.users = 0;
    }
    one.users += 1;
    this.#turn = one.turn;
  }

  #isLost(): boolean {
    return this.#one !== undefined && this.#one.turn !== this.#turn;
  }

  /** What another handle of this session has closed is a version, and what follows alters that. */
  async #settle(): Promise<void> {
    const one = this.#one;
    if (one?.ending === undefined || this.#isLost()) return;
    await one.ending;
    if (one.failure !== undefined) throw one.failure;
    this.#one = undefined;
    this.#wrote = false;
    const { rooms, view } = this.#visit;
    const { source, pathEncoded } = one.at;
    // It may have been renamed meanwhile.
    this.#target = { source, path: decodePath(pathEncoded), pathEncoded };
    const found = await rooms.trees.now.find(view, source, pathEncoded);
    this.#base = found?.kind === "file" ? found : undefined;
  }

  async attributes(): Promise<Attributes> {
    await this.#settle();
    return attributesOf(this.#look());
  }

  async read(offset: number, length: number): Promise<Buffer> {
    if (!mayRead(this.#visit)) throw refuse.denied("this account may not read");
    await this.#settle();
    if (this.#isLost()) throw lost();
    const one = this.#one;
    if (one === undefined) return await this.#readBase(offset, length);
    if (offset >= one.size) throw refuse.end();
    return await one.read(offset, length);
  }

  /** While nothing is altered, the version is read where it lies. */
  async #readBase(offset: number, length: number): Promise<Buffer> {
    const base = this.#base;
    if (base === undefined) throw refuse.end();
    this.#reading ??= readVersion(this.#visit.rooms.lake, this.#look(), base.key);
    return await this.#reading.read(offset, length);
  }

  async #endReading(): Promise<void> {
    const reading = this.#reading;
    this.#reading = undefined;
    await reading?.abandon();
  }

  async write(bytes: Buffer, offset: number): Promise<void> {
    const one = await this.#begun();
    this.#goOn(one);
    await one.write(bytes, this.#append ? "end" : offset);
  }

  async set({ size, modified }: Attributes): Promise<void> {
    await this.#settle();
    if (size === 0 && this.#one === undefined) this.#base = undefined;
    if (size !== undefined) {
      const one = await this.#begun();
      this.#goOn(one);
      await one.resize(size);
    }
    if (modified === undefined) return;
    const modifiedAt = timeOf(modified);
    if (this.#one !== undefined) {
      this.#one.modifiedAt = modifiedAt;
      return;
    }
    const { rooms, view } = this.#visit;
    const { source, pathEncoded } = this.#target;
    const versionId = this.#base?.versionId;
    if (versionId !== undefined)
      await rooms.trees.changes.setModified(view, source, pathEncoded, { versionId, modifiedAt });
  }

  async sync(): Promise<void> {
    await this.#settle();
    if (this.#isLost()) throw lost();
    await this.#one?.keep();
  }

  async close(): Promise<string> {
    try {
      await this.#settle();
      const one = this.#one;
      if (one === undefined) return "nothing was written";
      if (this.#isLost()) throw lost();
      one.users -= 1;
      if (one.users > 0 && (!this.#wrote || (one.failure === undefined && one.missing() !== undefined)))
        return "it is recorded when this session has closed it everywhere";
      return await this.#end(one);
    } catch (error) {
      // What the later session brings is not refused, and of what was removed nothing is to be told or tidied up.
      if (!this.#isLost() && !wasRemoved(error))
        this.#visit.rooms.refused.add(whereabouts(this.#visit, this.#target), error);
      throw error;
    } finally {
      await this.#endReading();
      this.#release();
    }
  }

  async abandon(): Promise<void> {
    try {
      const one = this.#one;
      if (one === undefined || one.ending !== undefined || this.#isLost()) return;
      one.users -= 1;
      if (one.users > 0) return;
      if ((one.size === 0 && !one.closed) || one.failure !== undefined) {
        if (!wasRemoved(one.failure))
          this.#visit.rooms.refused.add(whereabouts(this.#visit, this.#target), undefined);
        await one.discard();
      } else {
        one.interrupted = !one.closed;
        await this.#visit.rooms.unfinished.leave(one);
      }
    } catch {
      // Nobody is there to be told; what is not kept is sent again.
    } finally {
      await this.#endReading();
      this.#release();
    }
  }

  async #end(one: Piecemeal): Promise<string> {
    const { rooms } = this.#visit;
    const missing = one.failure === undefined ? one.missing() : undefined;
    if (missing !== undefined) {
      await rooms.unfinished.leave(one);
      throw refuse.failure(
        `length-mismatch: bytes ${missing.start} to ${missing.end - 1} were never written; nothing was recorded, write them or send the file again`,
      );
    }
    // lftp does so when it gives up on a line that breaks again and again.
    if (one.failure === undefined && one.interrupted) {
      await rooms.unfinished.leave(one);
      throw refuse.failure(
        `length-mismatch: the upload was cut off after ${one.size} bytes, and nothing was written now; nothing was recorded, go on with it or send the file again`,
      );
    }
    // It may have been renamed while it was open.
    if (one.failure === undefined && rooms.isTemporary(lastSegment(decodePath(one.at.pathEncoded)))) {
      if (rooms.unfinished.find(one.at) !== one) {
        await one.discard();
        throw refuse.failure("another upload was begun under this name: send this one again");
      }
      one.closed = true;
      await rooms.unfinished.leave(one);
      return "it is recorded when it is renamed";
    }
    return await record(this.#visit, one);
  }

  async #begun(): Promise<Piecemeal> {
    await this.#settle();
    if (this.#isLost()) throw lost();
    if (this.#one !== undefined) return this.#one;
    const one = await (this.#base === undefined
      ? begin(this.#visit, this.#target)
      : prepareAs(this.#visit, this.#target, this.#base));
    this.#take(one);
    await this.#endReading();
    if (this.#base !== undefined) await this.#visit.rooms.unfinished.show(one);
    return one;
  }

  /** What still comes of a session that has lost it does not tell that somebody goes on with it. */
  #goOn(one: Piecemeal): void {
    this.#wrote = true;
    if (one.turn === this.#turn) one.interrupted = false;
  }

  #look(): Look {
    const target = this.#target;
    if (this.#one !== undefined) return lookOf(this.#visit, { kind: "unfinished", target, one: this.#one });
    if (this.#base !== undefined) return lookOf(this.#visit, { kind: "version", target, node: this.#base });
    return { kind: "file", size: 0, modified: this.#visit.rooms.now(), readable: false, writable: true };
  }
}
