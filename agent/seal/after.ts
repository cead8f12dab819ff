/**
 * What is done with a file once its receipt is here: delete or move it, only while it still is what was sealed. There
 * is no window in which a newer file is taken: it is renamed to a private name in its folder, judged there, and then
 * unlinked, moved, or put back without overwriting. Moving never overwrites.
 */
import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { chmod, copyFile, link, lstat, mkdir, open, rename, unlink, utimes } from "node:fs/promises";
import { resolve } from "node:path";
import { join, lastSegment, parent } from "../source/bytes.ts";
import { errorCode, inWords, isGone } from "../source/disk.ts";
import { ownName } from "../source/own-name.ts";
import type { FileState } from "../source/source.ts";

/** A file as it was sealed. */
export interface SealedFile {
  readonly path: Buffer;
  readonly state: FileState;
  readonly sha256: string;
}

export type AfterRule = { readonly kind: "delete" } | { readonly kind: "move"; readonly to: string };

/** `keep` is undefined. A relative DIR lies in the source's root. */
export function afterRule(after: string, root: string): AfterRule | undefined {
  if (after === "keep") return undefined;
  if (after === "delete") return { kind: "delete" };
  return { kind: "move", to: resolve(root, after.slice("move:".length)) };
}

export type AfterResult =
  | { readonly kind: "done"; readonly action: string }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

/** `unique`, a UUID, is in no other name: it makes the private name, and a second name where the target's is taken. */
export async function actAfter(
  root: string,
  rule: AfterRule,
  seen: Pick<SealedFile, "path" | "state">,
  unique: string,
): Promise<AfterResult> {
  const at = join(Buffer.from(resolve(root)), seen.path);
  const aside = join(parent(at), ownName(unique));
  try {
    if (!isStill(await lstat(at, { bigint: true }), seen.state, true))
      return { kind: "skipped", reason: "the file is not what was sealed any more" };
    await rename(at, aside);
  } catch (error) {
    if (isGone(error)) return { kind: "skipped", reason: "the file is gone" };
    return { kind: "failed", reason: inWords(error) };
  }
  try {
    // The rename gave it a new ctime: everything else must still be what was sealed.
    if (!isStill(await lstat(aside, { bigint: true }), seen.state, false)) {
      await place(aside, at, unique);
      return { kind: "skipped", reason: "the file was replaced at the last moment" };
    }
    await carryOut(rule, aside, seen.path, unique);
    return { kind: "done", action: rule.kind };
  } catch (error) {
    await place(aside, at, unique).catch(() => undefined);
    return { kind: "failed", reason: inWords(error) };
  }
}

/** What is left to do with a file under its private name. */
async function carryOut(rule: AfterRule, aside: Buffer, path: Buffer, unique: string): Promise<void> {
  if (rule.kind === "delete") return await unlink(aside);
  const target = join(Buffer.from(rule.to), path);
  await makeFolders(parent(target), Number((await lstat(parent(aside))).mode) & 0o777);
  await place(aside, target, unique);
}

/** A version of a path that the receiver holds by receipt. */
export interface DeliveredFile {
  readonly path: Buffer;
  readonly sha256: string;
}

/** What became of a private name that a crash left behind. */
export type Recovered =
  | { readonly kind: "back"; readonly path: Buffer }
  /** A newer file has its name by now, and the receiver holds its bytes: what had begun was ended. */
  | { readonly kind: "finished"; readonly path: Buffer }
  | { readonly kind: "gone" }
  /** It is none of those that are missing: it stays as it is, and is to be shown. */
  | { readonly kind: "unknown" };

/**
 * It gets its own name back: it is the one missing file of its folder whose bytes it holds. Where a newer file was sealed
 * under that name, it is missing no more: then the log of deliveries says whether the receiver holds these bytes, and
 * `rule` is carried out. Throws when it cannot be read or renamed.
 */
export async function recoverAside(
  root: string,
  aside: Buffer,
  missing: readonly SealedFile[],
  rule?: AfterRule,
  deliveredOf: (size: number) => readonly DeliveredFile[] = () => [],
): Promise<Recovered> {
  const at = join(Buffer.from(resolve(root)), aside);
  try {
    const stats = await lstat(at, { bigint: true });
    if (!stats.isFile()) return { kind: "unknown" };
    const alike = missing.filter(({ state }) => isStill(stats, state, false));
    const delivered = rule === undefined ? [] : deliveredOf(Number(stats.size));
    if (alike.length === 0 && delivered.length === 0) return { kind: "unknown" };
    const sha256 = await digest(at);
    const unique = lastSegment(aside).toString("hex").slice(-12);
    const own = alike.find((known) => known.sha256 === sha256);
    if (own !== undefined) {
      await place(at, join(parent(at), lastSegment(own.path)), unique);
      return { kind: "back", path: own.path };
    }
    const held = delivered.find((known) => known.sha256 === sha256);
    if (held === undefined || rule === undefined) return { kind: "unknown" };
    await carryOut(rule, at, held.path, unique);
    return { kind: "finished", path: held.path };
  } catch (error) {
    if (isGone(error)) return { kind: "gone" };
    throw error;
  }
}

function isStill(stats: BigIntStats, state: FileState, withCtime: boolean): boolean {
  return (
    stats.isFile() &&
    Number(stats.size) === state.size &&
    stats.mtimeNs === state.mtimeNs &&
    (!withCtime || stats.ctimeNs === state.ctimeNs) &&
    (state.fileId === undefined || stats.ino === state.fileId)
  );
}

/** Under the name of `to`, or beside it when that is taken, perhaps by a newer file: never over anything. */
async function place(from: Buffer, to: Buffer, unique: string): Promise<void> {
  const name = lastSegment(to);
  const suffix = Buffer.from(`~${unique}`);
  // The second name must fit the 255 bytes of a name as well.
  const second = join(parent(to), Buffer.concat([name.subarray(0, 255 - suffix.length), suffix]));
  for (const target of [to, second]) {
    try {
      await linkOrCopy(from, target);
    } catch (error) {
      if (errorCode(error) === "EEXIST" && target === to) continue;
      throw error;
    }
    await unlink(from);
    return;
  }
}

/** As open as the folder that the file comes from: the agent's own umask is not the client's. */
async function makeFolders(folder: Buffer, mode: number): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    if (errorCode(error) !== "ENOENT" || folder.length <= 1) throw error;
    await makeFolders(parent(folder), mode);
    return makeFolders(folder, mode);
  }
  await chmod(folder, mode);
}

/** A link never overwrites. Across file systems, and where there are none, a durable copy that never does either. */
async function linkOrCopy(from: Buffer, to: Buffer): Promise<void> {
  try {
    return await link(from, to);
  } catch (error) {
    if (!/^(EXDEV|EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS|EMLINK)$/.test(errorCode(error))) throw error;
  }
  await copyFile(from, to, constants.COPYFILE_EXCL);
  try {
    const { atime, mtime } = await lstat(from);
    await utimes(to, atime, mtime);
    await using handle = await open(to, "r+");
    await handle.sync();
  } catch (error) {
    await unlink(to);
    throw error;
  }
}

async function digest(at: Buffer): Promise<string> {
  const hash = createHash("sha256");
  const handle = await open(at, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  await using stream = handle.createReadStream();
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
