/**
 * A `Source` of a remote: its rules, its order, its failures in the words that the rooms behind it know. What the place
 * says of its files is taken as it is; whether the bytes are those that it promised is found out by reading them.
 */
import { pathFault } from "@tributary/shared/path.ts";
import { type After, afterByHands } from "../source/after.ts";
import { join, within } from "../source/bytes.ts";
import { isOwnName } from "../source/own-name.ts";
import { rulesOf } from "../source/rules.ts";
import type { Found, Listing, Look, Opened, RootHealth, Source, Unseen } from "../source/source.ts";
import { type FileState, factsOf } from "../source/state.ts";
import { afterExactly } from "./exactly.ts";
import { Patience } from "./patience.ts";
import { type Entry, type Remote, RemoteError } from "./remote.ts";
import { openRemoteFile } from "./remote-file.ts";
import { sorted } from "./sorted.ts";

export interface RemoteSourceOptions {
  readonly name: string;
  readonly remote: Remote;
  /** The place's own path of the source, which `after:` acts below. */
  readonly root: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Paths below the root that are none of the client's files: where `after: move` puts them. */
  readonly ignored: readonly Buffer[];
  /** Where a listing that is too large for memory is sorted. */
  readonly folder: string;
  /** ms of a clock that never jumps. */
  readonly now?: () => number;
}

/** What is asked for without a state: the file as it is. */
const ANY: FileState = { size: 0, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined };

export function remoteSource(options: RemoteSourceOptions): Source {
  const { name, remote } = options;
  const rules = rulesOf(options.include, options.exclude);
  const patience = new Patience(options.now ?? (() => performance.now()));
  const ending = new AbortController();
  const acting: After =
    remote.hands !== undefined
      ? afterByHands(Buffer.from(options.root), remote.hands, () => remote.tells.contentIds, isAway)
      : remote.exactly !== undefined
        ? afterExactly(remote.exactly)
        : READ_ONLY;
  const after: After = {
    ...acting,
    act: async (...asked) => (patience.isAway() ? { kind: "away" } : await acting.act(...asked)),
  };

  function leftOut(path: Buffer, folder: boolean): Unseen | undefined {
    const fault = pathFault(path);
    if (fault !== undefined) {
      const reason = `${folder ? "the folder and all in it are" : "it is"} refused: ${fault}`;
      return { path, reason, code: "path-invalid" };
    }
    if (options.ignored.some((prefix) => within(path, prefix)))
      return { path, reason: "where after: moves files to", code: undefined };
    const reason = folder ? rules.leavesOutFolder(path) : rules.leavesOut(path);
    return reason === undefined ? undefined : { path, reason, code: undefined };
  }

  function unseenEntry(path: Buffer, entry: Entry): Unseen | undefined {
    switch (entry.kind) {
      case "other":
        return { path, reason: entry.what, code: undefined, absent: true };
      case "refused":
        return leftOut(path, false) ?? { path, reason: entry.reason, code: "file-unreadable" };
      case "file":
      case "folder":
        return leftOut(path, entry.kind === "folder");
    }
  }

  async function* portions(folder: Buffer): AsyncGenerator<readonly Entry[]> {
    patience.check();
    const entries = remote.list(folder, ending.signal);
    yield* remote.ordered ? entries : sorted(entries, options.folder);
    patience.worked();
  }

  async function list(
    folder: Buffer,
    take: (found: readonly Found[]) => Promise<void> | void,
  ): Promise<Listing> {
    const folders: Buffer[] = [];
    const own: Buffer[] = [];
    let taking = false;
    let before: Entry | undefined;
    try {
      for await (const entries of portions(folder)) {
        const found: Found[] = [];
        for (const entry of entries) {
          if (before !== undefined && !follows(before, entry))
            throw new RemoteError("failed", "its entries did not come in the order that was promised");
          before = entry;
          const path = join(folder, entry.name);
          if (isOwnName(entry.name)) {
            own.push(path);
            continue;
          }
          const unseen = unseenEntry(path, entry);
          if (unseen !== undefined) found.push(unseen);
          else if (entry.kind === "folder") folders.push(path);
          else if (entry.kind === "file") found.push({ path, ...factsOf(entry) });
        }
        taking = true;
        await take(found);
        taking = false;
      }
      return { folder, folders, complete: true, ...(own.length > 0 ? { own } : {}) };
    } catch (error) {
      if (taking) throw error;
      return unlisted(folder, patience.failed(error), ending.signal.aborted);
    }
  }

  return {
    name,
    get tells() {
      return remote.tells;
    },
    list,
    takes: (path) => leftOut(path, false) === undefined,
    async look(path): Promise<Look> {
      try {
        const entry = await patience.ask(() => remote.look(path));
        if (entry === undefined) return { kind: "gone" };
        const unseen = path.length === 0 ? undefined : unseenEntry(path, entry);
        if (unseen !== undefined) return { kind: "unseen", unseen };
        if (entry.kind !== "file") return { kind: "folder" };
        return { kind: "file", ...factsOf(entry) };
      } catch (error) {
        return failedLook(path, error);
      }
    },
    async open(path, state = ANY): Promise<Opened> {
      const unseen = leftOut(path, false);
      if (unseen !== undefined) return { kind: "unseen", unseen };
      try {
        const file = await patience.ask(() => remote.open(path, state));
        return { kind: "open", file: openRemoteFile(file, patience) };
      } catch (error) {
        return failedLook(path, error);
      }
    },
    async health(): Promise<RootHealth> {
      try {
        return { healthy: true, rootId: await patience.ask(() => remote.identity()) };
      } catch (error) {
        return { healthy: false, code: "source-unreachable", reason: wordsOf(error) };
      }
    },
    watch: async () => async () => undefined,
    after,
    async close() {
      ending.abort(new Error("the source is closed"));
      await remote[Symbol.asyncDispose]();
    },
  };
}

