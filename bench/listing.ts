/** A server that lists a million files in one folder, all known: time, memory. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
// @ts-expect-error JavaScript, as what comes before TypeScript is
import { STAYING } from "../agent/staying.js";

const COUNT = 1_000_000;
const PROCESS = fileURLToPath(new URL("listing-process.ts", import.meta.url));

export interface Listed {
  readonly files: number;
  /** What waits for the receiver after it: one parcel for each, as before, where nothing changed. */
  readonly depth: number;
  /** Files that were sealed, or could not be. */
  readonly problems: number;
  readonly seconds: number;
  /** Bytes resident at most. */
  readonly peak: number;
}

/** One look at so many files that are as they were. */
export async function lookThrough(count: number): Promise<Listed> {
  const home = mkdtempSync(join(tmpdir(), "tributary-listing-"));
  const run = async (mode: "know" | "scan"): Promise<string> =>
    (
      await promisify(execFile)(process.execPath, [...STAYING.flags, PROCESS, mode, home, String(count)], {
        env: { ...process.env, ...STAYING.env },
      })
    ).stdout;
  try {
    await run("know");
    return JSON.parse(await run("scan")) as Listed;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

export async function listing(): Promise<string> {
  const { files, seconds, peak } = await lookThrough(COUNT);
  return `### One folder of ${files} files on a server, unchanged

${seconds.toFixed(1)} s for the agent's part of one look, with a server that answers at once; ${(peak / 2 ** 20).toFixed(0)} MiB at most.
`;
}
