/** An FTP server as a `Remote`. Everything that needs the library hangs on this file, which is loaded when a source needs it. */

import type { FileState, Tells } from "../../source/state.ts";
import type { RemoteTools } from "../kind.ts";
import { type Remote, RemoteError, type RemoteFile } from "../remote.ts";
import { listing } from "./folders.ts";
import { FTPError } from "./library.ts";
import type { Patience } from "./patience.ts";
import { serverHands } from "./server-hands.ts";
import { below, newSession, whole } from "./session.ts";
import type { FtpSettings } from "./settings.ts";
import { type Seen, sightOf } from "./sight.ts";
import { folderOf, readable } from "./spelling.ts";

const PATIENCE: Patience = { connect: 20_000, silent: 60_000, idle: 60_000 };

/** MLSD tells seconds in UTC. */
const EXACT: Tells = { hostTimes: false, coarseMs: 2_000, staleMs: 0, contentIds: false };
/** LIST tells minutes of some zone, for half a year; MDTM, where it is, makes the id. */
const COARSE: Tells = { hostTimes: false, coarseMs: 61_000, staleMs: 0, contentIds: true };

export type FtpPlace = Pick<
  FtpSettings,
  "host" | "tls" | "user" | "password" | "path" | "ca" | "serverName" | "listTimeZone"
> & { readonly port: number };

export function ftpRemote(
  place: FtpPlace,
  { secrets, parallel }: Pick<RemoteTools, "secrets" | "parallel">,
  patience = PATIENCE,
  now: () => number = Date.now,
): Remote {
  const { password } = place;
  const target = {
    ...place,
    patience,
    password: async () =>
      password === undefined
        ? place.user === "anonymous"
          ? "anonymous@"
          : ""
        : await secrets.read(password),
  };
  const session = newSession(target, parallel + 1);
  const { server, where } = session;
  const folders = listing(session, now);
  const sight = sightOf(session, folders, place.listTimeZone, now);

  async function* bytes(path: Buffer, size: number, from: number): AsyncGenerator<Buffer> {
    if (from >= size) return;
    let given = from;
    try {
      for await (const piece of session.carry((line) => `RETR ${whole(line, below(path))}`, { from })) {
        given += piece.length;
        yield piece;
      }
    } catch (error) {
      throw await sight.explain(error, below(path), "give");
    }
    if (given < size)
      throw new RemoteError(
        "failed",
        `${where} says that ${path} has ${size} bytes, and sent ${given}: it is being changed, or the server does not tell the truth about its size`,
      );
  }

  function opened(path: Buffer, { entry, modifiedNs }: Seen, state: FileState): RemoteFile {
    if (entry.kind !== "file")
      throw new RemoteError(
        "changed",
        `${path} is ${entry.kind === "other" ? entry.what : `a ${entry.kind}`} now`,
      );
    return {
      state,
      ...(modifiedNs === undefined ? {} : { modifiedNs }),
      bytes: (from) => bytes(path, state.size, from),
      async again() {
        const seen = await sight.again(below(path), state);
        return seen?.entry.kind === "file" ? seen.entry.state : undefined;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  /** Cheap where the server says that it may be listed; else by beginning to. */
  async function listable(): Promise<void> {
    if (server.mlsd) {
      const { message } = await session.ask((line) => line.ask(`MLST ${line.root}`));
      if (/[;\s]perm=[a-z]*l[a-z]*;/i.test(message)) return;
    }
    for await (const _ of folders(below(Buffer.alloc(0)))) break;
  }

  return {
    get tells() {
      // Before the first login the careful one.
      return server.known && server.mlsd ? EXACT : COARSE;
    },
    ordered: false,
    async *list(folder, signal) {
      try {
        yield* folders(below(folder), signal);
      } catch (error) {
        signal.throwIfAborted();
        throw await sight.explain(error, below(folder), "list");
      }
    },
    async look(path) {
      return (await sight.look(below(path)))?.entry;
    },
    async open(path, state) {
      const seen = await sight.again(below(path), state);
      if (seen === undefined) throw new RemoteError("absent", `${path} is not there any more`);
      return opened(path, seen, seen.entry.kind === "file" ? seen.entry.state : state);
    },
    async identity() {
      try {
        const folder = await session.ask(async (line) => {
          await line.ask(`CWD ${line.root}`);
          return folderOf((await line.ask("PWD")).message) ?? line.root;
        });
        await listable();
        return `ftp://${where}${folder}`;
      } catch (error) {
        if (error instanceof FTPError && error.code !== 421)
          throw new RemoteError(
            "away",
            `${where} does not let this user list ${place.path ?? "the folder in which the login lands"}: "${readable(error.message)}". Check \`path\`, and the rights of ${place.user}`,
            { cause: error },
          );
        throw session.failure(error, below(Buffer.alloc(0)), "list");
      }
    },
    hands: serverHands(session, sight),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
