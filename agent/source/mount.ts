/**
 * Which share stands at a place, and which of its folders. A share's device number is given anew at every mount, the
 * kind of file system is the same for all of them, and their roots often have the same inode: only the mount's source
 * (`server:/export`) tells one share from another. One folder of it from another: its inode where the server numbers
 * them, else its path.
 */
import { promises } from "node:fs";

/** Differs between two folders of shares, and is the same whenever one share is mounted again. */
export async function shareOf(path: Buffer): Promise<string> {
  const kind = (await promises.statfs(path)).type.toString(16);
  const { dev, ino } = await promises.stat(path, { bigint: true });
  // Windows: the serial number of the share's volume. Elsewhere a device number belongs to one mount.
  if (process.platform === "win32") return `${kind} ${dev}:${ino}`;
  if (process.platform !== "linux") return `${kind}:${ino}`;
  // The handle knows its mount, whatever else is mounted over or under it.
  await using folder = await promises.open(path, "r");
  const handle = await promises.readFile(`/proc/self/fdinfo/${folder.fd}`, "latin1");
  const at = await promises.readlink(`/proc/self/fd/${folder.fd}`, "latin1");
  const mount = mountOf(await promises.readFile("/proc/self/mountinfo", "latin1"), mountId(handle));
  if (mount === undefined) return `${kind}:${ino}`;
  return `${kind} ${readable(mount.source)}:${mount.numbered ? ino : readable(folderIn(mount, at))}`;
}

function mountId(fdinfo: string): string | undefined {
  return /^mnt_id:\s*(\d+)$/m.exec(fdinfo)?.[1];
}

/** All of it as latin1: names are bytes. */
export interface Mount {
  readonly source: string;
  /** The folder of the file system that is shown: "/", or another one with a bind mount. */
  readonly root: string;
  /** Where it is mounted. */
  readonly at: string;
  /** Its inodes are the server's: the same after every mount. */
  readonly numbered: boolean;
}

/** A mount out of /proc/self/mountinfo (as latin1), see proc_pid_mountinfo(5). A bind mount has the source of the file system that it shows. */
export function mountOf(mountinfo: string, id: string | undefined): Mount | undefined {
  const line = mountinfo.split("\n").find((text) => id !== undefined && text.startsWith(`${id} `));
  // The optional fields before the hyphen vary in number.
  const [before, after] = line?.split(" - ") ?? [];
  const [, , , root, at] = before?.split(" ") ?? [];
  const [type, source, options] = after?.split(" ") ?? [];
  if (type === undefined || source === undefined || root === undefined || at === undefined) return undefined;
  const numbered = !type.startsWith("fuse") && !options?.split(",").includes("noserverino");
  return { source: unescaped(source), root: unescaped(root), at: unescaped(at), numbered };
}

/** The path of a folder inside the file system that a mount shows. */
export function folderIn(mount: Mount, path: string): string {
  const below = path === mount.at ? "" : path.slice(mount.at === "/" ? 0 : mount.at.length);
  const from = mount.root === "/" ? "" : mount.root;
  return from + below || "/";
}

function readable(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString();
}

/** Space, tab, newline, backslash and, with some kernels, more are three octal digits. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
