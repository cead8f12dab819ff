/** Whether the data folder is writable for this account, and its key closed to everybody else. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

/** `posix`: whether modes mean anything here; Windows has an ACL instead. */
export async function checkDataFolder(
  folder: string,
  keyFile: string,
  posix = process.platform !== "win32",
): Promise<readonly Finding[]> {
  return [await writable(folder), await closed(keyFile, posix)];
}

async function writable(folder: string): Promise<Finding> {
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok("data folder", `${folder} is writable`);
  } catch (error) {
    return fail(
      "data folder",
      `${folder} is not writable for this account: ${reasonOf(error)}`,
      "give the folder to the account that the agent runs as, or name another with --data",
    );
  }
}

async function closed(keyFile: string, posix: boolean): Promise<Finding> {
  try {
    await access(keyFile, constants.R_OK);
    const { mode } = await stat(keyFile);
    if (posix && (mode & 0o077) !== 0)
      return fail(
        "key",
        `${keyFile} can be read by other accounts (mode ${(mode & 0o777).toString(8)})`,
        `close it: chmod 600 ${keyFile}; if others may have read it, revoke this agent and enrol it again`,
      );
    return ok("key", `${keyFile} is readable for this account${posix ? " alone" : ""}`);
  } catch (error) {
    return fail(
      "key",
      `${keyFile} cannot be read: ${reasonOf(error)}`,
      "run this as the account that the agent runs as; if the key is lost, enrol again with a new code",
    );
  }
}
