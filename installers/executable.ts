/**
 * A single executable: Node for the target, the bundle and its assets in one file. pkg's plain SEA step does the
 * injection; its virtual file system is left out (docs/decisions/0015-packages-are-plain-single-executables.md).
 *
 * A program of its own, one run per executable, so that several are made at the same time:
 *   node installers/executable.ts JOB.json
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sea from "@yao-pkg/pkg/lib-es5/sea.js";
import type { Target } from "./targets.ts";

/** What JOB.json says. Paths are absolute. */
export interface ExecutableJob {
  readonly target: Target;
  readonly nodeVersion: string;
  /** Node's program for the target. */
  readonly node: string;
  /** The bundle, CommonJS. */
  readonly main: string;
  readonly assets: Readonly<Record<string, string>>;
  /** Options of Node that the program always runs with. */
  readonly flags: readonly string[];
  readonly output: string;
  /** A folder of this run alone, for pkg's cache. */
  readonly scratch: string;
}

/** pkg looks for Node in its cache under the home folder, and takes an archive that is marked as unpacked for unpacked. */
function fillCache({ target, nodeVersion, node, scratch }: ExecutableJob): void {
  const cache = join(scratch, ".pkg-cache", "sea");
  const name = `node-v${nodeVersion}-${target.pkg.platform}-${target.pkg.arch}`;
  const windows = target.pkg.platform === "win";
  const program = join(cache, windows ? `${name}.exe` : `${name}/bin/node`);
  mkdirSync(dirname(program), { recursive: true });
  // Not a link: the packages may be made on another file system than npm's.
  copyFileSync(node, program);
  const archive = join(cache, `${name}.${windows ? "zip" : "tar.gz"}`);
  for (const file of [archive, `${archive}.ok`, `${program}.ok`]) writeFileSync(file, "");
}

/**
 * Where the bundle lies while it is packed: Node writes the path into the program, whose bytes shall not depend on who
 * packed it. So it has a fixed length, and is replaced by one that is the same everywhere; stack traces show that.
 */
const PACKED_AS = "/tributary//main.cjs";

function settle(main: string): string {
  const folder = mkdtempSync("/tmp/");
  const file = join(folder, "main.cjs");
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(main, file);
  return file;
}

function rename(output: string, from: string): void {
  const program = readFileSync(output);
  const at = program.indexOf(from);
  if (from.length !== PACKED_AS.length || at === -1 || program.indexOf(from, at + 1) !== -1)
    throw new Error(`${output}: expected the path ${from} once, in the place of ${PACKED_AS}`);
  program.write(PACKED_AS, at);
  writeFileSync(output, program);
}

const job: ExecutableJob = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
if (process.version !== `v${job.nodeVersion}`)
  throw new Error(
    `this is Node ${process.version}; a blob for v${job.nodeVersion} is made by that version alone`,
  );
fillCache(job);
process.env["HOME"] = job.scratch;
// Newer than pkg's type of it; Node's own configuration takes all of these.
const seaConfig = {
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: false,
  assets: job.assets,
  execArgv: job.flags,
  execArgvExtension: "none",
};
const main = settle(job.main);
await sea.default(main, {
  targets: [{ ...job.target.pkg, nodeRange: `node${job.nodeVersion}`, output: job.output }],
  seaConfig,
});
rename(job.output, main);
