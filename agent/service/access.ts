/** Accounts of this system, and the folders that they may read. */
import { relative, sep } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { attempt, run } from "./command.ts";

export const isKnown = (account: string): boolean => attempt("getent", ["passwd", account]).code === 0;

export function idsOf(account: string): { readonly uid: number; readonly gid: number } {
  const [, , uid, gid] = run("getent", ["passwd", account]).split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** Whether the command ends well for the account, with all of its groups. */
export function as(account: string, ...command: string[]): boolean {
  const { gid } = idsOf(account);
  return attempt("setpriv", [`--reuid=${account}`, `--regid=${gid}`, "--init-groups", ...command]).code === 0;
}

/** Paths that every service has for itself: what others put there it never sees. */
const PRIVATE = ["/tmp", "/var/tmp"];

/** Which of them the folder lies in. */
export const privateFolder = (folder: string): string | undefined =>
  PRIVATE.find((one) => isInside(folder, one));

/** Folders of the system itself: an access list on all that is in one of them would be for ever, and wrong. */
const OF_THE_SYSTEM = /^\/(bin|boot|dev|etc|home|lib|lib64|proc|root|run|sbin|sys|usr|var|var\/lib)?$/;

/** Throws `usage` when so much cannot be meant. */
function refuseSystemFolder(folder: string): void {
  if (OF_THE_SYSTEM.test(folder))
    throw new ProblemError(
      "usage",
      `${folder} is a folder of the system, and everything in it would be opened; name the folder in it that holds the files`,
    );
}

/** By access lists, for all that is in the folder and all that comes; `write`: also change it. */
export function letRead(account: string, folder: string, write: boolean): void {
  refuseSystemFolder(folder);
  // To come to a folder takes the right to pass through each one above it, not to list them.
  for (const above of foldersAbove(folder))
    if (!as(account, "test", "-x", above)) setfacl(account, above, ["-m", `u:${account}:x`]);
  const rights = write ? "rwX" : "rX";
  setfacl(account, folder, ["-R", "-P", "-m", `u:${account}:${rights}`]);
  setfacl(account, folder, ["-R", "-P", "-d", "-m", `u:${account}:${rights}`]);
}

function setfacl(account: string, folder: string, words: readonly string[]): void {
  const { code, out, err } = attempt("setfacl", [...words, "--", folder]);
  if (code === 0) return;
  throw new ProblemError(
    "service-failed",
    `cannot give ${account} the right to ${folder}: ${err || out}; where a file system has no access lists (many shares), let a group read it and put the account in: usermod -aG GROUP ${account}`,
  );
}

function foldersAbove(folder: string): string[] {
  const parts = folder.split("/").slice(1, -1);
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join("/")}`);
}

function isInside(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way !== ".." && !way.startsWith(`..${sep}`);
}
