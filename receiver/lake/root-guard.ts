/**
 * Whether a lake's root is still the folder that was opened. A disk that is unmounted leaves an empty folder at the
 * same path, into which everything could be written as before. Device and inode tell the two apart; when they
 * differ, the claim decides whether our lake was mounted again.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Disk, hasCode, lakeFault } from "./disk.ts";

export interface RootGuard {
  readonly root: string;
  /** Throws `lake-unavailable` when another folder, or none, is at the root now. */
  require(): Promise<void>;
  /** Another text after every change of what is mounted. */
  mounted(): string;
}

/** `isOurs` reads the claim. For the root as it is now, which was looked at already. */
export async function guardRoot(
  root: string,
  isOurs: () => Promise<boolean>,
  disk: Disk,
): Promise<RootGuard> {
  const look = lookAt(root, disk);
  return guard(root, isOurs, look, await look());
}

/** For a root of which nothing is known yet: the claim decides at the first `require`. */
export function guardUnseenRoot(root: string, isOurs: () => Promise<boolean>, disk: Disk): RootGuard {
  return guard(root, isOurs, lookAt(root, disk), "unseen");
}

function guard(
  root: string,
  isOurs: () => Promise<boolean>,
  look: () => Promise<string>,
  first: string,
): RootGuard {
  let opened = first;
  return {
    root,
    mounted: () => opened,
    async require() {
      const now = await look();
      if (now === opened) return;
      if (await isOurs()) {
        opened = now;
        return;
      }
      throw new ProblemError(
        "lake-unavailable",
        `${root} is not the folder any more that holds the lake: is its disk mounted? Nothing was stored`,
        { retryAfter: 5 },
      );
    },
  };
}

/** Device and inode of what is at the root now. */
function lookAt(root: string, disk: Disk): () => Promise<string> {
  return async () => {
    try {
      const { dev, ino } = await disk.stat(root, { bigint: true });
      return `${dev}:${ino}`;
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return "nothing";
      throw lakeFault(error, root);
    }
  };
}
