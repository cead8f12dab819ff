/**
 * A directory lake is one host's: two would each think that their fsync and their staging are the only ones.
 * `.tributary.json` in its root names the host and the site; it is also how an unmounted disk is noticed.
 */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Disk, lakeFault, syncFolder } from "./disk.ts";

export interface Claim {
  readonly host: string;
  readonly site: string;
}

/** The machine's id where it has one (systemd), else its name. */
export async function thisHost(): Promise<string> {
  const id = await readFile("/etc/machine-id", "utf8").catch(() => "");
  return id.trim() === "" || id.trim() === "uninitialized" ? hostname() : id.trim();
}

const claimFile = (root: string): string => join(root, ".tributary.json");

/** Throws when the claim cannot be read: the usual reason is a disk that is not mounted. */
export async function readClaim(root: string, disk: Disk): Promise<Claim> {
  try {
    return JSON.parse(await disk.readFile(claimFile(root), "utf8")) as Claim;
  } catch (error) {
    throw lakeFault(error, claimFile(root));
  }
}

/** Takes a new root for this host and site, or throws when it is another's. */
export async function claimRoot(root: string, claim: Claim, disk: Disk): Promise<void> {
  try {
    await disk.mkdir(root, { recursive: true });
    if (!(await disk.readdir(root)).includes(basename(claimFile(root)))) await write(root, claim, disk);
  } catch (error) {
    throw lakeFault(error, root);
  }
  const there = await readClaim(root, disk);
  for (const what of ["host", "site"] as const) {
    if (there[what] === claim[what]) continue;
    throw new ProblemError(
      "lake-unavailable",
      `the lake in ${root} belongs to the ${what} ${there[what]}, this is ${claim[what]}; a directory lake is for one host ` +
        `(several receivers: lake kind s3). If the other is gone for good, remove ${claimFile(root)} and start again`,
    );
  }
}

/** By rename, so that a process that dies here leaves no half a claim. */
async function write(root: string, claim: Claim, disk: Disk): Promise<void> {
  const draft = `${claimFile(root)}.${process.pid}`;
  const handle = await disk.open(draft, "w");
  try {
    await handle.writeFile(`${JSON.stringify(claim)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await disk.rename(draft, claimFile(root));
  await syncFolder(disk, root);
}
