/** `after:` on the server, one step each. FTP overwrites without asking: so whoever renames looks first. */
import { createHash } from "node:crypto";
import type { Hands } from "../../source/after.ts";
import { parent } from "../../source/bytes.ts";
import { RemoteError } from "../remote.ts";
import { FTPError } from "./library.ts";
import { anywhere, type Session, whole } from "./session.ts";
import type { Sight } from "./sight.ts";

export function serverHands(session: Session, sight: Sight): Hands {
  const there = async (path: Buffer): Promise<boolean> => (await sight.look(anywhere(path))) !== undefined;

  async function rename(from: Buffer, to: Buffer): Promise<void> {
    try {
      await session.ask(async (line) => {
        const [before, after] = [whole(line, anywhere(from)), whole(line, anywhere(to))];
        await line.ask(`RNFR ${before}`);
        await line.ask(`RNTO ${after}`);
      }, false);
    } catch (error) {
      throw await sight.explain(error, anywhere(from), "rename");
    }
  }

  async function makeFolders(folder: Buffer): Promise<void> {
    if (folder.length <= 1 || (await there(folder))) return;
    await makeFolders(parent(folder));
    try {
      await session.ask((line) => line.ask(`MKD ${whole(line, anywhere(folder))}`), false);
    } catch (error) {
      // Another one may have made it meanwhile.
      if (!(error instanceof FTPError) || !(await there(folder)))
        throw session.failure(error, anywhere(folder), "make the folder");
    }
  }

  return {
    async look(path) {
      const seen = await sight.look(anywhere(path));
      if (seen === undefined) throw new RemoteError("absent", `${path} is not there`);
      return seen.entry.kind === "file" ? seen.entry.state : undefined;
    },
    rename,
    async place(from, to) {
      if (await there(to)) return false;
      await rename(from, to);
      return true;
    },
    async remove(path) {
      try {
        await session.ask((line) => line.ask(`DELE ${whole(line, anywhere(path))}`), false);
      } catch (error) {
        throw await sight.explain(error, anywhere(path), "remove");
      }
    },
    // How open they are is the server's to say: FTP has no word for it.
    makeFolders,
    async sha256(path) {
      const hash = createHash("sha256");
      try {
        for await (const piece of session.carry((line) => `RETR ${whole(line, anywhere(path))}`))
          hash.update(piece);
      } catch (error) {
        throw await sight.explain(error, anywhere(path), "give");
      }
      return hash.digest("hex");
    },
    isGone: (error) => error instanceof RemoteError && error.failure === "absent",
    inWords: (error) => (error instanceof Error ? error.message : String(error)),
  };
}
