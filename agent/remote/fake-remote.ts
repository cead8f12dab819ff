/** A remote in memory, for tests: does what the suite of all remotes asks, and whatever else a test has it do. */
import { createHash } from "node:crypto";
import type { Hands } from "../source/after.ts";
import { fromKey, key, lastSegment, within } from "../source/bytes.ts";
import { sameState } from "../source/same-state.ts";
import { type FileState, factsOf, type Past, type Tells } from "../source/state.ts";
import { type Entry, type Exactly, type Remote, RemoteError } from "./remote.ts";

export interface FakeFile {
  readonly bytes: Buffer;
  readonly state: FileState;
  /** Each with its own bytes. */
  readonly past?: readonly (Past[number] & { readonly bytes: Buffer })[];
  /** Why its bytes cannot be had. */
  readonly held?: string;
}

export interface FakePlace {
  readonly files: Map<string, FakeFile>;
  tells: Tells;
  /** Why nothing can be had of it. */
  away: string | undefined;
  identity: string;
  /** Called before each piece of a reading: may throw. */
  onPiece: (path: Buffer, position: number) => void | Promise<void>;
  /** Bytes that were given. */
  given: number;
  /** Of which path the folder cannot be listed, or the file not be read. */
  denied: string | undefined;
  /** What is taken away goes on to be listed: objects, with their versions. */
  keeps: boolean;
  /** Something can be taken away. */
  hands: boolean;
  /** Called before each listing: may throw. */
  onList: (folder: Buffer) => void;
  /** Listings that were asked for. */
  listed: number;
  /** Paths that were asked for. */
  looked: number;
  put(path: string | Buffer, text: string | Buffer, more?: Partial<FileState>): void;
}

let clock = BigInt(Date.now()) * 1_000_000n;

export function fakePlace(tells: Partial<Tells> = {}): FakePlace {
  const files = new Map<string, FakeFile>();
  return {
    files,
    tells: { hostTimes: false, coarseMs: 0, staleMs: 0, contentIds: false, ...tells },
    away: undefined,
    identity: "fake://place",
    onPiece: () => undefined,
    given: 0,
    denied: undefined,
    keeps: false,
    hands: true,
    onList: () => undefined,
    listed: 0,
    looked: 0,
    put(path, text, more = {}) {
      const bytes = Buffer.from(text);
      clock += 1_000_000_000n;
      const state = { size: bytes.length, mtimeNs: clock, ctimeNs: 0n, fileId: undefined, ...more };
      files.set(key(Buffer.from(path as string)), { bytes, state });
    },
  };
}

export function fakeRemote(place: FakePlace, piece = 100_000): Remote {
  const check = (path?: Buffer): void => {
    if (place.away !== undefined) throw new RemoteError("away", place.away);
    if (path !== undefined && place.denied === key(path))
      throw new RemoteError("denied", "permission denied");
  };
  const fileAt = (path: Buffer): FakeFile => {
    check();
    const file = place.files.get(key(path));
    if (file === undefined) throw new RemoteError("absent", "no such file");
    return file;
  };
  const isFolder = (path: Buffer): boolean =>
    path.length === 0 || [...place.files.keys()].some((name) => within(fromKey(name), path));
  const hands: Hands = {
    look: async (path) => fileAt(path).state,
    rename: async (from, to) => move(from, to),
    async place(from, to) {
      if (place.files.has(key(to))) return false;
      move(from, to);
      return true;
    },
    async remove(path) {
      fileAt(path);
      place.files.delete(key(path));
    },
    makeFolders: async () => undefined,
    sha256: async (path) => createHash("sha256").update(fileAt(path).bytes).digest("hex"),
    isGone: (error) => error instanceof RemoteError && error.failure === "absent",
    inWords: (error) => (error as Error).message,
  };
  function move(from: Buffer, to: Buffer): void {
    const file = fileAt(from);
    place.files.delete(key(from));
    place.files.set(key(to), file);
  }
  return {
    get tells() {
      return place.tells;
    },
    ordered: false,
    async *list(folder, signal) {
      place.listed += 1;
      place.onList(folder);
      check(folder);
      if (!isFolder(folder)) throw new RemoteError("absent", "no such folder");
      const entries = new Map<string, Entry>();
      for (const [name, file] of place.files) {
        const path = fromKey(name);
        if (!within(path, folder) || path.length <= folder.length) continue;
        const rest = folder.length === 0 ? path : path.subarray(folder.length + 1);
        const slash = rest.indexOf(0x2f);
        const first = slash === -1 ? rest : rest.subarray(0, slash);
        entries.set(
          key(first),
          slash === -1 ? { kind: "file", name: first, ...factsOf(file) } : { kind: "folder", name: first },
        );
      }
      const all = [...entries.values()].reverse();
      for (let i = 0; i < all.length; i += 100) {
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        check();
        yield all.slice(i, i + 100);
      }
    },
    async look(path) {
      place.looked += 1;
      check(path);
      const file = place.files.get(key(path));
      if (file !== undefined) return { kind: "file", name: lastSegment(path), ...factsOf(file) };
      return isFolder(path) ? { kind: "folder", name: lastSegment(path) } : undefined;
    },
    async open(path, state) {
      check(path);
      const now = fileAt(path);
      const old = now.past?.find((one) => sameState(one.state, state));
      const file = old ?? now;
      if (file.held !== undefined) throw new RemoteError("failed", file.held);
      return {
        state: file.state,
        async *bytes(from) {
          for (let at = from; at < file.bytes.length; at += piece) {
            await place.onPiece(path, at);
            check();
            const bytes = file.bytes.subarray(at, at + piece);
            place.given += bytes.length;
            yield bytes;
          }
        },
        async again() {
          check();
          return old?.state ?? place.files.get(key(path))?.state;
        },
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    async identity() {
      check();
      return place.identity;
    },
    ...(place.keeps ? { exactly: keeping(place) } : place.hands ? { hands } : {}),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Takes away by adding an end. */
function keeping(place: FakePlace): Exactly {
  const remove = async (path: Buffer, state: FileState): Promise<boolean> => {
    const file = place.files.get(key(path));
    const last = file?.past?.at(-1);
    if (file?.past === undefined || last?.deleted === true) throw new RemoteError("absent", "no such object");
    if (!sameState(file.state, state)) return false;
    clock += 1_000_000_000n;
    const ended = { size: 0, mtimeNs: clock, ctimeNs: 0n, fileId: clock };
    const end = { state: ended, deleted: true, bytes: Buffer.alloc(0) };
    place.files.set(key(path), { bytes: Buffer.alloc(0), state: ended, past: [...file.past, end] });
    return true;
  };
  return { keeps: async () => true, remove, move: (path, state) => remove(path, state) };
}
