/** Whether this account may do what `after:` asks for: it is said now, and not when the first receipt is here. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

/** Whether this account may make and remove names in a folder; throws why not. */
export type Writable = (folder: string) => Promise<void>;

const systemWritable: Writable = (folder) => access(folder, constants.W_OK | constants.X_OK);

/** Undefined for `keep`. Only the root is tried: a folder below may be closed all the same, which `status` says. */
export async function checkAfter(
  source: { readonly name: string; readonly path: string; readonly after: string },
  writable: Writable = systemWritable,
): Promise<Finding | undefined> {
  const { name, path, after } = source;
  if (after === "keep") return undefined;
  const check = `after ${name}`;
  const todo = "give the account that the agent runs as the right to write there, or choose after: keep";
  try {
    await writable(path);
  } catch (error) {
    return fail(check, `files cannot be taken out of ${path}: ${reasonOf(error)}`, todo);
  }
  if (after === "delete") return ok(check, `files may be deleted from ${path}`);
  const target = resolve(path, after.slice("move:".length));
  try {
    const there = await nearest(target);
    if (!there.folder)
      return fail(
        check,
        `${there.path} is a file, so ${target} cannot be a folder`,
        "correct after: move:DIR",
      );
    await writable(there.path);
    return ok(check, `files may be moved to ${target}`);
  } catch (error) {
    return fail(check, `files cannot be moved to ${target}: ${reasonOf(error)}`, todo);
  }
}

/** The target, or what is there on the way to it: the rest is made when it is needed. */
async function nearest(target: string): Promise<{ readonly path: string; readonly folder: boolean }> {
  for (let path = target; ; path = dirname(path))
    try {
      return { path, folder: (await stat(path)).isDirectory() };
    } catch (error) {
      if (!/^(ENOENT|ENOTDIR)$/.test(String((error as NodeJS.ErrnoException).code))) throw error;
    }
}
