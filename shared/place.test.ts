import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { dataFolder, type Surroundings, settingsFile } from "./place.ts";

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

describe("the settings' file", () => {
  const around = (more: Partial<Surroundings>): Surroundings => ({
    env: {},
    platform: "linux",
    checkout: undefined,
    exists: () => false,
    ...more,
  });
  test.for<[string, Parameters<typeof settingsFile>[1], Partial<Surroundings>, string]>([
    ["an installed program has it where administrators look", {}, {}, "/etc/tributary-agent/agent.yaml"],
    ["--config names it", { config: "/x/a.yaml" }, {}, "/x/a.yaml"],
    ["with --data it lies there", { data: "/d" }, {}, "/d/agent.yaml"],
    ["with TRIBUTARY_DATA too", {}, { env: { TRIBUTARY_DATA: "/t" } }, "/t/agent.yaml"],
    ["a checkout has its own", {}, { checkout: "/c" }, "/c/.tributary/agent/agent.yaml"],
    [
      "elsewhere it lies with the data",
      {},
      { platform: "darwin" },
      "/Library/Application Support/Tributary/agent/agent.yaml",
    ],
  ])("%s", ([, given, more, file]) => {
    expect(settingsFile("agent", given, around(more))).toBe(file);
  });
});
