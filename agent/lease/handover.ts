/**
 * What an agent does that has got a source's lease, before it captures: it goes on where the holder before stopped. Its own
 * parcels of an earlier term that another has brought meanwhile end; what the receiver holds is what was seen. It may be
 * broken off anywhere and begun anew.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { decodePath, pathForUrl } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Entry, type EntryPage, entryPage, HEADER, ROUTE, uuid } from "@tributary/shared/protocol.ts";
import type { Receiver } from "../identity/receiver.ts";
import type { Learned, Outbox, Parcel, Takeover } from "../queue/queue.ts";
import type { Place } from "./lease.ts";

export interface HandoverOptions {
  readonly receiver: Pick<Receiver, "call">;
  readonly place: Place;
  readonly term: number;
  /** This agent. */
  readonly agentId: string;
  readonly outbox: Pick<Outbox, "endAll">;
  readonly takeover: Takeover;
  /** ms since 1970. */
  readonly now: () => number;
  /** Ends it when the lease is lost. */
  readonly signal: AbortSignal;
}

export interface TakenOver {
  /** Parcels that another agent has brought. */
  readonly overtaken: number;
  /** Paths that the receiver knows. */
  readonly learned: number;
}

const PAGE = 1000;
/** Histories that are asked for at once. */
const AT_ONCE = 8;
/** Of one page: a source of many files would never be taken over, were all of it begun anew whenever one is refused for a while. */
const TRIES = 5;
const AGAIN_S = 1;
const LONGEST_S = 30;

/** Throws what the receiver's calls throw (`lease-lost`), `disk-full`, the reason of an aborted signal. */
export async function takeOver(options: HandoverOptions): Promise<TakenOver> {
  const overtaken = await endOvertaken(options);
  const learned = await learn(options);
  return { overtaken, learned };
}

async function endOvertaken(options: HandoverOptions): Promise<number> {
  let count = 0;
  let paths: (readonly [Parcel, ...Parcel[]])[] = [];
  const end = async (): Promise<void> => {
    const ended = (await Promise.all(paths.map((parcels) => overtakenOf(options, parcels)))).flat();
    paths = [];
    options.signal.throwIfAborted();
    const at = options.now();
    options.outbox.endAll(ended.map(({ captureId }) => ({ captureId, end: { kind: "overtaken", at } })));
    count += ended.length;
  };
  for (const parcels of byPath(options.takeover.waiting())) {
    paths.push(parcels);
    if (paths.length === AT_ONCE) await end();
  }
  await end();
  return count;
}

/** Parcels of one path follow one another. */
function* byPath(parcels: Iterable<Parcel>): Generator<[Parcel, ...Parcel[]]> {
  let group: [Parcel, ...Parcel[]] | undefined;
  for (const parcel of parcels) {
    if (group?.[0].path.equals(parcel.path)) group.push(parcel);
    else {
      if (group !== undefined) yield group;
      group = [parcel];
    }
  }
  if (group !== undefined) yield group;
}

async function overtakenOf(
  options: HandoverOptions,
  parcels: readonly [Parcel, ...Parcel[]],
): Promise<readonly Parcel[]> {
  let left: readonly Parcel[] = parcels;
  const overtaken: Parcel[] = [];
  for await (const entries of pages(options, `&path=${pathForUrl(parcels[0].path)}`)) {
    const [over, rest] = [[], []] as [Parcel[], Parcel[]];
    for (const parcel of left)
      (entries.some((entry) => overtakes(entry, parcel, options.agentId)) ? over : rest).push(parcel);
    overtaken.push(...over);
    left = rest;
    if (left.length === 0) break;
  }
  return overtaken;
}

/**
 * Whether this entry makes the parcel needless: another agent brought the same bytes, from a look that was no earlier; or it has seen
 * the path since it was missed here. What this agent brought itself has its receipt when it is sent again.
 */
export function overtakes(entry: Entry, parcel: Parcel, me: string): boolean {
  if (!isAgents(entry) || entry.agentId === me) return false;
  if (lookedAt(entry) < Date.parse(parcel.sealedAt)) return false;
  return parcel.kind === "removal" || (entry.kind === "version" && entry.sha256 === parcel.sha256);
}

async function learn(options: HandoverOptions): Promise<number> {
  const { takeover, term, signal } = options;
  let count = 0;
  for await (const entries of pages(options, "&latest=true&removals=true")) {
    takeover.learn(term, entries.map(learnedOf));
    count += entries.length;
  }
  for (const _step of takeover.forgetOthers(term)) {
    await new Promise(setImmediate);
    signal.throwIfAborted();
  }
  return count;
}

function learnedOf(entry: Entry): Learned {
  const path = decodePath(entry.pathEncoded);
  if (!isAgents(entry)) return { kind: "unknown", path };
  if (entry.kind !== "version" || entry.size === null || entry.sha256 === null)
    return entry.kind === "removal" && entry.modifiedAt !== null
      ? { kind: "removal", path, endedNs: nsOf(entry.modifiedAt) }
      : { kind: "removal", path };
  const mtimeNs = entry.modifiedAt === null ? 0n : nsOf(entry.modifiedAt);
  return {
    kind: "version",
    path,
    state: { size: entry.size, mtimeNs, ctimeNs: 0n, fileId: undefined },
    sha256: entry.sha256,
    sealedAt: lookedAt(entry),
  };
}

/** A program's, or an SFTP account's, says nothing of what lies in the source: keys and accounts have ids of another shape. */
function isAgents({ agentId }: Entry): boolean {
  return uuid.safeParse(agentId).success;
}

function nsOf(time: string): bigint {
  return BigInt(Date.parse(time)) * 1_000_000n;
}

function lookedAt({ sealedAt, receivedAt }: Entry): number {
  return Date.parse(sealedAt ?? receivedAt);
}

async function* pages(options: HandoverOptions, query: string): AsyncGenerator<readonly Entry[]> {
  const { client, source } = options.place;
  for (let cursor = ""; ; ) {
    options.signal.throwIfAborted();
    const page = await read(options, `?client=${client}&source=${source}&limit=${PAGE}${query}${cursor}`);
    options.signal.throwIfAborted();
    yield page.entries;
    if (page.cursor === null) return;
    cursor = `&cursor=${encodeURIComponent(page.cursor)}`;
  }
}

async function read({ receiver, term, signal }: HandoverOptions, query: string): Promise<EntryPage> {
  const { json } = await patiently(signal, () =>
    receiver.call({
      method: "GET",
      path: ROUTE.versions + query,
      headers: { [HEADER.lease]: String(term) },
      signal,
    }),
  );
  const page = entryPage.safeParse(json);
  if (page.success) return page.data;
  throw new ProblemError("receiver-unreachable", "the receiver's history cannot be read", {
    cause: page.error,
  });
}

async function patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (cause) {
      const again = cause instanceof ProblemError && cause.retry && cause.code !== "lease-lost";
      if (!again || tries === TRIES) throw cause;
      const forS = Math.min(cause.retryAfter ?? AGAIN_S, LONGEST_S);
      await sleep(forS * 1000, undefined, { ref: false, signal }).catch(() => undefined);
      signal.throwIfAborted();
    }
  }
}
