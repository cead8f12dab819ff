/** Root acts as the account that the data folder belongs to: what it would write itself, the service could not open. */
import { statSync } from "node:fs";

/**
 * Gives root's rights away for good when this process is root and the folder is another account's. So the commands read
 * the folders, and load the library that lies in the data folder, with no more rights than the service has.
 */
export function actAsOwnerOf(folder: string): void {
  if (process.geteuid?.() !== 0) return;
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined || found.uid === 0) return;
  try {
    // The groups that the account is in, by which shares are often given. The types do not know it.
    const { initgroups } = process as { initgroups?: (user: number, group: number) => void };
    initgroups?.(found.uid, found.gid);
  } catch {
    process.setgroups?.([found.gid]);
  }
  process.setgid?.(found.gid);
  process.setuid?.(found.uid);
}
