/**
 * Which share stands at a place, and which of its folders. A share's device number is given anew at every mount, its
 * inodes may be, the kind of file system is the same for all of them: only the mount's source (`server:/export`) tells
 * one share from another, and only the path in it one folder from another.
 */
import { promises } from "node:fs";

/** Differs between two folders of shares, and is the same whenever one share is mounted again. */
export async function shareOf(path: Buffer): Promise<string> {
  const kind = (await promises.statfs(path)).type.toString(16);
  if (process.platform !== "linux") {
    const { dev, ino } = await promises.stat(path, { bigint: true });
    // Windows: the serial number of the share's volume. Elsewhere a device number belongs to one mount.
    return process.platform === "win32" ? `${kind} ${dev}:${ino}` : `${kind}:${ino}`;
  }
  // The handle knows its mount, whatever else is mounted over or under it.
  await using folder = await promises.open(path, "r");
  const handle = await promises.readFile(`/proc/self/fdinfo/${folder.fd}`, "latin1");
  const at = await promises.readlink(`/proc/self/fd/${folder.fd}`, "latin1");
  const mount = mountOf(await promises.readFile("/proc/self/mountinfo", "latin1"), mountId(handle));
  return mount === undefined ? kind : `${kind} ${readable(mount.source)} ${readable(folderIn(mount, at))}`;
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
}

/** A mount out of /proc/self/mountinfo (as latin1), see proc_pid_mountinfo(5). A bind mount has the source of the file system that it shows. */
export function mountOf(mountinfo: string, id: string | undefined): Mount | undefined {
  const line = mountinfo.split("\n").find((text) => id !== undefined && text.startsWith(`${id} `));
  // The optional fields before the hyphen vary in number.
  const [before, after] = line?.split(" - ") ?? [];
  const [, , , root, at] = before?.split(" ") ?? [];
  const source = after?.split(" ")[1];
  if (source === undefined || root === undefined || at === undefined) return undefined;
  return { source: unescaped(source), root: unescaped(root), at: unescaped(at) };
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