/** Where folders are only parts of names, a file and a folder may have the same one: then the file comes first. */
function follows(before: Entry, entry: Entry): boolean {
  const order = Buffer.compare(before.name, entry.name);
  return order < 0 || (order === 0 && before.kind !== "folder" && entry.kind === "folder");
}

function isAway(error: unknown): boolean {
  return error instanceof RemoteError && error.failure === "away";
}

const READ_ONLY: After = {
  act: () => Promise.resolve({ kind: "failed", reason: "this kind of source can only be read" }),
  recover: () => Promise.resolve({ kind: "unknown" }),
};

function failedLook(
  path: Buffer,
  error: unknown,
):
  | { readonly kind: "gone" }
  | { readonly kind: "away"; readonly reason: string }
  | { readonly kind: "unseen"; readonly unseen: Unseen } {
  if (error instanceof RemoteError && error.failure === "absent") return { kind: "gone" };
  if (error instanceof RemoteError && error.failure === "away")
    return { kind: "away", reason: error.message };
  const reason = `it cannot be read: ${wordsOf(error)}`;
  return { kind: "unseen", unseen: { path, reason, code: "file-unreadable" } };
}

function unlisted(folder: Buffer, error: unknown, ended: boolean): Listing {
  const nothing = { folder, folders: [], complete: false };
  // That the place is away is told once, of the source; a folder that was there in its parent's listing may have gone since.
  if (ended || (error instanceof RemoteError && error.failure === "away")) return nothing;
  if (error instanceof RemoteError && error.failure === "absent")
    return {
      ...nothing,
      vanished: true,
      unlisted: { path: folder, reason: wordsOf(error), code: undefined },
    };
  const reason = `it cannot be listed: ${wordsOf(error)}`;
  return { ...nothing, unlisted: { path: folder, reason, code: "folder-unreadable" } };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
