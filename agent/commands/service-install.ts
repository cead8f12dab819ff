/** `service install`: from a program on the disk to files that flow, in one unattended step. */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseCode } from "@tributary/shared/code.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { EXIT, say } from "@tributary/shared/terminal.ts";
import { loadIdentity } from "../identity/identity.ts";
import type { ServiceManager } from "../service/manager.ts";
import { refuseFolder } from "./folder-place.ts";
import { placeOf } from "./place.ts";

export interface InstallOptions {
  readonly code?: string;
  readonly folder?: string;
  /** The source's name; without it the folder's own, made to fit. */
  readonly name?: string;
  readonly client?: string;
  readonly account?: string;
  readonly password?: string;
}

/** Long enough for a start that fails to have failed. */
const SETTLES_MS = 2_000;

/** Gives the exit code: `unwell` when it is installed and a check of `doctor` fails. What is checked at all is checked first: a code that was used up is of no use to anybody. */
export async function installService(manager: ServiceManager, options: InstallOptions): Promise<number> {
  manager.requireRights();
  const { data, config } = placeOf({});
  const { code, folder, account, password } = options;
  if (code !== undefined) parseCode(code);
  if (folder !== undefined) requireFolder(manager, folder, data);
  if (folder === undefined && options.name !== undefined)
    throw new ProblemError("usage", "--name is the name of --folder; name the folder too");
  const { undo } = manager.prepare(
    account === undefined ? undefined : { name: account, ...(password ? { password } : {}) },
  );
  try {
    if (code !== undefined) enrol(data, code);
    if (folder !== undefined) addFolder(manager, data, folder, options);
  } catch (error) {
    // Once the code is used up, the key that it was used for is worth more than a clean host.
    if (loadIdentity(data) === undefined) undo();
    throw error;
  }
  if (loadIdentity(data) === undefined) {
    say("the service is made and not started, because this host is not enrolled yet; next:");
    say("tributary-agent service install --code CODE --folder PATH");
    return EXIT.done;
  }
  manager.start();
  await sleep(SETTLES_MS);
  say(`the service was started; its settings: ${config}, its log: ${manager.log}`);
  if (own(["doctor"])) return EXIT.done;
  say("the service is installed and runs; what the checks above found is still to be done");
  return EXIT.unwell;
}

/** A share is not asked: the account of the service sees it, this one perhaps not. */
function requireFolder(manager: ServiceManager, folder: string, data: string): void {
  const path = resolve(folder);
  if (!path.startsWith("\\\\") && statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new ProblemError(
      "usage",
      `--folder ${path}: there is no such folder; correct its path, or make it. Nothing was installed and the code is still good`,
    );
  if (!path.startsWith("\\\\")) refuseFolder(path, data);
  if (manager.hides(path))
    throw new ProblemError(
      "usage",
      `--folder ${path}: the service has a folder of its own there and would never see this one; take a folder elsewhere, such as /srv or /var/spool`,
    );
}

function enrol(data: string, code: string): void {
  const before = loadIdentity(data);
  if (before !== undefined)
    say(`this host is enrolled already, as ${before.name}; the code is not used and stays good`);
  else if (!own(["enroll", "-"], code))
    throw new ProblemError(
      "service-failed",
      "this host could not be enrolled (see above), so nothing was installed; run the same command again when that is mended",
    );
}

function addFolder(
  manager: ServiceManager,
  data: string,
  folder: string,
  { name, client }: InstallOptions,
): void {
  const path = resolve(folder);
  const words = ["add-folder", path, "--name", name ?? sourceName(path)];
  if (client !== undefined) words.push("--client", client);
  if (path.startsWith("\\\\")) words.push("--share");
  if (!own(words))
    throw new ProblemError(
      "service-failed",
      loadIdentity(data) === undefined
        ? "the folder could not be added (see above), so nothing was installed"
        : "the folder could not be added (see above). The host is enrolled; go on with: tributary-agent service install --folder PATH",
    );
  if (manager.mayRead(path) === false) manager.grant(path, false);
}

/** The folder's own name as a source may be called: `D:\Daily Exports` is daily-exports. */
export function sourceName(path: string): string {
  const plain = basename(path)
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return plain === "" ? "files" : plain;
}

/** A command of this program, which speaks for itself; only what it would have a person do next is done here. */
function own(words: readonly string[], input = ""): boolean {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    input,
    encoding: "utf8",
    windowsHide: true,
  });
  process.stdout.write(stdout);
  process.stderr.write(stderr.replace(/^next: .*\n/gm, ""));
  return status === 0;
}
