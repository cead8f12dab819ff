/** The pages that the browser is shown are those of the sources, whoever built them last. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../site/process.ts";

export default async function setup(): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, "start/pages.ts")]);
}
