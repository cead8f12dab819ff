import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ServiceManager, ServiceStatus } from "../service/manager.ts";
import { serviceFinding } from "./service-finding.ts";
import { installService, sourceName } from "./service-install.ts";

test.for<[string, string]>([
  ["/srv/exports", "exports"],
  ["/srv/Daily Exports", "daily-exports"],
  ["/srv/Tägliche Exporte/", "tagliche-exporte"],
  ["/srv/..hidden--x", "hidden-x"],
  [`/srv/${"a".repeat(80)}`, "a".repeat(63)],
  [`/srv/${"a".repeat(62)} b`, "a".repeat(62)],
  ["/", "files"],
  ["/srv/数据", "files"],
])("the folder %s is the source %s when nobody names it", ([path, name]) => {
  expect(sourceName(path)).toBe(name);
});

/** A manager that notes what is done to it. */
function manager(status: ServiceStatus): ServiceManager & { readonly done: string[] } {
  const done: string[] = [];
  const note = (what: string) => (): void => void done.push(what);
  return {
    done,
    log: "the log",
    requireRights: () => {},
    status: () => status,
    prepare: () => {
      done.push("prepare");
      return { undo: note("undo") };
    },
    grant: note("grant"),
    mayRead: () => true,
    hides: (folder) => folder.startsWith("/hidden"),
    start: note("start"),
    stop: note("stop"),
    uninstall: () => [],
  };
}

describe("service install refuses before anything is made", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "service-"));
    mkdirSync(join(dir, "exports"));
    process.env["TRIBUTARY_DATA"] = join(dir, "data");
  });
  afterEach(() => {
    delete process.env["TRIBUTARY_DATA"];
    rmSync(dir, { recursive: true });
  });

  test.for<[string, Parameters<typeof installService>[1], RegExp]>([
    ["a code that is none", { code: "abc" }, /begins with trb1_/],
    ["a code cut short", { code: "trb1_eyJ1" }, /a part of it is missing/],
    [
      "a folder that is not there",
      { folder: "nowhere" },
      /nowhere: there is no such folder.*the code is still good/,
    ],
    ["a file instead of a folder", { folder: import.meta.filename }, /is not a folder/],
    ["a name without a folder", { name: "exports" }, /name the folder too/],
  ])("%s", async ([, options, message]) => {
    const fake = manager({ state: "absent" });
    await expect(installService(fake, options)).rejects.toThrow(message);
    expect(fake.done).toEqual([]);
  });

  test("a folder that the service would never see", async () => {
    const fake = { ...manager({ state: "absent" }), hides: () => true };
    await expect(installService(fake, { folder: join(dir, "exports") })).rejects.toThrow(
      /a folder of its own there/,
    );
    expect(fake.done).toEqual([]);
  });

  test("without a code the service is made and left alone", async () => {
    const fake = manager({ state: "stopped" });
    expect(await installService(fake, {})).toBe(0);
    expect(fake.done).toEqual(["prepare"]);
  });
});

describe("what doctor says of the service", () => {
  const sources = [{ name: "exports", path: "/srv/exports" }];
  test.for<[ServiceStatus, string, RegExp]>([
    [
      { state: "running", pid: 7, account: "tributary-agent", atBoot: true },
      "ok",
      /runs as tributary-agent \(pid 7\)/,
    ],
    [{ state: "running", pid: 7, atBoot: false }, "warn", /does not start with the system/],
    [{ state: "failed", why: "exit-code, exit code 1" }, "fail", /it is failed \(exit-code, exit code 1\)/],
    [{ state: "stopped" }, "fail", /it is stopped/],
    [{ state: "absent" }, "warn", /there is none/],
  ])("%o", ([status, level, says]) => {
    const finding = serviceFinding(manager(status), sources);
    expect(finding.level).toBe(level);
    expect(finding.says).toMatch(says);
  });

  test("a folder that it never sees is a failure, however well it runs", () => {
    const running = manager({ state: "running", pid: 7, atBoot: true });
    expect(serviceFinding(running, [{ name: "tmp", path: "/hidden/x" }])).toMatchObject({ level: "fail" });
  });

  test("a manager that cannot be asked is no failure of the files' way", () => {
    const broken = {
      ...manager({ state: "absent" }),
      status: () => {
        throw new Error("no bus");
      },
    };
    expect(serviceFinding(broken, sources)).toMatchObject({
      level: "warn",
      says: "it cannot be asked: no bus",
    });
  });
});
