import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Install, openInstall } from "./install.ts";

const DEB = "tributary-agent_0.1.0_amd64.deb";
const MSI = "tributary-agent-0.1.0-x64.msi";
const sha256 = (bytes: string): string => createHash("sha256").update(bytes).digest("hex");

let dir: string;
let folder: string;
let install: Install;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-install-"));
  folder = join(dir, "install");
  mkdirSync(folder);
  install = openInstall([folder, join(dir, "packaged")]);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string, content: string): void => writeFileSync(join(folder, name), content);

test("hands out the packages and their scripts, and nothing else of the folder", async () => {
  put(DEB, "deb");
  put(MSI, "msi");
  put("manifest.json", "{}");
  put("secret", "s");
  mkdirSync(join(folder, "tributary-agent_0.2.0_arm64.deb"));
  const linux = await install.script("linux");
  const windows = await install.script("windows");
  expect(Object.fromEntries(await install.list())).toEqual({
    "linux.sh": linux.sha256,
    "windows.ps1": windows.sha256,
    [DEB]: sha256("deb"),
    [MSI]: sha256("msi"),
  });
  for (const name of ["secret", "manifest.json", "../install/secret", "tributary-agent_0.2.0_arm64.deb", ""])
    expect(await install.open(name), name).toBeUndefined();
  const file = await install.open(DEB);
  expect([file?.size, file?.sha256, await text(file?.read() ?? Readable.from([]))]).toEqual([
    3,
    sha256("deb"),
    "deb",
  ]);
  const script = await install.open("linux.sh");
  expect([await text(script?.read() ?? Readable.from([])), script?.sha256]).toEqual([
    linux.text,
    sha256(linux.text),
  ]);
});

test("a script says what the packages are now, and nothing of the receiver's settings", async () => {
  put(DEB, "deb");
  const before = await install.script("linux");
  expect(before.text).toContain(`deb-x64) file=${DEB} size=3 sha256=${sha256("deb")} ;;`);
  expect(before.text).toMatch(
    /rpm-arm64\) fail "this host needs tributary-agent-VERSION-1.aarch64.rpm, which/,
  );
  expect(before.missing).toContain("tributary-agent_VERSION_arm64.deb");
  expect((await openInstall([folder]).script("linux")).sha256).toBe(before.sha256);
  // Of the same size, as fast as it can be done, and with the old one's times: it is another file.
  put("other", "abd");
  renameSync(join(folder, "other"), join(folder, DEB));
  expect((await install.script("linux")).text).toContain(sha256("abd"));
  put("tributary-agent_0.1.1_amd64.deb", "newer");
  expect((await install.script("linux")).text).toContain("tributary-agent_0.1.1_amd64.deb size=5");
  expect([...(await install.list()).keys()]).toContain(DEB);
});

test("no package: it says where one is missing and how it comes there", async () => {
  put(DEB, "deb");
  await expect(install.script("windows")).rejects.toThrow(
    `there is no tributary-agent-VERSION-x64.msi in ${folder}; put the packages of \`npm run package\` there`,
  );
  expect([...(await install.list()).keys()]).toEqual(["linux.sh", DEB]);
  expect(await install.open("windows.ps1")).toBeUndefined();
});

test("the second place counts while the first is not there; neither is an empty list", async () => {
  rmSync(folder, { recursive: true });
  expect((await install.list()).size).toBe(0);
  await expect(install.script("linux")).rejects.toThrow(`in ${folder};`);
  mkdirSync(join(dir, "packaged"));
  symlinkSync("/etc/hostname", join(dir, "packaged", "linux.sh"));
  writeFileSync(join(dir, "packaged", MSI), "msi");
  expect([...(await install.list()).keys()]).toEqual(["windows.ps1", MSI]);
  mkdirSync(folder);
  expect((await install.list()).size).toBe(0);
});
