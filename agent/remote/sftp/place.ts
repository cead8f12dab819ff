/** Files on an SFTP server. */
import { encodePath } from "@tributary/shared/path.ts";
import { join, lastSegment, parent } from "../../source/bytes.ts";
import { COARSE_MS } from "../../source/state.ts";
import { type Entry, type Remote, RemoteError } from "../remote.ts";
import { connector, type Server } from "./connection.ts";
import { entryOf } from "./entry.ts";
import { openedFile } from "./file.ts";
import { sftpHands } from "./hands.ts";
import type { Ssh2 } from "./library.ts";
import { Line, rootAway, rootOf } from "./line.ts";
import { listing } from "./listing.ts";
import type { ReadSecret } from "./login.ts";
import { doing } from "./refused.ts";
import { WAITS, type Waits } from "./waits.ts";
import { requireNoLinks } from "./way.ts";
import { addressOf } from "./words.ts";

export interface SftpPlace extends Server {
  /** Absolute, or from where the login lands. */
  readonly path: string;
}

export function sftpRemote(place: SftpPlace, read: ReadSecret, ssh2: Ssh2, waits: Waits = WAITS): Remote {
  const path = Buffer.from(place.path);
  const at = addressOf(place);
  const line = new Line({ at, path, waits, connect: connector(place, read, ssh2, waits) });

  return {
    tells: { hostTimes: false, coarseMs: COARSE_MS, staleMs: 0, contentIds: false },
    ordered: false,
    hands: sftpHands(line),

    async *list(folder, signal) {
      const { open, release } = await line.hold();
      try {
        yield* listing(open, folder, signal);
      } finally {
        release();
      }
    },

    look: (one) =>
      line.use(async (open): Promise<Entry | undefined> => {
        if (one.length === 0) {
          const root = await doing("look at", one, open.session.stat(open.root)).catch((error: unknown) => {
            throw rootAway(error);
          });
          return entryOf(one, root);
        }
        try {
          const [attributes] = await Promise.all([
            doing("look at", one, open.session.lstat(join(open.root, one))),
            requireNoLinks(open, parent(one)),
          ]);
          return entryOf(lastSegment(one), attributes);
        } catch (error) {
          if (error instanceof RemoteError && error.failure === "absent") return undefined;
          throw error;
        }
      }),

    open: async (one) => await openedFile(await line.hold(), one),

    /** Not the host key: a server that renews it is the same place. */
    identity: () =>
      line.use(async (open) => {
        open.root = await rootOf(open.session, path);
        const handle = await doing("list", path, open.session.openFolder(open.root)).catch(
          (error: unknown) => {
            throw rootAway(error);
          },
        );
        await open.session.close(handle).catch(() => undefined);
        return `sftp://${encodeURIComponent(place.user)}@${at}${encodePath(open.root)}`;
      }),

    async [Symbol.asyncDispose]() {
      line.close();
    },
  };
}
