/** One path: what the server says of it, by the best that it has. */

import { key, lastSegment, parent } from "../../source/bytes.ts";
import type { FileState } from "../../source/state.ts";
import { type Entry, RemoteError } from "../remote.ts";
import { entryOfFacts, type Facts, instant, readFacts, sizeOf } from "./facts.ts";
import { meaning, type Refusal } from "./failures.ts";
import type { Folders } from "./folders.ts";
import { FTPError } from "./library.ts";
import type { Line } from "./line.ts";
import { byListLine, readingBy } from "./listing.ts";
import { linesOf } from "./portions.ts";
import { type At, anywhere, type Session, whole } from "./session.ts";
import { sharedLooks } from "./shared-looks.ts";
import { answersFor } from "./spelling.ts";
import { instantIn } from "./zone.ts";

export interface Seen {
  readonly entry: Entry;
  /** Where the listing's time only stands for it. */
  readonly modifiedNs?: bigint;
}

export interface Sight {
  /** Undefined: it is not there. Throws `RemoteError`. */
  look(at: At): Promise<Seen | undefined>;
  /** As `look` would tell it of a file that was in this state; cheaper, where it still is. */
  again(at: At, state: FileState): Promise<Seen | undefined>;
  /** Why this failed, after asking whether the path is there at all where the server's words leave it open. */
  explain(error: unknown, at: At, what: string): Promise<RemoteError>;
}

