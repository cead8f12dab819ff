/** The packages under test, made once per run as `npm run package` makes them, and the tree they are tried in. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { VERSION } from "../../agent/version.ts";
import { createSandbox } from "../servers/sandbox.ts";
import { ROOT } from "../site/process.ts";
import { debianTree } from "./tree.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly packages: Packages;
  }
}

export interface Packages {
  /** The folder with everything, and the version of it. */
  readonly dist: string;
  readonly version: string;
  /** What upgrades are tried with: the agent's packages for x64 and the .msi, one version higher. */
  readonly nextDist: string;
  readonly next: string;
  /** A Debian 13 that nobody may write into. */
  readonly tree: string;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const sandbox = await createSandbox("packages");
  // While a test is written, packages that are made already will do: a folder with dist/ and next/.
  const given = process.env["TRIBUTARY_PACKAGES"];
  const folder = given ?? sandbox.folder;
  const next = VERSION.replace(/\d+$/, (patch) => String(Number(patch) + 1));
  const [dist, nextDist] = [join(folder, "dist"), join(folder, "next")];
  const make = async (): Promise<void> => {
    if (given !== undefined) return;
    await makePackages("--out", dist);
    const parts = [
      `agent_${next}_amd64.deb`,
      `agent-${next}-1.x86_64.rpm`,
      `agent-${next}-linux-x64.tar.gz`,
      ".msi",
    ];
    await makePackages("--out", nextDist, "--version", next, ...parts);
  };
  const [tree] = await Promise.all([debianTree(), make()]);
  project.provide("packages", { dist, version: VERSION, nextDist, next, tree });
  return async () => {
    await sandbox.stop();
    await rm(sandbox.folder, { recursive: true, force: true });
  };
}

async function makePackages(...words: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, "installers/package.ts"), ...words], {
    stdio: "inherit",
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error("the packages could not be made, see above");
}
