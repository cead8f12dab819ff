/**
 * `after:` at the server. Version 3 has a rename that never takes the place of anything where OpenSSH is concerned; other
 * servers are asked first whether something is there.
 */
import { createHash } from "node:crypto";
import { displayPath } from "@tributary/shared/path.ts";
import { OPEN } from "@tributary/shared/sftp/words.ts";
import type { Hands } from "../../source/after.ts";
import { lastSegment, parent } from "../../source/bytes.ts";
import { RemoteError } from "../remote.ts";
import { entryOf, kindOf } from "./entry.ts";
import type { Line } from "./line.ts";
import { reading } from "./reading.ts";
import { doing } from "./refused.ts";
import type { Session } from "./session.ts";

export function sftpHands(line: Line): Hands {
  return {
    look: (path) =>
      line.use(async ({ session }) => {
        const entry = entryOf(lastSegment(path), await doing("look at", path, session.lstat(path)));
        return entry.kind === "file" ? entry.state : undefined;
      }),
    rename: (from, to) =>
      line.use(({ session }) => doing("take away (by renaming it first)", from, session.rename(from, to))),
    place: (from, to) => line.use(({ session }) => placed(session, from, to)),
    remove: (path) => line.use(({ session }) => doing("remove", path, session.remove(path))),
    makeFolders: (folder, like) =>
      line.use(async ({ session }) => {
        const { permissions = 0o755 } = await doing("look at", like, session.lstat(like));
        await makeFolders(session, folder, permissions & 0o777);
      }),
    sha256: (path) =>
      line.use(async ({ session }) => {
        const handle = await doing("read", path, session.open(path, OPEN.read));
        try {
          const hash = createHash("sha256");
          const { size = 0 } = await doing("read", path, session.fstat(handle));
          const pieces = reading(session, handle, 0, size);
          for (;;) {
            const { done, value } = await doing("read", path, pieces.next());
            if (done === true) return hash.digest("hex");
            hash.update(value);
          }
        } finally {
          session.close(handle).catch(() => undefined);
        }
      }),
    isGone: (error) => error instanceof RemoteError && error.failure === "absent",
    inWords: (error) => (error as Error).message,
  };
}

async function placed(session: Session, from: Buffer, to: Buffer): Promise<boolean> {
  if (await isThere(session, to)) return false;
  try {
    await doing(`move to ${displayPath(to)}`, from, session.rename(from, to));
    return true;
  } catch (error) {
    // It came in between, which is all that "failure" may mean.
    if (await isThere(session, to)) return false;
    throw error;
  }
}

async function isThere(session: Session, path: Buffer): Promise<boolean> {
  try {
    await doing("look at", path, session.lstat(path));
    return true;
  } catch (error) {
    if (error instanceof RemoteError && error.failure === "absent") return false;
    throw error;
  }
}

async function makeFolders(session: Session, folder: Buffer, permissions: number): Promise<void> {
  if (folder.length === 0) return;
  try {
    await doing("make the folder", folder, session.makeFolder(folder, permissions));
  } catch (error) {
    if (!(error instanceof RemoteError) || error.failure === "away") throw error;
    if (error.failure !== "absent") return await requireFolder(session, folder, error);
    if (parent(folder).length === 0) throw error;
    await makeFolders(session, parent(folder), permissions);
    return await makeFolders(session, folder, permissions);
  }
  // The server's umask is not the client's; where it lets nobody choose, it has chosen.
  await session.setPermissions(folder, permissions).catch(() => undefined);
}

/** It was there already; servers say so in words alone. */
async function requireFolder(session: Session, folder: Buffer, refusal: RemoteError): Promise<void> {
  const attributes = await session.stat(folder).catch(() => undefined);
  if (attributes === undefined || kindOf(attributes) !== "folder") throw refusal;
}