export function sightOf(session: Session, folders: Folders, zone: string, now: () => number): Sight {
  const { server } = session;
  const inFolder = sharedLooks((folder) => folders(anywhere(folder)));

  /** By the listing of the folder that it is in. */
  async function listed(path: string): Promise<Entry | undefined> {
    const bytes = Buffer.from(path, "latin1");
    const folder = parent(bytes).length === 0 ? Buffer.from("/") : parent(bytes);
    try {
      return await inFolder(folder, lastSegment(bytes));
    } catch (error) {
      if (!(error instanceof FTPError)) throw error;
      const why = meaning(error as Refusal, key(folder));
      if (why === "absent") return undefined;
      if (why !== "unknown" || key(folder) === "/") throw error;
      // A folder that cannot be entered, for reasons untold: perhaps it is not there.
      if ((await listed(key(folder))) === undefined) return undefined;
      throw error;
    }
  }

  async function byFacts(at: At, path: string): Promise<Seen | undefined> {
    try {
      const { message } = await session.ask((line) => line.ask(`MLST ${path}`));
      return { entry: entryAt(at, factsIn(message, at, session.where)) };
    } catch (error) {
      if (!(error instanceof FTPError)) throw error;
      if (meaning(error as Refusal, path) === "absent") return undefined;
      if (meaning(error as Refusal, path) !== "unknown") throw error;
      // "550 cannot be listed", ProFTPD.
      const size = await session.ask((line) => sizeAt(line, path));
      if (size === "absent") return undefined;
      const entry = await listed(path);
      return entry === undefined ? undefined : { entry };
    }
  }

  async function sizeAt(line: Line, path: string): Promise<number | "absent" | undefined> {
    if (!server.size) return undefined;
    try {
      return sizeOf(/^213[ -](\d+)/.exec((await line.ask(`SIZE ${path}`)).message)?.[1]);
    } catch (error) {
      if (!(error instanceof FTPError) || error.code === 421) throw error;
      if (error.code === 500 || error.code === 502) server.size = false;
      return meaning(error as Refusal, path) === "absent" ? "absent" : undefined;
    }
  }

  async function modifiedAt(line: Line, path: string): Promise<bigint | undefined> {
    if (!server.mdtm) return undefined;
    try {
      return instant((await line.ask(`MDTM ${path}`)).message.slice(4));
    } catch (error) {
      if (!(error instanceof FTPError) || error.code === 421) throw error;
      if (error.code === 500 || error.code === 502) server.mdtm = false;
      return undefined;
    }
  }

  /** `LIST file` tells of one file without its folder, where no server can take its name for a pattern or an option. */
  async function lineOf(path: string, size: number): Promise<Entry | undefined> {
    if (!/^[\w./\x80-\xfe-]+$/.test(path)) return undefined;
    const found: Entry[] = [];
    try {
      const reading = readingBy(byListLine(now()));
      // Some answer with the path that they were given.
      for await (const lines of linesOf(session.carry(() => `LIST ${path}`)))
        found.push(
          ...reading.take(
            lines.map((line) =>
              line.endsWith(` ${path}`) ? line.slice(0, -path.length) + nameIn(path) : line,
            ),
          ),
        );
      found.push(...reading.end());
      if (found.length !== 1 || reading.strange() !== undefined) return undefined;
    } catch (error) {
      if (!(error instanceof FTPError)) throw error;
      return undefined;
    }
    const [entry] = found;
    // A folder would be answered by what is in it, which may be called the same.
    return entry?.kind === "file" && key(entry.name) === nameIn(path) && entry.state.size === size
      ? entry
      : undefined;
  }

  async function byList(path: string): Promise<Seen | undefined> {
    const size = await session.ask((line) => sizeAt(line, path));
    if (size === "absent") return undefined;
    const modifiedNs = size === undefined ? undefined : await session.ask((line) => modifiedAt(line, path));
    const entry = (size === undefined ? undefined : await lineOf(path, size)) ?? (await listed(path));
    if (entry?.kind !== "file") return entry === undefined ? undefined : { entry };
    const state = { ...entry.state, size: size ?? entry.state.size, fileId: idOf(modifiedNs, size) };
    return {
      entry: { ...entry, state },
      modifiedNs: modifiedNs ?? BigInt(instantIn(zone, Number(state.mtimeNs / 1_000_000n))) * 1_000_000n,
    };
  }

  async function look(at: At): Promise<Seen | undefined> {
    try {
      const path = await session.ask((line) => Promise.resolve(whole(line, at)));
      if (at.path.length === 0) {
        await session.ask((line) => line.ask(`CWD ${path}`));
        return { entry: { kind: "folder", name: at.path } };
      }
      return server.mlsd ? await byFacts(at, path) : await byList(path);
    } catch (error) {
      throw session.failure(error, at, "show");
    }
  }

  return {
    look,
    async again(at, state) {
      if (server.mlsd || state.fileId === undefined) return await look(at);
      try {
        const path = await session.ask((line) => Promise.resolve(whole(line, at)));
        const size = await session.ask((line) => sizeAt(line, path));
        if (size === "absent") return undefined;
        const modifiedNs = await session.ask((line) => modifiedAt(line, path));
        if (modifiedNs === undefined || size !== state.size || idOf(modifiedNs, size) !== state.fileId)
          return await look(at);
        return { entry: { kind: "file", name: lastSegment(at.path), state }, modifiedNs };
      } catch (error) {
        throw session.failure(error, at, "show");
      }
    },
    async explain(error, at, what) {
      const failure = session.failure(error, at, what);
      if (!(error instanceof FTPError) || failure.failure !== "failed") return failure;
      if (meaning(error as Refusal, key(at.path)) !== "unknown") return failure;
      const seen = await look(at);
      const there = seen !== undefined && (seen.entry.kind === "folder") === (what === "list");
      return new RemoteError(there ? "denied" : "absent", failure.message, { cause: error });
    },
  };
}

const nameIn = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The second in which it was last changed, in UTC, and its size: it tells the same whatever the listing's zone and form are. */
function idOf(modifiedNs: bigint | undefined, size: number | undefined): bigint | undefined {
  if (modifiedNs === undefined || size === undefined) return undefined;
  return BigInt.asUintN(64, (modifiedNs / 1_000_000n) * 2n ** 22n + BigInt(size % 2 ** 22));
}

function factsIn(reply: string, at: At, where: string): Facts {
  const line = reply.split("\n").slice(1, -1)[0] ?? "";
  const facts = readFacts(line.startsWith(" ") ? line.slice(1) : line);
  if (facts === undefined)
    throw new RemoteError("failed", `${where} does not tell what ${at.path} is in a form that is understood`);
  if (!answersFor(at.path, facts.name))
    throw new RemoteError(
      "failed",
      `${where} was asked for ${at.path}, and answers for a file of another name`,
    );
  return facts;
}

function entryAt(at: At, { facts }: Facts): Entry {
  const type = facts.get("type")?.toLowerCase();
  const name = lastSegment(at.path);
  if (type === "cdir" || type === "pdir") return { kind: "folder", name };
  const entry = entryOfFacts({ facts, name: key(name) });
  return typeof entry === "object" ? entry : { kind: "other", name, what: "something without a type" };
}
