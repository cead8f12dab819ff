/**
 * The bytes of a parcel: its copy in the spool, or, in-place, the file itself, opened without following links. The
 * in-place file must be the one that was sealed, before and after the reading; that its content is too, the digest tells.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { VersionParcel } from "../queue/queue.ts";
import { sameState } from "../source/same-state.ts";
import type { Source } from "../source/source.ts";

/** Thousands may wait for one source: each is tried rarely, and all of them at once when it is back. */
const AWAY_S = 120;

/** What was sealed is no longer there: the end of this parcel. */
export class Superseded extends Error {}

export interface Content extends AsyncDisposable {
  /** Fills `into` from `position` completely; throws Superseded when the bytes end before. */
  fill(into: Buffer, position: number): Promise<void>;
  /** Throws Superseded when it is no longer what was sealed, as far as the system tells. */
  check(): Promise<void>;
}

/** Opens the bytes of a parcel; throws Superseded, or a problem that may pass (unreadable, source away). */
export type OpenContent = (parcel: VersionParcel) => Promise<Content>;

/** The whole content of a small in-place parcel, where it can be had at once; undefined: `open` it. */
export type ReadSmall = (parcel: VersionParcel) => Buffer | undefined;

/** See `Source.readNow`: what it gives is in the state that was sealed, its digest is not looked at. */
export function smallReader(source: (client: string, name: string) => Source | undefined): ReadSmall {
  return ({ spooled, client, source: name, path, state }) =>
    spooled === undefined ? source(client, name)?.readNow?.(path, state) : undefined;
}

/** Content out of the spool folder or the sources; a source that is not configured any more keeps its parcels waiting. */
export function contentOpener(
  spool: string,
  source: (client: string, name: string) => Source | undefined,
): OpenContent {
  return async (parcel) =>
    parcel.spooled === undefined
      ? await openInPlace(parcel, source(parcel.client, parcel.source))
      : await openSpooled(parcel, join(spool, parcel.spooled));
}

async function openSpooled(parcel: VersionParcel, file: string): Promise<Content> {
  const handle = await open(file, "r").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") throw new Superseded("its copy in the spool is gone");
    throw new ProblemError("file-unreadable", `cannot open the copy ${file}: ${cause.message}`, { cause });
  });
  const check = async (): Promise<void> => {
    const { size } = await handle.stat();
    if (size !== parcel.state.size)
      throw new Superseded(`its copy in the spool has ${size} bytes, not ${parcel.state.size}`);
  };
  return {
    fill: (into, position) =>
      fillFrom(async (b, at) => (await handle.read(b, 0, b.length, at)).bytesRead, into, position),
    check,
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function openInPlace(parcel: VersionParcel, source: Source | undefined): Promise<Content> {
  if (source === undefined)
    throw new ProblemError(
      "source-unreachable",
      `source "${parcel.source}" is no longer in agent.yaml; what it captured waits until it is there again`,
      { retryAfter: AWAY_S },
    );
  const opened = await source.open(parcel.path, parcel.state);
  if (opened.kind === "away")
    throw new ProblemError("source-unreachable", opened.reason, { retryAfter: AWAY_S });
  if (opened.kind !== "open") {
    if (opened.kind === "unseen" && opened.unseen.code !== undefined)
      throw new ProblemError(opened.unseen.code, opened.unseen.reason);
    // A share that went away looks like a folder without files.
    const health = await source.health();
    if (!health.healthy) throw new ProblemError(health.code, health.reason, { retryAfter: AWAY_S });
    throw new Superseded(
      opened.kind === "gone" ? "the file is gone" : `the file is no longer one: ${opened.unseen.reason}`,
    );
  }
  const { file } = opened;
  const changed = (): Superseded => new Superseded("the file was changed after it was sealed");
  if (!sameState(file.state, parcel.state)) {
    await file[Symbol.asyncDispose]();
    throw changed();
  }
  return {
    fill: (into, position) => fillFrom((b, at) => file.read(b, at), into, position),
    check: async () => {
      const now = await file.recheck();
      if (now === undefined || !sameState(now, parcel.state)) throw changed();
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

async function fillFrom(
  read: (into: Buffer, position: number) => Promise<number>,
  into: Buffer,
  position: number,
): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const got = await read(into.subarray(at), position + at).catch((cause: Error) => {
      // What says itself whose trouble it is: the place's, not the file's.
      if (cause instanceof ProblemError) throw cause;
      throw new ProblemError("file-unreadable", `reading failed: ${cause.message}`, { cause });
    });
    if (got === 0) throw new Superseded("the file is shorter than it was when it was sealed");
    at += got;
  }
}
