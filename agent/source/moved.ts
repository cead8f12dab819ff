/** Where `after: move` puts files, seen from the source that they come from: what lies there is none of its files any more. */
import { posix } from "node:path";
import { within } from "./bytes.ts";

/**
 * Below the root, when it lies there. `root` and `to` as a server has them: in a bucket, and where a login lands in the
 * root of its server, a slash in front makes no difference.
 */
export function movedBelow(root: string, to: string): Buffer[] {
  const [from, target] = [plain(root, root), plain(to, root)];
  if (!within(target, from) || target.equals(from)) return [];
  return [from.length === 0 ? target : target.subarray(from.length + 1)];
}

/** Files would be moved to where they are, and be new again. */
export function movesNowhere(root: string, to: string): boolean {
  return plain(root, root).equals(plain(to, root));
}

function plain(path: string, root: string): Buffer {
  const whole = posix.normalize(path).replace(/\/+$/, "");
  const text = root.startsWith("/") ? whole : whole.replace(/^\//, "");
  return Buffer.from(text === "." ? "" : text);
}
