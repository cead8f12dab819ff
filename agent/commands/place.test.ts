import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { placeOf, settledPlaceOf } from "./place.ts";

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "tributary-place-"));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

test("no settings yet is a beginning", () => {
  expect(settledPlaceOf({ data })).toEqual({ data, config: join(data, "agent.yaml") });
});

test("settings that were named must be there, except for who makes them", () => {
  const config = join(data, "agnet.yaml");
  expect(() => settledPlaceOf({ data, config })).toThrow(/agnet.yaml, which does not exist.*add-folder/);
  expect(placeOf({ data, config }).config).toBe(config);
  writeFileSync(config, "");
  expect(settledPlaceOf({ data, config }).config).toBe(config);
});
