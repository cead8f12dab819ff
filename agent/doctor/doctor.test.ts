import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addressOf, checkAddress } from "./address.ts";
import { checkAfter } from "./after.ts";
import { checkAuthorised, notAsked } from "./authorised.ts";
import { checkClock } from "./clock.ts";
import { checkDataFolder } from "./data-folder.ts";
import { checkDns } from "./dns.ts";
import { checkEvents, type Listen } from "./events.ts";
import { checkFolder } from "./folder.ts";
import { checkInotify, countFolders, inotifyLimits } from "./inotify.ts";
import { checkProxy, proxyAddress } from "./proxy.ts";
import { checkSpace } from "./space.ts";
import { checkTcp } from "./tcp.ts";
import { validity } from "./tls.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-doctor-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const MIB = 2 ** 20;
const NOW = Date.parse("2026-05-05T12:00:00Z");

test.for<[string, string]>([
  ["https://receiver.example.com", "ok"],
  ["https://[::1]:8443", "ok"],
  ["http://receiver.example.com", "fail"],
  ["receiver", "fail"],
])("address %s: %s", ([url, level]) => {
  expect(checkAddress(url).level).toBe(level);
});

test("an address is what a socket needs", () => {
  expect(addressOf("https://[::1]:8443")).toEqual({ host: "::1", port: 8443 });
  expect(addressOf("https://r.example.com")).toEqual({ host: "r.example.com", port: 443 });
});

describe("dns", () => {
  test("an address needs no name server", async () => {
    const never = async (): Promise<never> => expect.fail("asked");
    expect((await checkDns("127.0.0.1", never)).level).toBe("ok");
  });

  test("says what the name is", async () => {
    expect((await checkDns("r.example.com", async () => ["192.0.2.7"])).says).toContain("192.0.2.7");
  });

  test("fails for a name that is not known", async () => {
    expect((await checkDns("no-such-name.invalid")).level).toBe("fail");
  });
});

describe("proxy", () => {
  const url = new URL("https://r.example.com");

  test.for<[string, string | undefined, Record<string, string>, string, string | undefined]>([
    ["none", undefined, {}, "ok", undefined],
    ["configured", "http://p:3128", { HTTPS_PROXY: "http://q:1" }, "ok", "p:3128"],
    ["of the environment", undefined, { HTTPS_PROXY: "http://q:1" }, "ok", "q:1"],
    ["bypassed", undefined, { HTTPS_PROXY: "http://q:1", NO_PROXY: "example.com" }, "ok", undefined],
    ["not a proxy", undefined, { HTTPS_PROXY: "ftp://q:1" }, "fail", undefined],
  ])("%s", ([, configured, env, level, host]) => {
    const { finding, proxy } = checkProxy(url, configured, env);
    expect([finding.level, proxy?.host]).toEqual([level, host]);
  });

  test("its address", () => {
    expect(proxyAddress(new URL("http://p"))).toEqual({ host: "p", port: 80 });
    expect(proxyAddress(new URL("http://p:3128"))).toEqual({ host: "p", port: 3128 });
  });
});

