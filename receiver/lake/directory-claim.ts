/**
 * A directory lake is one host's: two would each think that their fsync and their staging are the only ones.
 * `.tributary.json` in its root names the host, the site and the lake (see `claim.ts`).
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { CLAIM, type Claim, type LakeOwner, parseClaim, refuseAbsent, requireOurs } from "./claim.ts";
import { type Disk, hasCode, lakeFault, syncFolder } from "./disk.ts";

/** The machine's id where it has one (systemd), else its name. */
export async function thisHost(): Promise<string> {
  const id = await readFile("/etc/machine-id", "utf8").catch(() => "");
  return id.trim() === "" || id.trim() === "uninitialized" ? hostname() : id.trim();
}

/** Undefined when there is none. */
export async function readClaim(root: string, disk: Disk): Promise<Claim | undefined> {
  const file = join(root, CLAIM);
  let text: string;
  try {
    text = await disk.readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw lakeFault(error, file);
  }
  return parseClaim(text, file);
}

/** Takes a new root for this host and site, or throws when it is another's, or not there though it must be. Gives the lake's id. */
export async function claimRoot(root: string, host: string, owner: LakeOwner, disk: Disk): Promise<string> {
  const found = await readClaim(root, disk);
  if (found === undefined) refuseAbsent(owner, root, "is the disk mounted there, and is lake.path right?");
  else requireOurs(found, owner, root);
  if (found?.host !== undefined && found.host !== host)
    throw new ProblemError(
      "lake-unavailable",
      `the lake in ${root} belongs to the host ${found.host}, this is ${host}; a directory lake is for one host ` +
        `(several receivers: lake kind s3). If the other is gone for good, write ` +
        `${JSON.stringify({ lake: found.lake })} into ${join(root, CLAIM)} and start again`,
    );
  const lake = found?.lake ?? randomUUID();
  if (found?.host === undefined || found.site === undefined || found.lake === undefined) {
    try {
      if (found === undefined) await makeRoot(root, disk);
      await write(root, { host, site: owner.site, lake }, disk);
    } catch (error) {
      throw lakeFault(error, root);
    }
  }
  return lake;
}

/**
 * The folder and, durably, every name on the way to it: a lake whose own name is lost with the power is lost whole. Also
 * names that a process made which died before this; of those above it that nobody lets us open, others have taken care.
 */
async function makeRoot(root: string, disk: Disk): Promise<void> {
  const first = await makeMissing(resolve(root), disk);
  let ours = first !== undefined;
  for (let at = resolve(root); at !== dirname(at); at = dirname(at)) {
    try {
      await syncFolder(disk, dirname(at));
    } catch (error) {
      if (ours || !hasCode(error, "EACCES", "EPERM")) throw error;
    }
    if (at === first) ours = false;
  }
}

/** As `makeFolder` of shared, on the lake's disk: gives the first folder that it made. */
async function makeMissing(folder: string, disk: Disk): Promise<string | undefined> {
  const there = async (): Promise<boolean> =>
    (await disk.stat(folder).catch(() => undefined))?.isDirectory() === true;
  try {
    await disk.mkdir(folder);
    return folder;
  } catch (error) {
    if (await there()) return undefined;
    if (!hasCode(error, "ENOENT") || dirname(folder) === folder) throw error;
  }
  const above = await makeMissing(dirname(folder), disk);
  try {
    await disk.mkdir(folder);
  } catch (error) {
    if (!(await there())) throw error;
  }
  return above ?? folder;
}

/** By rename, so that a process that dies here leaves no half a claim. */
async function write(root: string, claim: Claim, disk: Disk): Promise<void> {
  const draft = join(root, `${CLAIM}.${process.pid}`);
  const handle = await disk.open(draft, "w");
  try {
    await handle.writeFile(`${JSON.stringify(claim)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await disk.rename(draft, join(root, CLAIM));
  await syncFolder(disk, root);
}
