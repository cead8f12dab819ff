/**
 * What is done with a file once its receipt is here: delete or move it, only while it still is what was sealed. There
 * is no window in which a newer file is taken: it is renamed to a private name in its folder, judged there, and then
 * removed, moved, or put back without overwriting. Moving never overwrites. The same for folders and for servers: only
 * the hands that do it differ.
 */
import { posix, resolve } from "node:path";
import { join, lastSegment, parent } from "./bytes.ts";
import { ownName } from "./own-name.ts";
import { sameContent } from "./same-state.ts";
import type { FileState } from "./state.ts";

/** A file as it was sealed. */
export interface SealedFile {
  readonly path: Buffer;
  readonly state: FileState;
  readonly sha256: string;
}

/** `to`: a whole path of the place where the source lies. */
export type AfterRule = { readonly kind: "delete" } | { readonly kind: "move"; readonly to: string };

/** `keep` is undefined. A relative DIR lies in the source's root. */
export function afterRule(after: string, root: string): AfterRule | undefined {
  if (after === "keep") return undefined;
  if (after === "delete") return { kind: "delete" };
  return { kind: "move", to: resolve(root, after.slice("move:".length)) };
}

/** As `afterRule`, where paths are a server's: nothing of this host is in them. `root` undefined: names are whole, as in a bucket. */
export function remoteAfterRule(after: string, root: string): AfterRule | undefined {
  if (after === "keep") return undefined;
  if (after === "delete") return { kind: "delete" };
  const written = after.slice("move:".length);
  // Names in a bucket are taken as they are: "./done" would be a folder called ".".
  const to = written.startsWith("/") ? written : posix.normalize(written);
  return { kind: "move", to: to.startsWith("/") || root === "" ? to : `${root.replace(/\/$/, "")}/${to}` };
}

export type AfterResult =
  /** `kept`: as an earlier version, of which the place goes on to tell. */
  | { readonly kind: "done"; readonly action: string; readonly kept?: boolean }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string }
  /** Nothing of the place can be had now. */
  | { readonly kind: "away" };

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

/** What a source offers for `after:`. */
export interface After {
  /** `unique`, a UUID, is in no other name: it makes the private name, and a second name where the target's is taken. */
  act(rule: AfterRule, seen: Pick<SealedFile, "path" | "state">, unique: string): Promise<AfterResult>;
  /**
   * It gets its own name back: it is the one missing file of its folder whose bytes it holds. Where a newer file was
   * sealed under that name, it is missing no more: then the log of deliveries says whether the receiver holds these
   * bytes, and `rule` is carried out. Throws when it cannot be read or renamed.
   */
  recover(
    aside: Buffer,
    missing: readonly SealedFile[],
    rule?: AfterRule,
    deliveredOf?: (size: number) => readonly DeliveredFile[],
  ): Promise<Recovered>;
}

/** One step each, on whole paths. All throw what the place says; `isGone` and `inWords` know what that means. */
export interface Hands {
  /** Undefined: it is there, and no file. Throws also when it is not there. */
  look(path: Buffer): Promise<FileState | undefined>;
  /** As `look`, where that may tell what was before (`Tells.staleMs`): when nothing remembered can be told any more. */
  lookAnew?(path: Buffer): Promise<FileState | undefined>;
  /** To a name that nothing has: which of both comes first does not matter. */
  rename(from: Buffer, to: Buffer): Promise<void>;
  /** As `rename`, with the same times and never over anything: false when there is something. */
  place(from: Buffer, to: Buffer): Promise<boolean>;
  remove(path: Buffer): Promise<void>;
  /** With all on the way, as open as the folder `like`. */
  makeFolders(folder: Buffer, like: Buffer): Promise<void>;
  /** In hex, of what it holds now. */
  sha256(path: Buffer): Promise<string>;
  isGone(error: unknown): boolean;
  inWords(error: unknown): string;
}

