import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openQueueFile } from "./database.ts";
import { isDataFolderLocked, lockDataFolder } from "./lock.ts";

const NO_DATABASE = "this is text, and long enough to be taken for the header of a database";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-queue-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("a damaged queue says which file, and what to do", () => {
  const file = join(dir, "queue.sqlite");
  writeFileSync(file, NO_DATABASE);
  expect(() => openQueueFile(file)).toThrow(
    expect.objectContaining({
      code: "queue-unusable",
      message: expect.stringMatching(new RegExp(`^the queue ${file} is damaged: .*move this file .*away`)),
    }),
  );
});

test("a queue in a folder that is not there", () => {
  const file = join(dir, "missing", "queue.sqlite");
  expect(() => openQueueFile(file)).toThrow(/^cannot open the queue .*check --data$/);
});

test("a damaged lock may be removed", () => {
  writeFileSync(join(dir, "run.lock"), NO_DATABASE);
  expect(() => lockDataFolder(dir)).toThrow(/run.lock is damaged: .*remove it while no agent runs/);
  expect(() => isDataFolderLocked(dir)).toThrow(/remove it while no agent runs/);
});
