/** Many small objects made durable with one sync: in which order, what a failing disk leaves, and what a crash does. */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { appendFile, cp, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { CLAIM } from "./claim.ts";
import { openDirectoryLake } from "./directory.ts";
import { Journal, journalFolder, recordsOf } from "./directory-journal.ts";
import { type PublishSmall, publishSmall } from "./directory-publish.ts";
import { onThread } from "./directory-publisher.ts";
import { flushDisk, isLeft, ownerName, replayLeft, thisOwner } from "./directory-replay.ts";
import { settler } from "./directory-settle.ts";
import { openTree, type Small, type Tree } from "./directory-tree.ts";
import { type Disk, realDisk } from "./disk.ts";
import { someKey } from "./lake.contract.ts";
import { guardRoot } from "./root-guard.ts";
import { openStaging } from "./stage.ts";

const site = "0198a000-0000-7000-8000-000000000001";
const folder = mkdtempSync(join(tmpdir(), "tributary-journal-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let root: string;
let calls: string[];
/** Asked before each call; may throw. */
let before: (call: string) => void;
let now: number;
let tree: Tree;
let journal: Journal;
let publish: PublishSmall;

const fault = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

/** The real disk, telling what it is asked. */
function watched(): Disk {
  const name = (path: unknown): string => relative(root, String(path)) || ".";
  const tell = (call: string): void => {
    calls.push(call);
    before(call);
  };
  const watchHandle = (handle: FileHandle, path: string): FileHandle =>
    new Proxy(handle, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (/^(sync|datasync|write|writeFile)$/.test(String(property))) tell(`${String(property)} ${path}`);
          return (value as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return {
    ...realDisk,
    open: async (path, flags, mode) => {
      tell(`open ${flags} ${name(path)}`);
      return watchHandle(await realDisk.open(path, flags, mode), name(path));
    },
    rename: async (from, to) => {
      tell(`rename ${name(from)} ${name(to)}`);
      return await realDisk.rename(from, to);
    },
  };
}

beforeEach(async () => {
  root = mkdtempSync(join(folder, "lake-"));
  calls = [];
  before = () => {};
  now = 0;
  const disk = watched();
  const guard = await guardRoot(root, async () => true, disk);
  tree = openTree(guard, disk);
  journal = new Journal(root, "0badb007-1-2-3-0", disk, guard.require, () => now);
  publish = publishSmall(tree, openStaging(join(root, ".staging", "bodies"), disk).name, disk, journal);
});

afterEach(async () => {
  // Closes its file.
  now += 3_600_000;
  await journal.due();
});

const some = (count: number, size = 50): Small[] =>
  Array.from({ length: count }, (_, i) => ({ key: someKey(`d/${i}.csv`), bytes: randomBytes(size) }));
const at = ({ key }: Small): string => join(root, key);
const isThere = async (one: Small): Promise<boolean> =>
  (await readFile(at(one)).catch(() => undefined))?.equals(one.bytes) === true;
const allThere = async (objects: readonly Small[]): Promise<boolean> =>
  (await Promise.all(objects.map(isThere))).every(Boolean);
const journals = (of = root): string[] => {
  const at = journalFolder(of);
  return existsSync(at) ? readdirSync(at).map((name) => join(at, name)) : [];
};
const stored = (): Small[] =>
  journals().flatMap((file) => [...recordsOf(readFileSync(file))].flat() as Small[]);
const leftInStaging = async (): Promise<string[]> =>
  (await readdir(join(root, ".staging", "bodies"), { recursive: true })).filter((path) =>
    /\/\d+(\/|$)/.test(path),
  );
/** A journal of a boot that is over, with these records. */
async function leave(objects: readonly Small[], name = "0badb007-1-2-3-0.1", cut = 0): Promise<string> {
  const other = mkdtempSync(join(folder, "other-"));
  await mkdir(join(other, ".staging"), { recursive: true });
  let at = 0;
  const one = new Journal(
    other,
    "x",
    realDisk,
    async () => {},
    () => at,
  );
  for (let i = 0; i < objects.length; i += 10) await one.append(objects.slice(i, i + 10));
  at = 3_600_000;
  await one.due();
  const [file = ""] = journals(other);
  const { length } = readFileSync(file);
  await mkdir(journalFolder(root), { recursive: true });
  const to = join(journalFolder(root), name);
  await cp(file, to);
  await truncate(to, length - cut);
  return to;
}
const own = { boot: "0a0a0a0a", space: "7", pid: 42, began: "1" };

describe("the order", () => {
  test("the journal is made, with its folders; written, synced; only then is anything renamed, and nothing else is synced", async () => {
    const objects = some(20);
    expect(await publish(objects)).toEqual(objects.map(() => undefined));
    const file = ".staging/journal/0badb007-1-2-3-0.1";
    const order = calls.filter(
      (call) => call.startsWith("rename") || call.includes("journal") || / \.staging$/.test(call),
    );
    const renames = order.filter((call) => call.startsWith("rename"));
    expect(renames).toHaveLength(20);
    expect(order).toEqual([
      `open wx ${file}`,
      "open r .staging/journal",
      "sync .staging/journal",
      "open r .staging",
      "sync .staging",
      `write ${file}`,
      `datasync ${file}`,
      ...renames,
    ]);
    // Only the folders on the way to a new date: no object, no folder of one.
    expect(calls.filter((call) => call.startsWith("sync raw"))).toEqual([
      "sync raw/client=demo/source=pos",
      "sync raw/client=demo",
      "sync raw",
    ]);
    expect(await allThere(objects)).toBe(true);
    calls.length = 0;
    await publish(some(8));
    expect(calls.filter((call) => /sync/.test(call))).toEqual([`datasync ${file}`]);
  });

  test("a few are synced each by itself, and no journal is made", async () => {
    const objects = some(7);
    await publish(objects);
    expect(journals()).toEqual([]);
    expect(calls.filter((call) => /^sync \.staging\/bodies\/[^/]+\/\d+\/d\/\d/.test(call))).toHaveLength(7);
  });

  test("what the journal says is what was put into the lake, record by record", async () => {
    const objects = [...some(9), { key: "manifest/date=2026-01-02/x.jsonl", bytes: Buffer.from("{}\n") }];
    const more = some(8, 0);
    await publish(objects);
    await publish(more);
    expect(stored().map(({ key, bytes }) => [key, Buffer.from(bytes)])).toEqual(
      [...objects, ...more].map(({ key, bytes }) => [key, Buffer.from(bytes)]),
    );
  });
});

describe("a failing disk", () => {
  const file = /\.staging\/journal\//;
  test.for([
    ["ENOSPC", /^write \.staging\/journal\//],
    ["EIO", /^datasync/],
    ["EIO", /^sync \.staging\/journal$/],
    ["EIO", /^sync \.staging$/],
    ["ENOSPC", /^open wx \.staging\/journal/],
  ] as const)(
    "%s at %s: nothing is renamed, all are refused, and the next go into another journal",
    async ([code, where]) => {
      let fired = 0;
      before = (call) => {
        if (where.test(call) && fired++ === 0) throw fault(code);
      };
      const objects = some(10);
      await expect(publish(objects)).rejects.toMatchObject({ code: "lake-unavailable" });
      expect(fired).toBe(1);
      expect(calls.filter((call) => call.startsWith("rename"))).toEqual([]);
      for (const one of objects) expect(existsSync(at(one))).toBe(false);
      before = () => {};
      const failed = new Set(journals());
      calls.length = 0;
      expect(await publish(objects)).toEqual(objects.map(() => undefined));
      expect(await allThere(objects)).toBe(true);
      const [synced] = calls
        .filter((call) => call.startsWith("datasync"))
        .map((call) => call.replace(/^\w+ /, ""));
      expect(file.test(synced as string)).toBe(true);
      // Nothing stands behind what is half written.
      if (/write|datasync/.test(String(where))) expect(failed).not.toContain(join(root, synced as string));
    },
  );

  test.for([
    ["ENOSPC", /^writeFile \.staging\/bodies/],
    ["EIO", /^rename/],
  ] as const)(
    "%s at %s: of one object, and only that one is refused; nothing of it is left",
    async ([code, where]) => {
      let seen = 0;
      before = (call) => {
        if (where.test(call) && ++seen === 3) throw fault(code);
      };
      const objects = some(10);
      const errors = await publish(objects);
      expect(errors.filter((error) => error !== undefined)).toMatchObject([{ code: "lake-unavailable" }]);
      for (const [i, one] of objects.entries()) expect(await isThere(one)).toBe(errors[i] === undefined);
      expect(await leftInStaging()).toEqual([]);
    },
  );
});

describe("settled", () => {
  test("a journal goes when what it holds is on the disk: old, or full; not before", async () => {
    const settle = settler(journal, tree, realDisk);
    await publish(some(10));
    now = 29_999;
    await settle();
    expect(journals()).toHaveLength(1);
    now = 30_000;
    await settle();
    expect(journals()).toEqual([]);
    for (let i = 0; i < 9; i += 1) await publish(some(8, 2 ** 20));
    const [full] = journals();
    expect(journals()).toHaveLength(2);
    await settle();
    expect(journals()).toHaveLength(1);
    expect(existsSync(full as string)).toBe(false);
  });

  test("where the system could not write, the journal stays, and everything of it is written anew before it goes", async () => {
    let broken = true;
    const settle = settler(journal, tree, watched(), async () => {
      calls.push("flush");
      if (broken) throw fault("EIO");
    });
    const objects = some(10);
    await publish(objects);
    now = 60_000;
    await settle();
    expect(journals()).toHaveLength(1);
    broken = false;
    calls.length = 0;
    await settle();
    expect(journals()).toEqual([]);
    const flush = calls.indexOf("flush");
    for (const one of objects) {
      const renamed = calls.findIndex((call) => call.startsWith("rename") && call.endsWith(one.key));
      expect(renamed).toBeGreaterThan(-1);
      expect(renamed).toBeLessThan(flush);
    }
    expect(await allThere(objects)).toBe(true);
  });

  test("once all was written anew, what comes later is not", async () => {
    let broken = true;
    const settle = settler(journal, tree, watched(), async () => {
      if (broken) throw fault("EIO");
    });
    await publish(some(10));
    now = 60_000;
    await settle();
    broken = false;
    await settle();
    await publish(some(10));
    now = 120_000;
    calls.length = 0;
    await settle();
    expect(calls.filter((call) => call.startsWith("rename"))).toEqual([]);
    expect(journals()).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")(
    "without the command that asks for all, each is synced by itself",
    async () => {
      const objects = some(10);
      await publish(objects);
      const path = process.env.PATH;
      const bin = mkdtempSync(join(folder, "bin-"));
      try {
        for (const script of [undefined, '#!/bin/sh\necho "sync: unrecognized option: f" >&2; exit 1\n']) {
          if (script !== undefined) await writeFile(join(bin, "sync"), script, { mode: 0o755 });
          process.env.PATH = bin + (script === undefined ? "" : ":/bin");
          calls.length = 0;
          await flushDisk(tree, watched(), journals());
          for (const { key } of objects) {
            expect(calls).toContain(`sync ${key}`);
            for (let at = dirname(key); at !== "."; at = dirname(at)) expect(calls).toContain(`sync ${at}`);
          }
        }
        await writeFile(
          join(bin, "sync"),
          "#!/bin/sh\necho \"sync: error syncing '/x': Input/output error\" >&2; exit 1\n",
        );
        await expect(flushDisk(tree, watched(), journals())).rejects.toMatchObject({
          code: "lake-unavailable",
        });
      } finally {
        process.env.PATH = path;
      }
    },
  );
});

describe("replayed", () => {
  test("what is missing, short or other is restored, durably; what is there is left as it is; the journal goes", async () => {
    const [there, missing, short, altered, deep] = some(5) as [Small, Small, Small, Small, Small];
    for (const [one, bytes] of [
      [there, there.bytes],
      [short, short.bytes.subarray(0, 10)],
      [altered, randomBytes(50)],
    ] as const) {
      await mkdir(dirname(at(one)), { recursive: true });
      await writeFile(at(one), bytes);
    }
    await mkdir(join(root, deep.key.split("/").slice(0, 5).join("/")), { recursive: true });
    const bystander = some(1)[0] as Small;
    await mkdir(dirname(at(bystander)), { recursive: true });
    await writeFile(at(bystander), "else");
    const left = await leave([there, missing, short, altered, deep]);
    utimesSync(at(there), 1, 1);
    calls.length = 0;
    expect(await replayLeft(tree, watched(), own, Date.now())).toBe(4);
    expect(await allThere([there, missing, short, altered, deep])).toBe(true);
    expect(readFileSync(at(bystander), "utf8")).toBe("else");
    expect(statSync(at(there)).mtimeMs).toBe(1000);
    expect(existsSync(left)).toBe(false);
    for (const { key } of [missing, short, altered, deep]) {
      const renamed = calls.findIndex(
        (call) => call.startsWith("rename .staging/bodies/") && call.endsWith(key),
      );
      const draft = calls[renamed]?.split(" ")[1];
      expect(calls.slice(0, renamed)).toContain(`sync ${draft}`);
      expect(calls.slice(renamed)).toContain(`sync ${dirname(key)}`);
    }
    expect(await replayLeft(tree, watched(), own, Date.now())).toBe(0);
  });

  test("a record that is not whole ends it: cut at any byte, the records before count, and nothing is made up", async () => {
    const objects = some(20, 5);
    const whole = await leave(objects);
    const bytes = readFileSync(whole);
    const second = bytes.indexOf("\n[") + 1;
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const found = [...recordsOf(bytes.subarray(0, bytes.length - cut))].flat();
      const expected = cut === 0 ? 20 : bytes.length - cut >= second ? 10 : 0;
      expect(found, `${cut}`).toHaveLength(expected);
    }
    for (let at = second; at < bytes.length; at += 1) {
      const torn = Buffer.from(bytes);
      torn[at] = (torn[at] as number) ^ 0x10;
      const found = [...recordsOf(torn)].flat();
      expect(
        found.map(({ key }) => key),
        `${at}`,
      ).toEqual(objects.slice(0, 10).map(({ key }) => key));
    }
    await leave(objects, "0badb007-1-2-3-0.2", 3);
    await rm(whole);
    await appendFile(join(journalFolder(root), "0badb007-1-2-3-0.2"), Buffer.alloc(5000));
    expect(await replayLeft(tree, watched(), own, Date.now())).toBe(10);
  });

  test("a folder of journals that cannot be read, a journal that cannot, a disk that is full: not opened, nothing is forgotten", async () => {
    const left = await leave(some(10));
    const disk = watched();
    for (const broken of [
      { ...disk, readdir: (() => Promise.reject(fault("EIO"))) as unknown as Disk["readdir"] },
      { ...disk, lstat: (() => Promise.reject(fault("EACCES"))) as unknown as Disk["lstat"] },
      { ...disk, readFile: (() => Promise.reject(fault("EIO"))) as unknown as Disk["readFile"] },
      { ...disk, open: () => Promise.reject(fault("ENOSPC")) },
    ]) {
      await expect(replayLeft(tree, broken, own, Date.now())).rejects.toMatchObject({
        code: "lake-unavailable",
      });
      expect(existsSync(left)).toBe(true);
    }
    expect(await replayLeft(tree, disk, own, Date.now())).toBe(10);
  });

  test("what is no journal is not obeyed, whatever it holds: a client's bytes may look like one", async () => {
    const [victim] = some(1) as [Small];
    const record = readFileSync(await leave([victim]));
    await rm(join(journalFolder(root), "0badb007-1-2-3-0.1"));
    await writeFile(join(journalFolder(root), "restored"), record);
    await writeFile(join(journalFolder(root), "x-1-2-3-0.1"), record);
    expect(await replayLeft(tree, watched(), own, Date.now())).toBe(0);
    expect(existsSync(at(victim))).toBe(false);
  });

  test("two processes at once restore the same, and neither trips over the other", async () => {
    const objects = some(40, 20_000);
    await leave(objects);
    await Promise.all([
      replayLeft(tree, realDisk, own, Date.now()),
      replayLeft(tree, realDisk, own, Date.now()),
    ]);
    expect(await allThere(objects)).toBe(true);
    expect(journals()).toEqual([]);
  });
});

describe.skipIf(process.platform !== "linux")("whose it is", () => {
  const self = thisOwner() as NonNullable<ReturnType<typeof thisOwner>>;
  const file = (of: typeof self, n = 1): string => `${ownerName(of)}-3.${n}`;
  const hour = 3_600_000;
  test("a living owner's is never left, however old it seems; another boot's always is", () => {
    for (const age of [0, hour, 1e12])
      expect(isLeft(file(self), Date.now() - age, self, Date.now())).toBe(false);
    expect(isLeft(file({ ...self, boot: "ffffffff" }), Date.now(), self, Date.now())).toBe(true);
  });

  test("an id that was given to another process since", () => {
    expect(isLeft(file({ ...self, began: "1" }), Date.now(), self, Date.now())).toBe(true);
    const { pid } = spawnSync("true");
    expect(isLeft(file({ ...self, pid }), Date.now(), self, Date.now())).toBe(true);
  });

  test("of another space of ids, when nobody has touched it for long", () => {
    const other = file({ ...self, space: "1" });
    expect(isLeft(other, Date.now(), self, Date.now())).toBe(false);
    expect(isLeft(other, Date.now() - hour, self, Date.now())).toBe(true);
  });

  test("a second process opens the lake while the first lives: its journal stays, and is replayed when it was killed", async () => {
    await openDirectoryLake({ root, site });
    const script = join(folder, "publishes.mjs");
    await writeFile(
      script,
      `import { openDirectoryLake } from ${JSON.stringify(new URL("./directory.ts", import.meta.url).href)};
      const lake = await openDirectoryLake(${JSON.stringify({ root, site })});
      const publish = async (i) => {
        const key = "raw/client=demo/source=pos/date=2026-01-02/v" + i + "/a.csv";
        await lake.publish(await lake.stage(Buffer.from("bytes of " + i)), key, {});
      };
      await Promise.all(Array.from({ length: 64 }, (_, i) => publish(i)));
      console.log("published");
      setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await new Promise<void>((resolve, reject) => {
        child.stdout.on("data", () => resolve());
        child.on("exit", (code) => reject(new Error(`ended with ${code}`)));
      });
      const living = journals();
      expect(living.length).toBeGreaterThan(0);
      await openDirectoryLake({ root, site });
      expect(journals()).toEqual(living);
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      const lost = join(root, "raw/client=demo/source=pos/date=2026-01-02/v7");
      await rm(lost, { recursive: true });
      const lake = await openDirectoryLake({ root, site });
      expect(await readFile(join(lost, "a.csv"), "utf8")).toBe("bytes of 7");
      expect(journals()).toEqual([]);
      expect(await lake.probe()).toContainEqual(expect.stringMatching(/restored 1 objects/));
    } finally {
      child.kill("SIGKILL");
    }
  });
});

test("on its thread: everything is there, each once, with its own answer; a key that is taken by other bytes is refused", async () => {
  const { id } = await openDirectoryLake({ root, site });
  const publishOn = onThread({ root, lake: id, claimFile: CLAIM });
  const objects = some(2000, 300);
  const taken = objects[77] as Small;
  await mkdir(dirname(at(taken)), { recursive: true });
  await writeFile(at(taken), "other bytes");
  const done = await Promise.allSettled(objects.map((one) => publishOn(one)));
  const refused = done.flatMap(({ status }, i) => (status === "rejected" ? [i] : []));
  expect(refused).toEqual([77]);
  expect(await readFile(at(taken), "utf8")).toBe("other bytes");
  expect(await allThere(objects.filter((one) => one !== taken))).toBe(true);
  expect(journals().length).toBeGreaterThan(0);
});

test("on its thread: a lake that is not ours any more takes nothing, and says so; when it is back it does", async () => {
  const { id } = await openDirectoryLake({ root, site });
  const publishOn = onThread({ root, lake: id, claimFile: CLAIM });
  const objects = some(20);
  await Promise.all(objects.map((one) => publishOn(one)));
  await realDisk.rename(root, `${root}.away`);
  await mkdir(root);
  const away = await Promise.allSettled(some(20).map((one) => publishOn(one)));
  for (const one of away)
    expect(one).toMatchObject({ status: "rejected", reason: { code: "lake-unavailable" } });
  expect(await readdir(root)).toEqual([]);
  await rm(root, { recursive: true });
  await realDisk.rename(`${root}.away`, root);
  const back = some(20);
  await Promise.all(back.map((one) => publishOn(one)));
  expect(await allThere([...objects, ...back])).toBe(true);
});

test("on its thread: one that ends has another after it, and who waits for it is told", async () => {
  const { id } = await openDirectoryLake({ root, site });
  const threads: Worker[] = [];
  const note = (thread: Worker): void => void threads.push(thread);
  process.on("worker", note);
  try {
    const publishOn = onThread({ root, lake: id, claimFile: CLAIM });
    await publishOn(some(1)[0] as Small);
    const [first] = threads.splice(0);
    const waiting = some(300);
    const done = waiting.map((one) => publishOn(one));
    await new Promise(setImmediate);
    void (first as Worker).terminate();
    const outcomes = await Promise.allSettled(done);
    const told = outcomes.filter(({ status }) => status === "rejected");
    expect(told.length).toBeGreaterThan(0);
    for (const one of told) expect(one).toMatchObject({ reason: { code: "lake-unavailable" } });
    for (const [i, { status }] of outcomes.entries())
      if (status === "fulfilled") expect(await isThere(waiting[i] as Small)).toBe(true);
    expect(threads).toHaveLength(1);
    const after = some(5);
    await Promise.all(after.map((one) => publishOn(one)));
    expect(await allThere(after)).toBe(true);
  } finally {
    process.off("worker", note);
  }
});
