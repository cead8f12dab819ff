import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redactor } from "@tributary/shared/redactor.ts";
import { Command } from "commander";
import { afterEach, beforeEach, expect, test } from "vitest";
import { placeToRead } from "./place.ts";
import { addRun } from "./run.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-place-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("a --config that is not there is refused by name, before anything runs", async () => {
  const program = new Command().exitOverride();
  addRun(program, () => expect.fail("it runs"), new Redactor());
  const config = join(dir, "agnet.yaml");
  await expect(
    program.parseAsync(["run", "--data", dir, "--config", config], { from: "user" }),
  ).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining(`${config}: there is no such file`),
  });
});

test("without --config a file that is not there yet is none that was mistyped", () => {
  expect(placeToRead({ data: dir }).config).toBe(join(dir, "agent.yaml"));
  const config = join(dir, "other.yaml");
  writeFileSync(config, "");
  expect(placeToRead({ data: dir, config }).config).toBe(config);
});
