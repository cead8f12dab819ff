/**
 * SIGKILL of agent and receiver at random points while files are created, overwritten, renamed, removed and
 * re-created in a folder. TRIBUTARY_KILL_ROUNDS sets how many; TRIBUTARY_KILL_SEED repeats a run.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "vitest";
import { type Backend, describeOnCephAndPostgres, onDirectoryAndSqlite } from "../site/backends.ts";
import { kills, type Scene, SEED } from "./kills.ts";
import { folderGround, makeWorkload, randomOf } from "./workload.ts";

const ROUNDS = Number(process.env.TRIBUTARY_KILL_ROUNDS ?? 200);

interface Way {
  readonly name: string;
  /** Of the source in agent.yaml. */
  readonly settings: { readonly capture?: "copy"; readonly after?: string };
  readonly share: number;
}

/** How a source may be set up, each with its share of the rounds. */
const WAYS: readonly Way[] = [
  { name: "in place", settings: {}, share: 0.4 },
  { name: "capture: copy", settings: { capture: "copy" }, share: 0.2 },
  { name: "after: delete", settings: { after: "delete" }, share: 0.2 },
  { name: "capture: copy, after: move", settings: { capture: "copy", after: "move:done" }, share: 0.2 },
];

async function folderScene(backend: Backend, { settings }: Way, random: () => number): Promise<Scene> {
  const { site } = await backend.site();
  const [folder, staging] = [join(site.dir, "files"), join(site.dir, "half-made")];
  mkdirSync(folder);
  mkdirSync(staging);
  const taken = settings.after !== undefined;
  const done = join(folder, "done");
  const left = async (): Promise<string[]> => filesIn(folder).filter((file) => !file.startsWith(`${done}/`));
  const moved = async (): Promise<string[]> => filesIn(done).map((file) => sha256(readFileSync(file)));
  return {
    site,
    source: { path: folder, settle: "100ms", rescan: "2s", ...settings },
    workload: makeWorkload(folderGround({ folder, staging }), random, { taken }),
    longestMs: 500,
    ...(taken ? { taken: { left, moved } } : {}),
    end: async () => site.remove(),
  };
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

function filesIn(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : [];
}

function killsOn(backend: Backend, all: number): void {
  for (const way of WAYS) {
    const rounds = Math.ceil(all * way.share);
    test(`${way.name}: ${rounds} kills at random points lose, double and swap nothing (seed ${SEED})`, {
      timeout: 120_000 + rounds * 6000,
    }, async () => {
      const random = randomOf(SEED);
      await kills(await folderScene(backend, way, random), random, rounds);
    });
  }
}

describe("on directory and SQLite", () => killsOn(onDirectoryAndSqlite, ROUNDS));
describeOnCephAndPostgres("kills", (backend) => killsOn(backend, Math.ceil(ROUNDS / 10)));
