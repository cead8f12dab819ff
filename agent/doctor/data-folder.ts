/** Whether the data folder is writable for this account, and its keys closed to everybody else. */
import { constants, existsSync } from "node:fs";
import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

/** `posix`: whether modes mean anything here; Windows has an ACL instead. */
export async function checkDataFolder(
  folder: string,
  keyFile: string,
  posix = process.platform !== "win32",
): Promise<readonly Finding[]> {
  const own = {
    check: "key",
    file: keyFile,
    ifRead: "if others may have read it, revoke this agent and enrol it again",
    ifLost: "if the key is lost, enrol again with a new code",
  };
  const ofSecrets = {
    check: "secret key",
    file: join(folder, "secret-key"),
    ifRead: "if others may have read it, change the secrets where they count",
    ifLost: "if it is lost, set each secret anew: tributary-agent secret set NAME",
  };
  const keys = existsSync(ofSecrets.file) ? [own, ofSecrets] : [own];
  return [await writable(folder), ...(await Promise.all(keys.map((key) => closed(key, posix))))];
}

interface KeyFile {
  readonly check: string;
  readonly file: string;
  /** What to do besides. */
  readonly ifRead: string;
  readonly ifLost: string;
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

async function closed({ check, file, ifRead, ifLost }: KeyFile, posix: boolean): Promise<Finding> {
  try {
    await access(file, constants.R_OK);
    const { mode } = await stat(file);
    if (posix && (mode & 0o077) !== 0)
      return fail(
        check,
        `${file} can be read by other accounts (mode ${(mode & 0o777).toString(8)})`,
        `close it: chmod 600 ${file}; ${ifRead}`,
      );
    return ok(check, `${file} is readable for this account${posix ? " alone" : ""}`);
  } catch (error) {
    return fail(
      check,
      `${file} cannot be read: ${reasonOf(error)}`,
      `run this as the account that the agent runs as; ${ifLost}`,
    );
  }
}
