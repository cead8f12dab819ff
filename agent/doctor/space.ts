/** Whether the disk of the data folder has room for the queue, and for copies where a source makes them. */
import { statfs } from "node:fs/promises";
import { formatBytes } from "@tributary/shared/units.ts";
import { type Finding, fail, ok, reasonOf, warn } from "./finding.ts";

const NEEDED = 64 * 2 ** 20;
const COMFORTABLE = 2 ** 30;

export type FreeBytes = (folder: string) => Promise<number>;

const systemFree: FreeBytes = async (folder) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

/** `spool`: the most that copied captures may occupy, 0 when no source copies. */
export async function checkSpace(
  folder: string,
  spool: number,
  free: FreeBytes = systemFree,
): Promise<Finding> {
  let bytes: number;
  try {
    bytes = await free(folder);
  } catch (error) {
    return fail("disk space", `${folder}: ${reasonOf(error)}`, "check that the folder's disk is there");
  }
  const says = `${formatBytes(bytes)} free for ${folder}`;
  if (bytes < NEEDED)
    return fail("disk space", `only ${says}`, `free some space: the queue needs ${formatBytes(NEEDED)}`);
  if (bytes < spool)
    return warn(
      "disk space",
      `${says}, less than the ${formatBytes(spool)} that copied captures may take (limits.spool)`,
      "free some space, or lower limits.spool in agent.yaml",
    );
  if (bytes < COMFORTABLE) return warn("disk space", `only ${says}`, "free some space soon");
  return ok("disk space", says);
}
