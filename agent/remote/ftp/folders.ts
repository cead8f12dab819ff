/** Folders as the server lists them: MLSD where it has that, else LIST. */

import { type Entry, RemoteError } from "../remote.ts";
import { FTPError } from "./library.ts";
import { byFacts, byListLine, type Read, readingBy } from "./listing.ts";
import { linesOf } from "./portions.ts";
import { type At, type Session, whole } from "./session.ts";
import { readable } from "./spelling.ts";

export type Folders = (at: At, signal?: AbortSignal) => AsyncGenerator<readonly Entry[], void, undefined>;

/** Throws what the server said (`FTPError`) or what happened to the connection. Never gives up half of a folder as the whole. */
export function listing(session: Session, now: () => number): Folders {
  return async function* (at, signal) {
    // Who has never logged in does not know yet which kind it will be.
    if (!session.server.known) await session.ask(() => Promise.resolve());
    if (session.server.mlsd) {
      yield* listed(session, "MLSD", at, byFacts, signal);
      return;
    }
    const read = byListLine(now());
    let any = false;
    try {
      for await (const entries of listed(session, "LIST -a", at, read, signal)) {
        any = true;
        yield entries;
      }
    } catch (error) {
      if (any || session.server.all || !(error instanceof FTPError) || error.code < 500) throw error;
    }
    // Where "-a" is taken for a name, it shows an empty folder. Once it has shown anything it is known to be understood.
    session.server.all ||= any;
    if (!session.server.all) yield* listed(session, "LIST", at, read, signal);
  };
}

async function* listed(
  session: Session,
  command: string,
  at: At,
  read: Read,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Entry[], void, undefined> {
  const options = { enter: (line: Parameters<typeof whole>[0]) => whole(line, at) };
  const pieces = session.carry(() => command, signal === undefined ? options : { ...options, signal });
  const reading = readingBy(read);
  try {
    for await (const lines of linesOf(pieces)) yield reading.take(lines);
    const last = reading.end();
    if (last.length > 0) yield last;
  } catch (error) {
    // Of a folder that could be entered: some servers call an empty one so.
    if (error instanceof FTPError && /no files? (were )?(found|match)/i.test(error.message)) return;
    throw error;
  }
  const strange = reading.strange();
  if (strange !== undefined)
    throw new RemoteError(
      "failed",
      `${session.where} lists ${at.path.length === 0 ? "the folder of the source" : at.path} with a line that is not understood: "${readable(strange)}". Nothing of that folder counts as removed. Its form of listing is not supported: let the server offer MLSD, or list in English`,
    );
}
