import { describe, expect, test } from "vitest";
import { compareVersions, newestOf, packageNamed } from "./packages.ts";

describe("a package by its name", () => {
  test.for<[string, string, string]>([
    ["tributary-agent_0.1.0_amd64.deb", "deb-x64", "0.1.0"],
    ["tributary-agent_0.1.0_arm64.deb", "deb-arm64", "0.1.0"],
    ["tributary-agent-12.0.3-1.x86_64.rpm", "rpm-x64", "12.0.3"],
    ["tributary-agent-0.1.0-1.aarch64.rpm", "rpm-arm64", "0.1.0"],
    ["tributary-agent-0.1.0-linux-x64.tar.gz", "tar.gz-x64", "0.1.0"],
    ["tributary-agent-0.1.0-linux-arm64.tar.gz", "tar.gz-arm64", "0.1.0"],
    ["tributary-agent-0.1.0-x64.msi", "msi-x64", "0.1.0"],
  ])("%s", ([name, form, version]) => {
    const found = packageNamed(name);
    expect([`${found?.form.kind}-${found?.form.arch}`, found?.version]).toEqual([form, version]);
  });

  test.for([
    "SHA256SUMS",
    "manifest.json",
    "tributary-receiver_0.1.0_amd64.deb",
    "tributary-agent-win-x64.exe",
    "tributary-agent_0.1.0_amd64.deb.part",
    "tributary-agent_../../etc/passwd_amd64.deb",
    "tributary-agent_$(reboot)_amd64.deb",
    "tributary-agent_0.1_amd64.deb",
    "tributary-agent_0.1.0\n_amd64.deb",
    "",
  ])("%j is none", (name) => {
    expect(packageNamed(name)).toBeUndefined();
  });
});

test("the newest of each form counts, by numbers and not by letters", () => {
  const names = [
    "tributary-agent_0.9.1_amd64.deb",
    "tributary-agent_0.10.0_amd64.deb",
    "tributary-agent_0.2.30_amd64.deb",
    "tributary-agent_0.1.0_arm64.deb",
    "tributary-agent-9.9.9-x64.msi",
  ].flatMap((name) => packageNamed(name) ?? []);
  expect(newestOf(names, "linux").map((one) => one.name)).toEqual([
    "tributary-agent_0.10.0_amd64.deb",
    "tributary-agent_0.1.0_arm64.deb",
  ]);
  expect(newestOf(names, "windows")).toHaveLength(1);
  expect(compareVersions("1.0.0", "1.0.0")).toBe(0);
  expect(compareVersions("0.99.99", "1.0.0")).toBeLessThan(0);
});
