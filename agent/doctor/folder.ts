/** Whether a source's folder is there and readable for this account. */
import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

export async function checkFolder(name: string, path: string): Promise<Finding> {
  const check = `source ${name}`;
  try {
    if (!(await stat(path)).isDirectory())
      return fail(check, `${path} is not a folder`, "correct its path in agent.yaml");
    await access(path, constants.R_OK | constants.X_OK);
    await readdir(path);
    return ok(check, `${path} is readable`);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    return fail(
      check,
      missing ? `${path} is not there` : `${path} cannot be read: ${reasonOf(error)}`,
      missing
        ? "make the folder, connect the share, or correct its path in agent.yaml"
        : "give the account that the agent runs as the right to list and read it",
    );
  }
}
