/**
 * Whether a folder is where its path says. SFTP 3 cannot open without following links, so it is asked beside: OpenSSH's
 * real path of the folder must be the root's with the path; for servers whose real path is only a matter of text, each
 * step is looked at. All of it is asked at once. A link that is there for less than that is not seen: between the answer
 * and what is done next the server could be changed.
 */
import { displayPath } from "@tributary/shared/path.ts";
import { join, SLASH } from "../../source/bytes.ts";
import { RemoteError } from "../remote.ts";
import { kindOf } from "./entry.ts";
import { type Open, withoutEnd } from "./line.ts";
import { doing } from "./refused.ts";

/** Throws `absent` when a link is on the way, and when there is nothing. `folder`: below the root. */
export async function requireNoLinks({ session, root }: Open, folder: Buffer): Promise<void> {
  if (folder.length === 0) return;
  const [real, ...kinds] = await Promise.all([
    doing("find", folder, session.realPath(join(root, folder))),
    ...steps(folder).map(async (step) =>
      kindOf(await doing("look at", step, session.lstat(join(root, step)))),
    ),
  ]);
  if (!withoutEnd(real).equals(join(root, folder)) || kinds.includes("link")) throw linked(folder);
}

function linked(folder: Buffer): RemoteError {
  return new RemoteError(
    "absent",
    `${displayPath(folder)}: a link is on the way to it: links are not followed`,
  );
}

/** a, a/b, a/b/c */
function steps(path: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = path.indexOf(SLASH); at >= 0; at = path.indexOf(SLASH, at + 1))
    found.push(path.subarray(0, at));
  return [...found, path];
}