/** `contentIds`: see `Tells`. `isAway`: of an error, whether nothing of the place can be had. */
export function afterByHands(
  root: Buffer,
  hands: Hands,
  contentIds = (): boolean => false,
  isAway = (_error: unknown): boolean => false,
): After {
  const isStill = (found: FileState | undefined, sealed: FileState, withCtime: boolean): boolean =>
    (contentIds() && found !== undefined && sameContent(found, sealed)) ||
    isAsSealed(found, sealed, withCtime);
  return {
    async act(rule, seen, unique) {
      const at = join(root, seen.path);
      const aside = join(parent(at), ownName(unique));
      try {
        if (!isStill(await hands.look(at), seen.state, true))
          return { kind: "skipped", reason: "the file is not what was sealed any more" };
        await hands.rename(at, aside);
      } catch (error) {
        if (hands.isGone(error)) return { kind: "skipped", reason: "the file is gone" };
        return isAway(error) ? { kind: "away" } : { kind: "failed", reason: hands.inWords(error) };
      }
      try {
        // The rename gave it a new ctime: everything else must still be what was sealed.
        const now = await (hands.lookAnew?.(aside) ?? hands.look(aside));
        if (!isStill(now, seen.state, false)) {
          await place(hands, aside, at, unique);
          return { kind: "skipped", reason: "the file was replaced at the last moment" };
        }
        await carryOut(hands, rule, aside, seen.path, unique);
        return { kind: "done", action: rule.kind };
      } catch (error) {
        await place(hands, aside, at, unique).catch(() => undefined);
        return isAway(error) ? { kind: "away" } : { kind: "failed", reason: hands.inWords(error) };
      }
    },

    async recover(aside, missing, rule, deliveredOf = () => []) {
      const at = join(root, aside);
      try {
        const state = await hands.look(at);
        if (state === undefined) return { kind: "unknown" };
        const alike = missing.filter((known) => isStill(state, known.state, false));
        const delivered = rule === undefined ? [] : deliveredOf(state.size);
        if (alike.length === 0 && delivered.length === 0) return { kind: "unknown" };
        const sha256 = await hands.sha256(at);
        const unique = lastSegment(aside).toString("hex").slice(-12);
        const own = alike.find((known) => known.sha256 === sha256);
        if (own !== undefined) {
          await place(hands, at, join(parent(at), lastSegment(own.path)), unique);
          return { kind: "back", path: own.path };
        }
        const held = delivered.find((known) => known.sha256 === sha256);
        if (held === undefined || rule === undefined) return { kind: "unknown" };
        await carryOut(hands, rule, at, held.path, unique);
        return { kind: "finished", path: held.path };
      } catch (error) {
        if (hands.isGone(error)) return { kind: "gone" };
        throw error;
      }
    },
  };
}

/** What is left to do with a file under its private name. */
async function carryOut(
  hands: Hands,
  rule: AfterRule,
  aside: Buffer,
  path: Buffer,
  unique: string,
): Promise<void> {
  if (rule.kind === "delete") return await hands.remove(aside);
  const target = join(Buffer.from(rule.to), path);
  await hands.makeFolders(parent(target), parent(aside));
  await place(hands, aside, target, unique);
}

function isAsSealed(found: FileState | undefined, sealed: FileState, withCtime: boolean): boolean {
  return (
    found !== undefined &&
    found.size === sealed.size &&
    found.mtimeNs === sealed.mtimeNs &&
    (!withCtime || found.ctimeNs === sealed.ctimeNs) &&
    (sealed.fileId === undefined || found.fileId === undefined || found.fileId === sealed.fileId)
  );
}

/** Under the name of `to`, or beside it when that is taken, perhaps by a newer file: never over anything. */
async function place(hands: Hands, from: Buffer, to: Buffer, unique: string): Promise<void> {
  if (await hands.place(from, to)) return;
  const second = besideName(to, unique);
  if (!(await hands.place(from, second))) throw new Error(`${second} is taken`);
}

/** The second name must fit the 255 bytes of a name as well. */
export function besideName(to: Buffer, unique: string): Buffer {
  const suffix = Buffer.from(`~${unique}`);
  return join(parent(to), Buffer.concat([lastSegment(to).subarray(0, 255 - suffix.length), suffix]));
}