describe("tcp", () => {
  const listening = async (server: Server): Promise<number> =>
    await new Promise((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
    );

  test("an open port, then the same port closed", async () => {
    const server = createServer();
    const port = await listening(server);
    expect((await checkTcp("the receiver", { host: "127.0.0.1", port })).level).toBe("ok");
    await new Promise((resolve) => server.close(resolve));
    const found = await checkTcp("the receiver", { host: "127.0.0.1", port });
    expect(found.level).toBe("fail");
    expect(found.says).toContain("ECONNREFUSED");
  });
});

test.for<[string, number | undefined, string]>([
  ["trusted", NOW + 60 * 86_400_000, "ok"],
  ["ends soon", NOW + 86_400_000, "warn"],
  ["seen only once", undefined, "ok"],
])("tls: %s", ([, until, level]) => {
  const found = validity("CN=Example", until, NOW);
  expect(found.level).toBe(level);
  expect(found.says).toContain("CN=Example");
});

test.for<[string, string | undefined, string]>([
  ["right", "Tue, 05 May 2026 12:00:01 GMT", "ok"],
  ["a day ahead", "Mon, 04 May 2026 12:00:00 GMT", "warn"],
  ["a day behind", "Wed, 06 May 2026 12:00:00 GMT", "warn"],
  ["unknown", undefined, "warn"],
  ["unreadable", "yesterday", "warn"],
])("clock: %s", ([, date, level]) => {
  expect(checkClock(date, NOW).level).toBe(level);
});

describe("authorised", () => {
  const reply = { detail: "because", date: undefined, clients: undefined };

  test("a receiver that knows this agent says for whom it acts", () => {
    const clients = [{ name: "demo", suspended: false }];
    expect(checkAuthorised({ ...reply, status: 200, code: undefined, clients }, "a").level).toBe("ok");
  });

  test.for(["agent-revoked", "agent-forked", "unauthenticated", undefined])("fails: %s", (code) => {
    const found = checkAuthorised({ ...reply, status: 403, code }, "a");
    expect(found.level).toBe("fail");
    expect(found.todo).toBeTruthy();
  });

  test("fails when nobody answers", () => {
    expect(notAsked(new Error("cut")).says).toBe("cut");
  });
});

describe("data folder and key", () => {
  test("closed key in a writable folder", async () => {
    const key = join(dir, "key");
    writeFileSync(key, "secret", { mode: 0o600 });
    expect((await checkDataFolder(dir, key, true)).map((f) => f.level)).toEqual(["ok", "ok"]);
  });

  test.skipIf(process.platform === "win32")("a key that others may read", async () => {
    const key = join(dir, "key");
    writeFileSync(key, "secret");
    chmodSync(key, 0o644);
    const [, found] = await checkDataFolder(dir, key, true);
    expect(found?.level).toBe("fail");
    expect(found?.todo).toContain("chmod 600");
  });

  test.skipIf(process.platform === "win32")("the key of secrets, where there is one", async () => {
    const key = join(dir, "key");
    writeFileSync(key, "secret", { mode: 0o600 });
    writeFileSync(join(dir, "secret-key"), "secret", { mode: 0o600 });
    expect((await checkDataFolder(dir, key, true)).map((f) => f.level)).toEqual(["ok", "ok", "ok"]);
    chmodSync(join(dir, "secret-key"), 0o640);
    const [, , found] = await checkDataFolder(dir, key, true);
    expect(found).toMatchObject({ check: "secret key", level: "fail" });
    expect(found?.todo).toContain("change the secrets where they count");
  });

  test("neither is there", async () => {
    const missing = join(dir, "missing");
    const found = await checkDataFolder(missing, join(missing, "key"));
    expect(found.map((f) => f.level)).toEqual(["fail", "fail"]);
  });
});

describe("a source's folder", () => {
  test("is there", async () => {
    expect((await checkFolder("pos", dir)).level).toBe("ok");
  });

  test("is not there, or is a file", async () => {
    writeFileSync(join(dir, "file"), "");
    const missing = await checkFolder("pos", join(dir, "missing"));
    const file = await checkFolder("pos", join(dir, "file"));
    expect([missing.level, file.level]).toEqual(["fail", "fail"]);
    expect(missing.says).toContain("not there");
    expect(file.says).toContain("not a folder");
  });
});

describe("after", () => {
  const closed = (folder: string) => async (asked: string) => {
    if (asked === folder) throw new Error(`EACCES: permission denied, access '${asked}'`);
  };

  test("keep needs nothing", async () => {
    expect(await checkAfter({ name: "pos", path: dir, after: "keep" })).toBeUndefined();
  });

  test("delete and move need a source that may be written", async () => {
    for (const after of ["delete", "move:done"]) {
      expect(await checkAfter({ name: "pos", path: dir, after })).toMatchObject({ level: "ok" });
      const found = await checkAfter({ name: "pos", path: dir, after }, closed(dir));
      expect(found).toMatchObject({ check: "after pos", level: "fail" });
    }
  });

  test("move needs a target that may be written, or made", async () => {
    const path = join(dir, "inbox");
    const done = join(dir, "done");
    mkdirSync(path);
    const moved = { name: "pos", path, after: `move:${done}` };
    expect(await checkAfter(moved, closed(dir))).toMatchObject({ level: "fail" });
    mkdirSync(done);
    expect(await checkAfter(moved, closed(dir))).toMatchObject({ level: "ok" });
    expect(await checkAfter(moved, closed(done))).toMatchObject({ level: "fail" });
    writeFileSync(join(dir, "file"), "");
    const found = await checkAfter({ ...moved, after: "move:../file/done" });
    expect(found).toMatchObject({ level: "fail", says: expect.stringContaining("is a file") });
  });

  // Nothing is closed to root, and Windows has other rights: there the fakes above have to do.
  if (process.platform !== "win32" && process.getuid?.() !== 0)
    test("a folder that is closed to this account", async () => {
      chmodSync(dir, 0o500);
      expect(await checkAfter({ name: "pos", path: dir, after: "delete" })).toMatchObject({ level: "fail" });
      chmodSync(dir, 0o700);
    });
});

test.for<[string, number, number, string]>([
  ["plenty", 5000 * MIB, 0, "ok"],
  ["getting low", 500 * MIB, 0, "warn"],
  ["less than copies may take", 5000 * MIB, 10_000 * MIB, "warn"],
  ["full", MIB, 0, "fail"],
])("disk space: %s", async ([, free, spool, level]) => {
  expect((await checkSpace("/data", spool, async () => free)).level).toBe(level);
});

test("disk space of a folder that is not there", async () => {
  expect((await checkSpace(join(dir, "missing"), 0)).level).toBe("fail");
});

describe("file events", () => {
  const local = async (): Promise<undefined> => undefined;
  const source = () => ({ name: "pos", path: dir, rescan: 300_000, share: false });

  test("arrive from a real folder, and the probe is gone afterwards", async () => {
    const found = await checkEvents(source());
    expect(found).toMatchObject({ level: "ok", says: `file events arrive from ${dir}` });
    expect(readdirSync(dir)).toEqual([]);
  });

  test("do not arrive", async () => {
    const deaf: Listen = async () => ({ heard: async () => false, close: () => {} });
    const found = await checkEvents(source(), deaf, local);
    expect(found.level).toBe("warn");
    expect(found.says).toContain("rescans every 5 min");
    expect(readdirSync(dir)).toEqual([]);
  });

  test("cannot be watched", async () => {
    const refuse: Listen = async () => {
      throw new Error("ENOSPC: System limit for number of file watchers reached");
    };
    expect((await checkEvents(source(), refuse, local)).says).toContain("cannot be watched");
  });

  test("are not tried where this account may not write", async () => {
    const path = join(dir, "missing");
    const ear: Listen = async () => ({ heard: async () => true, close: () => {} });
    const found = await checkEvents({ ...source(), path }, ear, local);
    expect(found).toMatchObject({ level: "ok" });
    expect(found.says).toContain("not tried");
  });

  test("of other hosts never arrive from a share", async () => {
    const never: Listen = async () => expect.fail("listened");
    const nfs = await checkEvents(source(), never, async () => "NFS");
    expect(nfs.says).toContain("lies on NFS");
    expect(nfs.todo).toContain("share: true");
    expect((await checkEvents({ ...source(), share: true }, never, local)).level).toBe("warn");
  });
});

describe("inotify", () => {
  test.for<[string, number, number, number, string]>([
    ["enough", 8192, 128, 100, "ok"],
    ["too few watches", 8192, 128, 8000, "warn"],
    ["too few instances", 8192, 2, 10, "warn"],
  ])("%s", ([, watches, instances, folders, level]) => {
    expect(checkInotify({ watches, instances }, folders).level).toBe(level);
  });

  test("limits are read from the kernel's files, and absent where there are none", async () => {
    writeFileSync(join(dir, "max_user_watches"), "123\n");
    writeFileSync(join(dir, "max_user_instances"), "4\n");
    expect(await inotifyLimits(dir)).toEqual({ watches: 123, instances: 4 });
    expect(await inotifyLimits(join(dir, randomUUID()))).toBeUndefined();
  });

  test("folders are counted, to a bound", async () => {
    mkdirSync(join(dir, "a", "b", "c"), { recursive: true });
    mkdirSync(join(dir, "d"));
    expect(await countFolders([dir], 100)).toBe(5);
    expect(await countFolders([dir], 2)).toBe(2);
  });
});
