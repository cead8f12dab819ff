import { resolve } from "node:path";
import { expect, test } from "vitest";
import { dataFolder, type Surroundings } from "./place.ts";

const bare: Surroundings = { env: {}, platform: "linux", checkout: undefined, exists: () => false };

test.for<[string, string | undefined, Partial<Surroundings>, string]>([
  [
    "--data wins over everything",
    "given",
    { env: { TRIBUTARY_DATA: "/t" }, checkout: "/c" },
    resolve("given"),
  ],
  ["TRIBUTARY_DATA is the folder itself", undefined, { env: { TRIBUTARY_DATA: "/t" }, checkout: "/c" }, "/t"],
  [
    "or the one that holds a folder per side",
    undefined,
    { env: { TRIBUTARY_DATA: "/t" }, exists: (p) => p === "/t/agent" },
    "/t/agent",
  ],
  [
    "an empty TRIBUTARY_DATA is none",
    undefined,
    { env: { TRIBUTARY_DATA: "" }, checkout: "/c" },
    "/c/.tributary/agent",
  ],
  ["in a checkout below its root", undefined, { checkout: "/c" }, "/c/.tributary/agent"],
  ["installed on Linux", undefined, {}, "/var/lib/tributary-agent"],
])("%s", ([, given, around, expected]) => {
  expect(dataFolder("agent", given, { ...bare, ...around })).toBe(expected);
});

test("this is a checkout", () => {
  expect(dataFolder("receiver", undefined)).toMatch(/\.tributary.receiver$/);
});
