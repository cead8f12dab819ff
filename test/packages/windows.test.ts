/** The .msi under Wine 10, which is not Windows, from its silent installation to its removal; the receiver runs beside it. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test, vi } from "vitest";
import type { Running } from "../site/process.ts";
import { get, makeSite, type Site } from "../site/site.ts";
import { brokenCode } from "./code.ts";
import { startWine, type Wine } from "./wine.ts";

const { dist, version, nextDist, next, tree } = inject("packages");
const msi = (of: string): string => `tributary-agent-${of}-x64.msi`;
const PROGRAMS = "Program Files/Tributary/Agent";
const DATA = "ProgramData/Tributary/Agent";

describe("what the .msi says about itself", () => {
  const table = (name: string): string =>
    execFileSync("msiinfo", ["export", join(dist, msi(version)), name], { encoding: "utf8" });

  test("code and password are hidden from the installer's log (Wine writes them all the same, Windows does not)", () => {
    expect(table("Property")).toMatch(/^MsiHiddenProperties\tCODE;PASSWORD;Setup\r?$/m);
    const type = Number(/^Setup\t(\d+)\t/m.exec(table("CustomAction"))?.[1]);
    // Deferred, as the system, its data hidden.
    expect(type & 0x2c00).toBe(0x2c00);
  });

  test("both versions are one product, so that the new one takes the old one's place", () => {
    const codeOf = (file: string): string | undefined =>
      /^UpgradeCode\t(\S+)/m.exec(
        execFileSync("msiinfo", ["export", file, "Property"], { encoding: "utf8" }),
      )?.[1];
    expect(codeOf(join(nextDist, msi(next)))).toBe(codeOf(join(dist, msi(version))));
  });

  // What Wine does not look at, and Windows does.
  test("an upgrade writes every file anew, whatever version the programs bear", () => {
    expect(table("Property")).toMatch(/^REINSTALLMODE\tamus\r?$/m);
  });

  test("another build of the same version takes the first one's place", () => {
    expect(table("Upgrade")).toMatch(/\t513\t\tWIX_UPGRADE_DETECTED\r?$/m);
  });

  test("started where Windows leaves out what it was given, it installs nothing", () => {
    expect(table("LaunchCondition")).toMatch(
      /^Installed OR NOT RestrictedUserControl\t.*Run as administrator/m,
    );
  });
});

describe("the .msi under Wine 10", () => {
  let wine: Wine;
  let site: Site;
  let receiver: Running;
  let exports: string;

  beforeAll(async () => {
    [wine, site] = await Promise.all([startWine(tree), makeSite()]);
    receiver = await site.serve();
    await site.command("client", "add", "acme");
    copyFileSync(join(dist, msi(version)), join(wine.driveC, msi(version)));
    copyFileSync(join(nextDist, msi(next)), join(wine.driveC, msi(next)));
    exports = join(wine.driveC, "Tägliche Exporte");
    mkdirSync(exports);
    writeFileSync(join(exports, "first.csv"), "a,b\n1,2\n");
  });

  afterAll(async () => {
    await wine?.stop();
    await receiver?.stop();
    site?.remove();
  });

  const invitation = async (): Promise<string> =>
    (await site.command("agent", "invite", "--client", "acme")).trim();

  const install = async (
    code: string,
    words: string,
  ): Promise<{ readonly code: number; readonly said: string }> =>
    await wine.msiexec(`/i C:\\${msi(version)} CODE=${code} ${words}`);

  const delivered = async (path: string): Promise<Buffer> => {
    await vi.waitUntil(async () => (await site.history("--client", "acme", "--path", path)).length > 0, {
      timeout: 30_000,
      interval: 300,
    });
    const [entry] = await site.history("--client", "acme", "--path", path, "--latest");
    if (entry?.kind !== "version") throw new Error(`${path} is not there as a version`);
    return await get(site, entry.versionId);
  };

  const state = async (): Promise<{ readonly state: string; readonly pid?: number }> =>
    JSON.parse((await wine.agent("service status --json")).out);

  const log = (): string => readFileSync(join(wine.driveC, DATA, "logs/agent.log"), "utf8");

  const left = async (): Promise<readonly unknown[]> => [
    existsSync(join(wine.driveC, PROGRAMS)) && readdirSync(join(wine.driveC, PROGRAMS)),
    existsSync(join(wine.driveC, DATA)),
    (await wine.run("sc query TributaryAgent")).code,
  ];
  /** What Windows says of a service that it does not know. */
  const NO_SUCH_SERVICE = 1060 % 256;

  test("each door of failure leaves nothing behind and says why: no folder, a wrong code, a receiver that is down", async () => {
    const code = await invitation();
    const folder = await install(code, String.raw`FOLDER=D:\nowhere`);
    expect(folder.code).not.toBe(0);
    expect(folder.said).toMatch(/D:\\nowhere: there is no such folder.*the code is still good/);

    const wrong = await install(brokenCode(code), String.raw`FOLDER="C:\Tägliche Exporte"`);
    expect(wrong.code).not.toBe(0);
    expect(wrong.said).toContain("this receiver did not make this code");

    await receiver.stop();
    const down = await install(code, String.raw`FOLDER="C:\Tägliche Exporte"`);
    receiver = await site.serve();
    expect(down.code).not.toBe(0);
    expect(down.said).toContain("127.0.0.1");

    for (const { said } of [folder, wrong, down]) expect(said).not.toContain("trb1_");
    expect(await left()).toEqual([false, false, NO_SUCH_SERVICE]);
  });

  test("one silent command: the service runs, the folder's file is at the receiver, and doctor finds all well", async () => {
    const done = await install(await invitation(), String.raw`FOLDER="C:\Tägliche Exporte" NAME=exports`);
    onTestFailed(() => console.error(done.said));
    expect(done.code).toBe(0);
    expect(done.said).not.toContain("trb1_");
    expect(done.said).toMatch(/ok {4}service: it runs as LocalSystem/);
    expect(done.said).not.toMatch(/: (fail|warn) /);
    expect((await delivered("first.csv")).toString()).toBe("a,b\n1,2\n");
    expect(existsSync(join(wine.driveC, DATA, "key"))).toBe(true);
    // Wine shows a new folder's access list that names no others as a mode without them.
    expect(statSync(join(wine.driveC, DATA)).mode & 0o007).toBe(0);
    expect((await wine.run("tributary-agent --version")).out.trim()).toBe(version);
    expect((await wine.agent("doctor")).code).toBe(0);
    expect(await state()).toMatchObject({ state: "running", account: "LocalSystem", atBoot: true });
  });

  test("bytes arrive as they are; long paths, umlauts, another drive and a share", async () => {
    const bytes = randomBytes(3_000_000);
    const deep = Array.from({ length: 8 }, (_, i) => `ordner-${i}-${"x".repeat(40)}`).join("/");
    mkdirSync(join(exports, deep), { recursive: true });
    writeFileSync(join(exports, deep, "größe.bin"), bytes);
    expect(await delivered(`${deep}/größe.bin`)).toEqual(bytes);

    const drive = join(site.dir, "drive-d");
    mkdirSync(join(drive, "data"), { recursive: true });
    mkdirSync(join(wine.driveC, "second/data"), { recursive: true });
    writeFileSync(join(wine.driveC, "second/data/d.txt"), "on D:");
    symlinkSync("../drive_c/second", join(wine.devices, "d:"));
    expect((await wine.agent(String.raw`add-folder D:\data --name drive-d`)).code).toBe(0);
    expect((await delivered("d.txt")).toString()).toBe("on D:");

    mkdirSync(join(wine.driveC, "shared"));
    mkdirSync(join(wine.devices, "unc/server"), { recursive: true });
    symlinkSync("../../../drive_c/shared", join(wine.devices, "unc/server/share"));
    writeFileSync(join(wine.driveC, "shared/u.txt"), "on a share");
    expect((await wine.agent(String.raw`add-folder \\server\share --name share --share`)).code).toBe(0);
    expect((await delivered("u.txt")).toString()).toBe("on a share");
  });

  test("killed, the agent comes back and goes on", async () => {
    await wine.kill("[t]ributary-agent.exe.*run");
    writeFileSync(join(exports, "killed.csv"), "k");
    await delivered("killed.csv");
    expect(await state()).toMatchObject({ state: "running" });
  });

  test("stopped, it ends by itself; its log is turned over when it is full", async () => {
    const stopped = await wine.agent("service stop");
    expect(stopped).toMatchObject({ code: 0, out: expect.stringMatching(/^stopped, as LocalSystem/) });
    expect(log()).toMatch(/"msg":"stopped"/);
    const doctor = await wine.agent("doctor");
    expect(doctor).toMatchObject({ code: 1, out: expect.stringMatching(/^fail {2}service: it is stopped/m) });
    appendFileSync(join(wine.driveC, DATA, "logs/agent.log"), `${"filled\n".repeat(1_600_000)}`);
    const started = await wine.agent("service start");
    expect(started).toMatchObject({ code: 0, out: expect.stringMatching(/^running, pid \d+/) });
    await vi.waitUntil(() => existsSync(join(wine.driveC, DATA, "logs/agent.1.log")), { timeout: 20_000 });
    await vi.waitUntil(() => statSync(join(wine.driveC, DATA, "logs/agent.log")).size < 1_000_000, {
      timeout: 20_000,
    });
  });

  test("an upgrade keeps key, settings and what waits, and sends what came meanwhile", async () => {
    const kept = (): string[] =>
      ["key", "agent.yaml"].map((name) => readFileSync(join(wine.driveC, DATA, name), "utf8"));
    const before = kept();
    await receiver.stop();
    writeFileSync(join(exports, "waits.csv"), "w");
    await vi.waitUntil(async () => /^waiting +1 /m.test((await wine.agent("status")).out), {
      timeout: 30_000,
      interval: 500,
    });
    const done = await wine.msiexec(`/i C:\\${msi(next)}`);
    onTestFailed(() => console.error(done.said));
    // The receiver is down, which is no reason to take an upgrade back.
    expect(done.code).toBe(0);
    expect((await wine.agent("--version")).out.trim()).toBe(next);
    expect(kept()).toEqual(before);
    receiver = await site.serve();
    expect((await delivered("waits.csv")).toString()).toBe("w");
    expect(await state()).toMatchObject({ state: "running" });
  });

  test("removed, it leaves its data alone, and with PURGE=1 not even that", async () => {
    expect((await wine.msiexec(`/x C:\\${msi(next)}`)).code).toBe(0);
    expect(await left()).toEqual([false, true, NO_SUCH_SERVICE]);
    expect(existsSync(join(wine.driveC, DATA, "key"))).toBe(true);
    expect((await wine.msiexec(`/i C:\\${msi(next)}`)).code).toBe(0);
    writeFileSync(join(exports, "again.csv"), "again");
    await delivered("again.csv");
    const agents = (await site.command("agent", "list", "--json")).trim().split("\n");
    expect(agents).toHaveLength(1);
    expect((await wine.msiexec(`/x C:\\${msi(next)} PURGE=1`)).code).toBe(0);
    expect(await left()).toEqual([false, false, NO_SUCH_SERVICE]);
    expect(
      (
        await wine.run(
          "reg query HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\TributaryAgent",
        )
      ).code,
    ).not.toBe(0);
    rmSync(exports, { recursive: true });
  });
});
