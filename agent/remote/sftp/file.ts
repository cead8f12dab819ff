/** A file of the server, open for reading. */
import { displayPath } from "@tributary/shared/path.ts";
import { OPEN } from "@tributary/shared/sftp/words.ts";
import { join, lastSegment, parent } from "../../source/bytes.ts";
import { sameState } from "../../source/same-state.ts";
import type { FileState } from "../../source/state.ts";
import { RemoteError, type RemoteFile } from "../remote.ts";
import { entryOf, stateOf } from "./entry.ts";
import type { Hold } from "./line.ts";
import { reading } from "./reading.ts";
import { doing } from "./refused.ts";
import { requireNoLinks } from "./way.ts";

/** `path`: below the root. Releases `hold` when it is closed, and when it cannot be opened. */
export async function openedFile(hold: Hold, path: Buffer): Promise<RemoteFile> {
  try {
    return await opened(hold, path);
  } catch (error) {
    hold.release();
    throw error;
  }
}

async function opened({ open, release }: Hold, path: Buffer): Promise<RemoteFile> {
  const { session, root } = open;
  const at = join(root, path);
  /** As its name says it. */
  const named = async (): Promise<FileState> => {
    const entry = entryOf(lastSegment(path), await doing("read", path, session.lstat(at)));
    if (entry.kind === "file") return entry.state;
    if (entry.kind === "refused")
      throw new RemoteError("failed", `cannot read ${displayPath(path)}: ${entry.reason}`);
    throw new RemoteError(
      "absent",
      `${displayPath(path)} is no file${entry.kind === "other" ? `, but ${entry.what}` : ""}`,
    );
  };
  // Before it is opened: to open a FIFO or a device already does something.
  await named();
  const handle = await doing("read", path, session.open(at, OPEN.read));
  const close = (): void =>
    void session
      .close(handle)
      .catch(() => undefined)
      .finally(release);
  /** As the open file says it, where it says it. */
  const held = async (): Promise<FileState | undefined> => {
    const state = stateOf(await doing("read", path, session.fstat(handle)));
    return typeof state === "string" ? undefined : state;
  };
  try {
    // What was opened is behind no link, neither before nor after.
    const [state] = await Promise.all([named(), held(), requireNoLinks(open, parent(path))]);
    return {
      state,
      async *bytes(from) {
        const pieces = reading(session, handle, from, state.size);
        try {
          for (;;) {
            const { done, value } = await doing("read", path, pieces.next());
            if (done === true) return;
            yield value;
          }
        } finally {
          await pieces.return(undefined);
        }
      },
      async again() {
        const [now, open] = await Promise.all([named().catch(absent), held()]);
        // It was given another name, and changed under it: then its own name tells nothing of what was read.
        return now !== undefined && sameState(now, state) && open !== undefined ? open : now;
      },
      async [Symbol.asyncDispose]() {
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

function absent(error: unknown): undefined {
  if (error instanceof RemoteError && error.failure === "absent") return undefined;
  throw error;
}
