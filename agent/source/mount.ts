/**
 * Which share stands at a place. A share's device number is given anew at every mount, the kind of file system is the
 * same for all of them, and their roots often have the same inode: only the mount's source (`server:/export`) tells
 * one share from another.
 */
import { promises } from "node:fs";

/** Differs between two shares, and is the same whenever one share is mounted again. */
export async function shareOf(path: Buffer): Promise<string> {
  const kind = (await promises.statfs(path)).type.toString(16);
  // Windows: the serial number of the share's volume. Elsewhere a device number belongs to one mount.
  if (process.platform === "win32") return `${kind} ${(await promises.stat(path, { bigint: true })).dev}`;
  if (process.platform !== "linux") return kind;
  // The handle knows its mount, whatever else is mounted over or under it.
  await using folder = await promises.open(path, "r");
  const handle = await promises.readFile(`/proc/self/fdinfo/${folder.fd}`, "latin1");
  const source = mountSource(await promises.readFile("/proc/self/mountinfo", "latin1"), mountId(handle));
  return source === undefined ? kind : `${kind} ${source}`;
}

function mountId(fdinfo: string): string | undefined {
  return /^mnt_id:\s*(\d+)$/m.exec(fdinfo)?.[1];
}

/**
 * Source of a mount out of /proc/self/mountinfo (latin1: its names are bytes), see proc_pid_mountinfo(5). A bind mount
 * has the source of the file system that it shows; which of its folders, the folder's inode tells.
 */
export function mountSource(mountinfo: string, id: string | undefined): string | undefined {
  const line = mountinfo.split("\n").find((text) => id !== undefined && text.startsWith(`${id} `));
  // The optional fields before the hyphen vary in number.
  const source = line?.split(" - ")[1]?.split(" ")[1];
  return source === undefined ? undefined : Buffer.from(unescaped(source), "latin1").toString();
}

/** Space, tab, newline, backslash and, with some kernels, more are three octal digits. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
