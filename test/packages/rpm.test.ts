/**
 * The .rpm by Debian's rpm in an overlay of a Debian 13, as when an image is built. rpm knows nothing of what dpkg
 * installed there, so what the package requires is read and compared, not resolved.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { run } from "../../installers/run.ts";
import { layOver, type Overlay } from "./overlay.ts";

const { dist, version, nextDist, next, tree } = inject("packages");
const X64 = join(dist, `tributary-agent-${version}-1.x86_64.rpm`);
const ARM64 = join(dist, `tributary-agent-${version}-1.aarch64.rpm`);
const NEXT = join(nextDist, `tributary-agent-${next}-1.x86_64.rpm`);

describe("what the package says of itself", () => {
  test.for([X64, ARM64, NEXT])("%s is as it was made", async (file) => {
    expect(await run("rpm", ["-K", file])).toMatch(/: digests OK\n$/);
  });

  test("the one for arm64 is for aarch64, the one for x64 for x86_64", async () => {
    const header = async (file: string) =>
      await run("rpm", [
        "-qp",
        "--queryformat",
        "%{NAME} %{VERSION} %{ARCH} %{OS} %{PAYLOADCOMPRESSOR}",
        file,
      ]);
    expect(await header(X64)).toBe(`tributary-agent ${version} x86_64 linux gzip`);
    expect(await header(ARM64)).toBe(`tributary-agent ${version} aarch64 linux gzip`);
  });

  test("it requires what its program and scripts need, in names that more than one distribution has", async () => {
    const required = (await run("rpm", ["-qp", "--requires", X64])).trim().split("\n");
    expect(required.filter((one) => !one.startsWith("rpmlib(")).sort()).toEqual([
      "/bin/sh",
      "/bin/sh",
      "/bin/sh",
      "/usr/bin/setfacl",
      "/usr/bin/systemctl",
      "/usr/bin/systemctl",
      "/usr/sbin/useradd",
      "libc.so.6(GLIBC_2.34)(64bit)",
      "libstdc++.so.6(GLIBCXX_3.4.29)(64bit)",
    ]);
  });

  test("what it requires of the C and C++ library is what its program was linked with", async () => {
    const text = await run("strings", ["-a", join(dist, "tributary-agent-linux-x64")]);
    const newest = (name: string): string | undefined =>
      [...text.matchAll(new RegExp(`^${name}_([0-9.]+)$`, "gm"))]
        .map(([, found]) => found as string)
        .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
        .at(-1);
    expect([newest("GLIBC"), newest("GLIBCXX")]).toEqual(["2.34", "3.4.29"]);
  });
});

describe("in an overlay", () => {
  let over: Overlay;
  /** A line in the overlay. */
  const inside = async (line: string): Promise<string> =>
    await over.ok(`chroot ${over.root} /bin/sh -c '${line}'`);

  /** Debian's rpm complains on stderr that it is used at all. */
  async function rpm(words: string): Promise<void> {
    const { code, err } = await over.run(`rpm --root ${over.root} --nodeps ${words}`);
    expect(err.replaceAll(/^rpm: (RPM should not be used|However assuming).*\n/gm, "")).toBe("");
    expect(code).toBe(0);
  }

  beforeAll(async () => {
    over = await layOver(tree);
  });

  afterAll(async () => await over?.stop());

  test("installed, its files, account and folders are there, and the service is enabled", async () => {
    await rpm(`--install ${X64}`);
    expect(await inside("tributary-agent --version")).toBe(`${version}\n`);
    expect(await over.ok(`rpm --root ${over.root} --query --list --verbose tributary-agent`)).toMatch(
      /^-rwxr-xr-x +1 root +root +\d+ .* \/usr\/bin\/tributary-agent\n-rw-r--r-- +1 root +root +\d+ .* \/usr\/lib\/systemd\/system\/tributary-agent\.service\n/,
    );
    expect(await over.ok(`rpm --root ${over.root} --verify --nodeps tributary-agent`)).toBe("");
    expect(await inside('stat -c "%U %G %a" /var/lib/tributary-agent /etc/tributary-agent')).toBe(
      "tributary-agent tributary-agent 700\nroot tributary-agent 2750\n",
    );
    expect(await inside("getent passwd tributary-agent")).toMatch(
      /:\/var\/lib\/tributary-agent:\/usr\/sbin\/nologin\n$/,
    );
    expect(await inside("systemctl is-enabled tributary-agent")).toBe("enabled\n");
  });

  test("without systemd the service's words say so", async () => {
    const said = await over.run(`chroot ${over.root} tributary-agent service install`);
    expect(said.code).toBe(2);
    expect(said.err).toContain("this system does not run systemd");
  });

  test("upgraded, it keeps data, settings and what was disabled", async () => {
    await inside("echo key > /var/lib/tributary-agent/key; echo settings > /etc/tributary-agent/agent.yaml");
    await inside("systemctl disable --quiet tributary-agent");
    await rpm(`--upgrade ${NEXT}`);
    expect(await inside("tributary-agent --version")).toBe(`${next}\n`);
    expect(await inside("cat /var/lib/tributary-agent/key /etc/tributary-agent/agent.yaml")).toBe(
      "key\nsettings\n",
    );
    await expect(inside("systemctl is-enabled tributary-agent")).rejects.toThrow("disabled");
    await inside("systemctl enable --quiet tributary-agent");
  });

  test("erased, program, unit and its link are gone, data and settings stay", async () => {
    await rpm("--erase tributary-agent");
    const left = await over.ok(`cd ${over.root}; find . -xdev -path '*tributary-agent*' | sort`);
    expect(left.trim().split("\n")).toEqual([
      "./etc/tributary-agent",
      "./etc/tributary-agent/agent.yaml",
      "./var/lib/tributary-agent",
      "./var/lib/tributary-agent/key",
    ]);
  });

  test("installed again, it is enabled again and finds its data", async () => {
    await rpm(`--install ${NEXT}`);
    expect(await inside("systemctl is-enabled tributary-agent; cat /var/lib/tributary-agent/key")).toBe(
      "enabled\nkey\n",
    );
  });
});
