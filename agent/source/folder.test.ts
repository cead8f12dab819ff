import { execFileSync } from "node:child_process";
import {
  type BigIntStats,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Disk, realDisk } from "./disk.ts";
import { type FolderOptions, folderSource } from "./folder.ts";
import type { Listing, Sighting, Source, Unseen } from "./source.ts";
import { walk } from "./walk.ts";

const ROOT = Buffer.alloc(0);
const root = process.getuid?.() === 0;

describe("a folder as a source", () => {
  let home: string;
  let folder: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "folder-"));
    folder = join(home, "root");
    mkdirSync(folder);
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const source = (more: Partial<FolderOptions> = {}, disk: Disk = realDisk): Source =>
    folderSource(
      {
        name: "pos",
        path: folder,
        include: [],
        exclude: [],
        share: false,
        crossMounts: false,
        ignored: [],
        ...more,
      },
      disk,
      [1, 2],
    );
  const write = (name: string | Buffer, text = "x"): Buffer => {
    const bytes = Buffer.from(name as string);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), bytes]), text);
    return bytes;
  };
  interface Listed extends Listing {
    readonly files: Sighting[];
    readonly unseen: Unseen[];
  }
  async function list(of: Source, at: Buffer = ROOT): Promise<Listed> {
    const [files, unseen]: [Sighting[], Unseen[]] = [[], []];
    const listing = await of.list(at, (found) => {
      for (const one of found)
        if ("reason" in one) unseen.push(one);
        else files.push(one);
    });
    if (listing.unlisted !== undefined) unseen.push(listing.unlisted);
    return { ...listing, files, unseen };
  }
  async function walked(of: Source): Promise<Listed[]> {
    const listings: Listed[] = [];
    const listed = async (at: Buffer): Promise<Listed> => {
      const listing = await list(of, at);
      listings.push(listing);
      return listing;
    };
    for await (const _ of walk(listed, ROOT, new AbortController().signal));
    return listings;
  }
  const captured = async (of: Source): Promise<string[]> => {
    const names: string[] = [];
    for (const listing of await walked(of))
      names.push(...listing.files.map((f) => f.path.toString("latin1")));
    return names.sort();
  };
  const skipped = async (of: Source): Promise<Record<string, string | undefined>> => {
    const found: Record<string, string | undefined> = {};
    for (const listing of await walked(of))
      for (const one of listing.unseen) found[one.path.toString()] = one.code ?? one.reason;
    return found;
  };
  const text = async (of: Source, path: Buffer): Promise<string> => {
    const opened = await of.open(path);
    if (opened.kind !== "open") return opened.kind;
    await using file = opened.file;
    const into = Buffer.alloc(100);
    return into.toString("utf8", 0, await file.read(into, 0));
  };

  test.for([
    ["not UTF-8", Buffer.from([0xff, 0xfe, 0x61])],
    ["255 bytes", Buffer.from("n".repeat(255))],
    ["newlines", Buffer.from("a\nb\r\n")],
    ["backslash", Buffer.from("a\\b")],
    ["leading dot and blank", Buffer.from(" .hidden ")],
    ["escape sequence", Buffer.from("\u001b[31mred")],
    ["a=b%20+", Buffer.from("a=b%20+")],
    ["CON.txt.", Buffer.from("CON.txt.")],
  ] as const)("an odd name (%s) is listed, seen and read byte for byte", async ([, name]) => {
    write(name, "content");
    const listing = await list(source(), ROOT);
    expect(listing).toMatchObject({ complete: true, files: [{ path: name }] });
    expect(await source().look(name)).toMatchObject({ kind: "file", state: { size: 7 } });
    expect(await text(source(), name)).toBe("content");
    expect(await captured(source({ include: ["*"] }))).toHaveLength(1);
  });

  test.runIf(process.platform === "linux")(
    "links, loops, FIFOs, sockets and devices are passed by, by rule",
    async () => {
      write("real");
      writeFileSync(join(home, "outside"), "secret");
      symlinkSync(join(home, "outside"), join(folder, "out"));
      symlinkSync("real", join(folder, "in"));
      symlinkSync(".", join(folder, "loop"));
      execFileSync("mkfifo", [join(folder, "fifo")]);
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(join(folder, "sock"), resolve));
      expect(await captured(source())).toEqual(["real"]);
      expect(await skipped(source())).toEqual({
        out: "a link: links are not followed",
        in: "a link: links are not followed",
        loop: "a link: links are not followed",
        fifo: "a FIFO",
        sock: "a socket",
      });
      for (const name of ["out", "in", "fifo", "sock"])
        expect(await source().open(Buffer.from(name))).toMatchObject({
          kind: "unseen",
          unseen: { code: undefined },
        });
      for (const name of ["loop/real", "loop/loop/real"]) {
        const unseen = { kind: "unseen", unseen: { code: undefined, absent: true } };
        expect(await source().open(Buffer.from(name))).toMatchObject(unseen);
        expect(await source().look(Buffer.from(name))).toMatchObject(unseen);
      }
      expect(await list(source(), Buffer.from("loop"))).toMatchObject({ complete: false, vanished: true });
      await new Promise((resolve) => server.close(resolve));
    },
  );

  test("a path through a link that leads out is neither read nor listed", async () => {
    mkdirSync(join(home, "other"));
    writeFileSync(join(home, "other", "secret"), "secret");
    symlinkSync(join(home, "other"), join(folder, "dir"));
    expect(await source().open(Buffer.from("dir/secret"))).toMatchObject({
      kind: "unseen",
      unseen: { reason: "a link is on the way to it: links are not followed", absent: true },
    });
    expect(await list(source(), Buffer.from("dir"))).toMatchObject({ complete: false, files: [] });
  });

  test("a file that is swapped for a link between look and open is not read", async () => {
    writeFileSync(join(home, "outside"), "secret");
    const path = write("a");
    const disk: Disk = {
      ...realDisk,
      async open(at) {
        unlinkSync(at);
        symlinkSync(join(home, "outside"), at);
        return await realDisk.open(at);
      },
    };
    expect(await source({}, disk).open(path)).toMatchObject({ kind: "unseen", unseen: { code: undefined } });
  });

  test.for(["removed", "moved away", "replaced"])(
    "a file that is %s just after it was opened is gone, not read under a name that it has no more",
    async (how) => {
      const path = write("a (deleted)");
      const disk: Disk = {
        ...realDisk,
        async open(at) {
          const handle = await realDisk.open(at);
          if (how === "moved away") renameSync(at, join(folder, "b"));
          else unlinkSync(at);
          if (how === "replaced") write("a (deleted)", "another");
          return handle;
        },
      };
      expect(await source({}, disk).open(path)).toMatchObject({ kind: "gone" });
      expect(await text(source(), write("a (deleted)", "new"))).toBe("new");
    },
  );

  describe.runIf(process.platform === "linux")("a small file read at once", () => {
    const state = async (path: Buffer) => {
      const look = await source().look(path);
      if (look.kind !== "file") throw new Error(look.kind);
      return look.state;
    };
    const now = async (path: Buffer, of = source()): Promise<string | undefined> =>
      of.readNow?.(path, await state(path))?.toString();

    test("is what it is, in the state that was seen; in any other it is not read", async () => {
      const [path, empty] = [write("a", "content"), write("empty", "")];
      mkdirSync(join(folder, "d"));
      expect(await now(path)).toBe("content");
      expect(await now(empty)).toBe("");
      expect(await now(write("d/\u00ff\n", "deep"))).toBe("deep");
      const seen = await state(path);
      for (const other of [
        { ...seen, size: 6 },
        { ...seen, size: 8 },
        { ...seen, mtimeNs: seen.mtimeNs + 1n },
        { ...seen, ctimeNs: seen.ctimeNs + 1n },
        { ...seen, fileId: 1n },
      ])
        expect(source().readNow?.(path, other)).toBeUndefined();
      write("a", "changed");
      expect(source().readNow?.(path, seen)).toBeUndefined();
      unlinkSync(join(folder, "a"));
      expect(source().readNow?.(path, seen)).toBeUndefined();
    });

    test("is never read through a link, nor where the rules or the source forbid it, nor on a share", async () => {
      mkdirSync(join(home, "other"));
      writeFileSync(join(home, "other", "secret"), "secret");
      symlinkSync(join(home, "other"), join(folder, "dir"));
      symlinkSync(join(home, "other", "secret"), join(folder, "link"));
      symlinkSync("real", join(folder, "inner"));
      const seen = {
        ...(await state(write("real", "public"))),
        fileId: statSync(join(home, "other", "secret"), { bigint: true }).ino,
      };
      for (const name of ["dir/secret", "link", "inner", "../other/secret"])
        expect(source().readNow?.(Buffer.from(name), seen), name).toBeUndefined();
      const path = write("a", "x");
      expect(await now(path, source({ exclude: ["a"] }))).toBeUndefined();
      expect(await now(path, source({ share: true }))).toBeUndefined();
      execFileSync("mkfifo", [join(folder, "pipe")]);
      expect(source().readNow?.(Buffer.from("pipe"), { ...seen, size: 0 })).toBeUndefined();
      expect(source().readNow?.(Buffer.from("dir"), seen)).toBeUndefined();
    });

    test("a folder on the way that becomes a link just before it is opened leads nowhere", async () => {
      mkdirSync(join(home, "other"));
      mkdirSync(join(folder, "d"));
      const path = write("d/a", "public");
      writeFileSync(join(home, "other", "a"), "secret");
      const seen = await state(path);
      const { ino, mtimeNs, ctimeNs } = statSync(join(home, "other", "a"), { bigint: true });
      const disk: Disk = {
        ...realDisk,
        readNow(...args) {
          renameSync(join(folder, "d"), join(home, "away"));
          symlinkSync(join(home, "other"), join(folder, "d"));
          return realDisk.readNow(...args);
        },
      };
      expect(source({}, disk).readNow?.(path, { ...seen, fileId: ino, mtimeNs, ctimeNs })).toBeUndefined();
    });

    test.for([
      ["written in place", { after: { mtimeNs: 1n } }],
      ["replaced", { named: { ino: 1n } }],
      ["moved to another disk", { named: { dev: 1n } }],
      ["deleted", { real: "/x/a (deleted)" }],
    ] as const)("%s while it was read: not what it was", async ([, seen]) => {
      const path = write("a", "content");
      const disk: Disk = {
        ...realDisk,
        readNow(...args) {
          const read = realDisk.readNow(...args);
          if (read === undefined) throw new Error("not read");
          const changed = (stats: BigIntStats, by: object): BigIntStats =>
            Object.assign(Object.create(stats), by);
          return {
            ...read,
            ...("after" in seen ? { after: changed(read.after, seen.after) } : {}),
            ...("named" in seen ? { named: changed(read.named, seen.named) } : {}),
            ...("real" in seen ? { real: Buffer.from(seen.real) } : {}),
          };
        },
      };
      expect(await now(path)).toBe("content");
      expect(await now(path, source({}, disk))).toBeUndefined();
    });

    test("leaves no file open, whatever became of it", async () => {
      const path = write("a", "content");
      const seen = await state(path);
      const before = readdirSync("/proc/self/fd").length;
      for (let i = 0; i < 50; i += 1) {
        source().readNow?.(path, seen);
        source().readNow?.(path, { ...seen, size: 1 });
        source().readNow?.(Buffer.from("none"), seen);
      }
      expect(readdirSync("/proc/self/fd").length).toBeLessThan(before + 10);
    });
  });

  test("a link is told by its kind before the rules are asked, so that they cannot hide that a folder is gone", async () => {
    symlinkSync("/", join(folder, "d"));
    expect((await list(source({ include: ["**/*.csv"] }), ROOT)).unseen).toMatchObject([
      { path: Buffer.from("d"), absent: true },
    ]);
  });

  test("recheck knows another file under the same name, and a change of the same", async () => {
    const path = write("a", "one");
    const opened = await source().open(path);
    if (opened.kind !== "open") throw new Error(opened.kind);
    await using file = opened.file;
    expect(await file.recheck()).toEqual(file.state);
    write("a", "longer");
    expect((await file.recheck())?.size).toBe(6);
    write("b", "two");
    renameSync(join(folder, "b"), join(folder, "a"));
    expect(await file.recheck()).toBeUndefined();
  });

  test("recheck on a share goes by size and times: another file under the name is known by them", async () => {
    const path = write("a", "one");
    const opened = await source({ share: true }).open(path);
    if (opened.kind !== "open") throw new Error(opened.kind);
    await using file = opened.file;
    expect(await file.recheck()).toEqual(file.state);
    write("b", "two");
    // Two files of one tick of the file system's clock have equal times: `settleTime` keeps such a pair from being read.
    utimesSync(join(folder, "b"), new Date(), new Date(Date.now() - 60_000));
    renameSync(join(folder, "b"), join(folder, "a"));
    expect(await file.recheck()).toBeUndefined();
  });

  test("what cannot be a path stays listed as a problem, with all that is in it", async () => {
    mkdirSync(join(folder, "C:"));
    write("C:/x");
    write("a\\..\\b");
    expect(await captured(source())).toEqual([]);
    expect(await skipped(source())).toEqual({ "C:": "path-invalid", "a\\..\\b": "path-invalid" });
  });

  test("include and exclude: by readable path, a folder with all in it, dot files too", async () => {
    for (const dir of ["tmp", "a", "a/tmp", ".git"]) mkdirSync(join(folder, dir));
    for (const name of ["x.csv", "x.txt", "tmp/y.csv", "a/z.csv", "a/tmp/w.csv", ".git/v.csv", "a\nb.csv"])
      write(name);
    const of = source({ include: ["**/*.csv"], exclude: ["tmp", ".git/**"] });
    expect(await captured(of)).toEqual(["a\nb.csv", "a/tmp/w.csv", "a/z.csv", "x.csv"]);
    expect(await skipped(of)).toMatchObject({
      tmp: 'excluded by "tmp"',
      "x.txt": "not among the included globs",
    });
    for (const [path, takes] of [
      ["x.csv", true],
      ["x.txt", false],
      ["tmp/y.csv", false],
      ["a/tmp/w.csv", true],
    ] as const)
      expect(of.takes(Buffer.from(path))).toBe(takes);
  });

  test("our own temporary names and folders are no files of the client; names that look alike are", async () => {
    mkdirSync(join(folder, "done"));
    const own = ".tributary-0190a8c0-0000-7000-8000-000000000001~";
    const alike = [".tributary-1~", ".tributary-~", `${own}~`, own.replace("0190a8c0", "0190A8C0")];
    for (const name of ["a", "done/b", own, ...alike]) write(name);
    const of = source({ ignored: [join(folder, "done"), join(home, "data")] });
    expect(await captured(of)).toEqual(["a", ...alike].sort());
    expect((await list(of)).own?.map(String)).toEqual([own]);
    for (const name of alike) expect(of.takes(Buffer.from(name))).toBe(true);
    expect(of.takes(Buffer.from(own))).toBe(false);
  });

  // Permissions do not bite root, so the disk is made to refuse; as another account they are real.
  test("a folder that cannot be listed: incomplete, named, the others go on", async () => {
    for (const dir of ["bad", "good"]) mkdirSync(join(folder, dir));
    write("good/x");
    const disk: Disk = {
      ...realDisk,
      async *list(at, now) {
        if (at.toString().endsWith("/bad")) throw Object.assign(new Error("denied"), { code: "EACCES" });
        yield* realDisk.list(at, now);
      },
    };
    expect(await list(source({}, disk), Buffer.from("bad"))).toMatchObject({ complete: false });
    expect(await captured(source({}, disk))).toEqual(["good/x"]);
    expect(await skipped(source({}, disk))).toEqual({ bad: "folder-unreadable" });
  });

  // Permissions do not bind root; the refusals that it cannot meet are injected below.
  if (!root) {
    test("a file without permission is a problem in words", async () => {
      const path = write("a");
      chmodSync(join(folder, "a"), 0);
      expect(await source().open(path)).toMatchObject({ unseen: { code: "file-unreadable" } });
    });
  }

  test.for(["EBUSY", "EACCES", "EPERM", "ETXTBSY"])(
    "a locked file (%s) is a problem in words",
    async (code) => {
      const path = write("a");
      const disk: Disk = {
        ...realDisk,
        open: () => Promise.reject(Object.assign(new Error(code), { code })),
      };
      expect(await source({}, disk).open(path)).toMatchObject({
        kind: "unseen",
        unseen: { code: "file-unreadable", reason: expect.stringContaining(code) },
      });
    },
  );

  test.for(["renamed", "replaced", "removed"])(
    "a folder that is %s while it is listed is not complete",
    async (how) => {
      mkdirSync(join(folder, "d"));
      write("d/x");
      const disk: Disk = {
        ...realDisk,
        async *list(at, now) {
          yield* realDisk.list(at, now);
          if (how === "removed") rmSync(join(folder, "d"), { recursive: true });
          else renameSync(join(folder, "d"), join(folder, "e"));
          if (how === "replaced") mkdirSync(join(folder, "d"));
        },
      };
      expect(await list(source({}, disk), Buffer.from("d"))).toMatchObject({ complete: false });
    },
  );

  test("health: there, away, another one, no folder", async () => {
    const first = await source().health();
    expect(first).toMatchObject({ healthy: true });
    renameSync(folder, join(home, "away"));
    expect(await source().health()).toMatchObject({ healthy: false, code: "source-unreachable" });
    mkdirSync(folder);
    const second = await source().health();
    expect(second).toMatchObject({ healthy: true });
    expect(second).not.toEqual(first);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "");
    expect(await source().health()).toMatchObject({ healthy: false });
  });

  const mountable = ((): boolean => {
    if (!root || process.platform !== "linux") return false;
    const at = mkdtempSync(join(tmpdir(), "mount-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", at], { stdio: "ignore" });
      execFileSync("umount", [at]);
      return true;
    } catch {
      return false;
    } finally {
      rmSync(at, { recursive: true, force: true });
    }
  })();
  test.skipIf(!mountable)(
    "a mount is crossed only on request, and says which it is (needs root and mount)",
    async () => {
      const at = join(folder, "mnt");
      mkdirSync(at);
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", at]);
      try {
        write("mnt/x");
        expect(await captured(source())).toEqual([]);
        expect(await skipped(source())).toEqual({ mnt: "another file system is mounted here" });
        expect(await captured(source({ crossMounts: true }))).toEqual(["mnt/x"]);
        expect(await list(source({ crossMounts: true }), Buffer.from("mnt"))).toMatchObject({
          mount: expect.any(String),
        });
        const mounted = await source({ path: at }).health();
        execFileSync("umount", [at]);
        expect(await source({ path: at }).health()).not.toEqual(mounted);
        expect((await list(source({ crossMounts: true }), Buffer.from("mnt"))).mount).toBeUndefined();
      } finally {
        try {
          execFileSync("umount", [at], { stdio: "ignore" });
        } catch {
          // was unmounted above
        }
      }
    },
  );

  test.skipIf(!mountable)(
    "hints go on after the folder was unmounted and mounted again (needs root and mount)",
    async () => {
      const mount = (): unknown => execFileSync("mount", ["-t", "tmpfs", "tmpfs", folder]);
      const of = source();
      const hints: string[] = [];
      const stop = await of.watch(
        (path) => hints.push(path?.toString("latin1") ?? "*"),
        (reason) => hints.push(reason),
      );
      mount();
      try {
        mkdirSync(join(folder, "d"));
        for (const at of [ROOT, Buffer.from("d")]) await list(of, at);
        write("d/before");
        await expect.poll(() => hints).toContain("d/before");
        execFileSync("umount", [folder]);
        await expect.poll(() => hints).toContain("*");
        mount();
        mkdirSync(join(folder, "d"));
        for (const at of [ROOT, Buffer.from("d")]) await list(of, at);
        write("after");
        write("d/after");
        await expect.poll(() => hints).toEqual(expect.arrayContaining(["after", "d/after"]));
      } finally {
        await stop();
        execFileSync("umount", ["-l", folder]);
      }
    },
  );

  test("a file named as its folder ends no watch and asks for no scan", async () => {
    const of = source();
    const hints: string[] = [];
    const stop = await of.watch(
      (path) => hints.push(path?.toString("latin1") ?? "*"),
      (reason) => hints.push(reason),
    );
    await list(of);
    write("root");
    await expect.poll(() => hints).toContain("root");
    write("other");
    await expect.poll(() => hints).toContain("other");
    expect(hints).not.toContain("*");
    await stop();
  });

  test.for([false, true])(
    "50,000 files in one folder (share: %s): all of them, a few at a time, in the order of their bytes",
    { timeout: 60_000 },
    async (share) => {
      for (let i = 0; i < 50_000; i += 1) writeFileSync(join(folder, `f${i}`), "");
      write(Buffer.from([0xff]));
      const paths: Buffer[] = [];
      let most = 0;
      const listing = await source({ share }).list(ROOT, (found) => {
        most = Math.max(most, found.length);
        paths.push(...found.map(({ path }) => path));
      });
      expect([paths.length, listing.complete]).toEqual([50_001, true]);
      expect(most).toBeLessThanOrEqual(1_000);
      expect(paths.every((path, i) => i === 0 || Buffer.compare(paths[i - 1]!, path) < 0)).toBe(true);
    },
  );

  test("hints: files, new folders, names that are not UTF-8, and nothing after the stop", async () => {
    const of = source();
    const hints: string[] = [];
    const stop = await of.watch(
      (path) => hints.push(path?.toString("latin1") ?? "*"),
      (reason) => hints.push(reason),
    );
    await list(of);
    write("a");
    write(Buffer.from([0xff]));
    mkdirSync(join(folder, "d"));
    await expect.poll(() => hints).toEqual(expect.arrayContaining(["a", "\xff", "d"]));
    await list(of, Buffer.from("d"));
    write("d/x");
    await expect.poll(() => hints).toContain("d/x");
    renameSync(join(folder, "d"), join(folder, "e"));
    await expect.poll(() => hints).toContain("e");
    mkdirSync(join(folder, "d"));
    await list(of, Buffer.from("d"));
    write("d/y");
    await expect.poll(() => hints).toContain("d/y");
    await stop();
    const before = hints.length;
    write("late");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(hints).toHaveLength(before);
  });

  test("a share whose server is gone blames none of its files; one that cannot be read by itself is blamed", async () => {
    const [path, other] = [write("a"), write("b")];
    let gone = true;
    /** How often `b` fails although the share answers: a mount that answers from memory, or has just come back. */
    let flaky = 0;
    const fails = (at: Buffer): boolean =>
      gone || at.toString().endsWith("/a") || (at.toString().endsWith("/b") && flaky-- > 0);
    const io = (): Error => Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    const disk: Disk = {
      ...realDisk,
      stat: (at) => (fails(at) ? Promise.reject(io()) : realDisk.stat(at)),
      lstat: (at) => (fails(at) ? Promise.reject(io()) : realDisk.lstat(at)),
    };
    const share = source({ share: true }, disk);
    const away = { kind: "away", reason: expect.stringContaining("cannot be reached") };
    expect(await share.look(path)).toEqual(away);
    expect(await share.open(other)).toEqual(away);
    const listing = await share.list(ROOT, () => undefined);
    expect(listing).toEqual({ folder: ROOT, folders: [], complete: false });
    gone = false;
    flaky = 2;
    expect(await share.look(other)).toMatchObject({ kind: "file" });
    expect(flaky).toBeLessThanOrEqual(0);
    const blamed = { kind: "unseen", unseen: { code: "file-unreadable" } };
    expect(await share.look(path)).toMatchObject(blamed);
    expect(await share.open(path)).toMatchObject(blamed);
    expect(await share.look(other)).toMatchObject({ kind: "file" });
  });
});
