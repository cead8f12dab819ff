/** What is odd about a folder that shall be captured, before anything is captured. */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { relative, sep } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";

/** Refuses what can never be meant: a file, and a folder that holds the agent's own key and queue. */
export function refuseFolder(folder: string, data: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory())
    throw new ProblemError("usage", `${folder} is not a folder; name the folder that holds the files`);
  if (isInside(data, folder))
    throw new ProblemError(
      "usage",
      `${folder} holds the agent's own data (${data}), with its private key; capture a folder beside it, or move the data with --data`,
    );
}

/** Odd, but for the administrator to decide. */
export function folderWarnings(
  folder: string,
  name: string,
  data: string,
  sources: readonly { readonly name: string; readonly path: string }[],
): string[] {
  const warnings: string[] = [];
  const reason = unreadable(folder);
  if (reason !== undefined) warnings.push(`${folder} ${reason}`);
  if (isInside(folder, data)) warnings.push(`${folder} lies inside the agent's data folder ${data}`);
  for (const other of sources) {
    if (other.name === name && real(other.path) === real(folder)) continue;
    if (isInside(folder, other.path))
      warnings.push(
        `${folder} lies inside the source "${other.name}" (${other.path}): its files are captured twice`,
      );
    else if (isInside(other.path, folder))
      warnings.push(
        `the source "${other.name}" (${other.path}) lies inside ${folder}: its files are captured twice`,
      );
  }
  return warnings;
}

function unreadable(folder: string): string | undefined {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT"
      ? "is not there yet; it is captured as soon as it is"
      : "is not readable for this account; give the account that the agent runs as the right to list and read it";
  }
}

/** Whether `inner` is `outer` or lies below it, whatever links lead there. */
function isInside(inner: string, outer: string): boolean {
  const way = relative(real(outer), real(inner));
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !/^[A-Za-z]:/.test(way));
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
