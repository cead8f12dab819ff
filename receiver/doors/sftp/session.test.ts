/** What becomes of files that several have in their hands: two handles, two sessions, who reads, removes or renames them, and the next start. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { done, type SftpStatus } from "@tributary/test/site/sftp.ts";
import { OPEN, string, TYPE } from "@tributary/test/site/sftp-wire.ts";
import { afterEach, expect, test } from "vitest";
import { openDirectoryLake } from "../../lake/directory.ts";
import type { Disk } from "../../lake/disk.ts";
import type { AnyLake } from "../../lake/lake.ts";
import { slowlyWriting } from "../../lake/slow-disk.ts";
import { createHistory } from "../../ledger/history.ts";
import { type Rig, startRig } from "../../rig.ts";
import { SftpScene } from "./scene.ts";

const site = "0198a000-0000-7000-8000-000000000001";
const WRITE = OPEN.write | OPEN.create;

let root = "";
let lake: AnyLake;
let rig: Rig;
let scene: SftpScene;
const rigs: Rig[] = [];

interface Options {
  readonly settings?: Record<string, unknown>;
  readonly wrap?: (lake: AnyLake) => AnyLake;
  readonly disk?: Disk;
}

async function start(options: Options = {}): Promise<void> {
  root = mkdtempSync(join(tmpdir(), "tributary-sftp-"));
  await startAgain(options);
}

/** A receiver that finds what the last one left, as if that had been killed this moment. It has a ledger of its own. */
async function startAgain({ wrap = (one) => one, disk, settings = {} }: Options = {}): Promise<void> {
  lake = await openDirectoryLake({ root, site, ...(disk === undefined ? {} : { disk }) });
  scene = new SftpScene();
  rig = await startRig({ settings, sftp: scene, wrap: () => wrap(lake) });
  rigs.push(rig);
}

afterEach(async () => {
  expect(scene.faults).toEqual([]);
  await Promise.all(rigs.splice(0).map((one) => one.stop()));
  rmSync(root, { recursive: true, force: true });
});

/** Their bytes as the lake has them, the oldest first. */
async function versionsOf(path: string): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (const { pathEncoded, key } of await createHistory(rig.database.db).since(0, 1000))
    if (pathEncoded === path && key !== null)
      found.push(Buffer.concat((await (await lake.read(key))?.toArray()) ?? []));
  return found;
}

/** "aaabba" -> "3a2b1a". */
const told = (bytes: Buffer): string =>
  bytes.toString("latin1").replaceAll(/(.)\1*/gs, (run) => `${run.length}${run[0]}`);
const toldOf = async (path: string): Promise<string[]> => (await versionsOf(path)).map(told);

const of = (size: number, letter: string): Buffer => Buffer.alloc(size, letter);

/** The first publishing waits until it is let go. */
function gated() {
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  let first = true;
  const wrap = (one: AnyLake): AnyLake => ({
    ...one,
    publish: async (...args) => {
      if (first) {
        first = false;
        arrived.resolve();
        await go.promise;
      }
      await one.publish(...args);
    },
  });
  return { wrap, arrived: arrived.promise, go: go.resolve };
}

const pair = async () => {
  const account = scene.account("one");
  return [await scene.session(account), await scene.session(account)] as const;
};

for (const size of [1000, 700_000]) {
  test(`who goes on with a file of ${size} bytes that another session ends alters its version`, async () => {
    const gate = gated();
    await start(gate);
    const [a, b] = await pair();
    const first = await a.open("/in/x");
    await a.write(first, of(size, "a"));
    const ending = a.shut(first);
    await gate.arrived;
    const going = (async () => {
      const second = await b.open("/in/x", WRITE);
      await b.write(second, of(10, "b"), { at: 5 });
      await b.shut(second);
    })();
    await pause(50);
    gate.go();
    await Promise.all([ending, going]);
    expect(await toldOf("x")).toEqual([`${size}a`, `5a10b${size - 15}a`]);
  });

  test(`who removes a file of ${size} bytes that another session ends removes its version`, async () => {
    const gate = gated();
    await start(gate);
    const [a, b] = await pair();
    const first = await a.open("/in/x");
    await a.write(first, of(size, "a"));
    const ending = a.shut(first);
    await gate.arrived;
    const removing = b.remove("/in/x");
    await pause(50);
    gate.go();
    expect(await ending).toMatch(/^created /);
    expect(await removing).toMatch(/^removed /);
    await expect(a.stat("/in/x")).rejects.toThrow(/there is no/);
  });
}

test("what was closed with OK is in the ledger, also while another handle of the session has it open", async () => {
  await start();
  const a = await scene.session(scene.account("one"));
  const first = await a.open("/in/x", WRITE);
  const second = await a.open("/in/x", WRITE);
  await a.write(first, of(1000, "a"));
  const third = await a.open("/in/x", WRITE);
  await a.write(third, of(1000, "b"), { at: 1000 });
  expect(await a.shut(third)).toMatch(/^created /);
  expect(await toldOf("x")).toEqual(["1000a1000b"]);
  await a.write(first, of(500, "c"), { at: 500 });
  expect(await a.shut(first)).toMatch(/^created /);
  expect(await toldOf("x")).toEqual(["1000a1000b", "500a500c1000b"]);
  expect(await a.shut(second)).toBe("nothing was written");
});

test("who tidies up behind a refused close takes nothing away from a later try", async () => {
  await start();
  const [a, b] = await pair();
  const first = await a.open("/in/x");
  await a.write(first, of(1000, "a"));
  const second = await b.open("/in/x", WRITE);
  await expect(a.shut(first)).rejects.toThrow(/a later session/);
  await a.remove("/in/x");
  await b.write(second, of(1000, "b"), { at: 1000 });
  expect(await b.shut(second)).toMatch(/^created /);
  expect(await toldOf("x")).toEqual(["1000a1000b"]);
});

test("what a session removes while it has it open does not come in, and does not come back", async () => {
  await start();
  const a = await scene.session(scene.account("one"));
  const first = await a.open("/in/x");
  await a.write(first, of(700_000, "a"));
  await a.remove("/in/x");
  const other = await a.open("/in/y");
  await a.write(other, of(700_000, "y"));
  await startAgain();
  const c = await scene.session(scene.account("one"));
  expect((await c.list("/in")).map(({ name }) => name.toString())).toEqual([".", "..", "y"]);
  await expect(a.shut(first)).rejects.toMatchObject({ code: "upload-closed" } satisfies Partial<SftpStatus>);
  await expect(a.stat("/in/x")).rejects.toThrow(/there is no/);
});

test("what another session removes is written to its end, but does not come back", async () => {
  await start();
  const [a, b] = await pair();
  const first = await a.open("/in/x");
  await a.write(first, of(700_000, "a"));
  await b.remove("/in/x");
  const before = rig;
  await startAgain();
  const c = await scene.session(scene.account("one"));
  await expect(c.stat("/in/x")).rejects.toThrow(/there is no/);
  // The old one again, whose file the next start has taken away.
  await expect(a.shut(first)).rejects.toThrow(/lake-unavailable/);
  expect(await before.entries()).toBe(0);
});

test("what is replaced while it is open is not what comes back", async () => {
  await start();
  const [a, b] = await pair();
  for (const [session, letter] of [
    [a, "a"],
    [b, "b"],
    [a, "c"],
  ] as const) {
    const handle = await session.open("/in/x");
    await session.write(handle, of(700_000, letter));
  }
  await startAgain();
  const c = await scene.session(scene.account("one"));
  const handle = await c.open("/in/x", WRITE | OPEN.read);
  expect((await c.read(handle, 0, 10)).toString()).toBe("cccccccccc");
});

test("a reader beside the writer sees what was written, and is in nobody's way", async () => {
  await start({ disk: slowlyWriting(() => 5) });
  const [a, b] = await pair();
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i >> 10) & 0xff));
  const first = await a.open("/in/x");
  await a.write(first, bytes.subarray(0, 1000));
  const second = await b.open("/in/x", OPEN.read);
  let over = false;
  const reading = (async () => {
    for (let at = 0; !over; at = (at + 77_777) % 2_900_000) {
      const there = (await b.stat("/in/x")).size;
      if (Number(there) < at + 30_000) continue;
      const piece = await b.read(second, at, 30_000);
      expect(piece.equals(bytes.subarray(at, at + 30_000))).toBe(true);
    }
  })();
  await a.write(first, bytes.subarray(1000), { at: 1000 }).finally(() => {
    over = true;
  });
  await reading;
  expect(await a.shut(first)).toMatch(/^created /);
  expect((await versionsOf("x"))[0]?.equals(bytes)).toBe(true);
});

test("a temporary file that was closed, and is gone on with, is whole no more after a kill", async () => {
  await start();
  const a = await scene.session(scene.account("one"));
  await a.put("/in/x.part", of(400_000, "a"));
  await rig.stop();
  await startAgain();
  const b = await scene.session(scene.account("one"));
  const handle = await b.open("/in/x.part", WRITE);
  await b.write(handle, of(900_000, "b"), { at: 400_000 });
  await startAgain();
  const c = await scene.session(scene.account("one"));
  await expect(c.rename("/in/x.part", "/in/x")).rejects.toMatchObject({ code: "length-mismatch" });
  expect(await versionsOf("x")).toEqual([]);
});

test("a temporary file that was closed is no other while it is put down", async () => {
  const slow = slowlyWriting(() => 300);
  await start({ disk: slow });
  const [a] = await pair();
  await a.put("/in/x.part", of(100_000, "a"));
  const stopping = rig.stop();
  rigs.pop();
  await pause(150);
  await startAgain();
  const b = await scene.session(scene.account("one"));
  const words = await b.rename("/in/x.part", "/in/x").catch((error: Error) => error.message);
  // Where it was put down in time it is whole.
  if (/^created /.test(words)) expect(await toldOf("x")).toEqual(["100000a"]);
  else expect(words).toMatch(/cut off|there is no/);
  await stopping.catch(() => {});
});

test("a version that is renamed takes the place of what is under way there, and stays when that is cut off", async () => {
  await start();
  const [a, b] = await pair();
  await b.put("/in/x", of(10, "x"));
  const handle = await a.open("/in/y", WRITE | OPEN.create);
  expect(await b.rename("/in/x", "/in/y", true)).toMatch(/^created /);
  await a.write(handle, of(20, "y"), { at: 5 });
  await a.cut();
  expect((await b.stat("/in/y")).size).toBe(10);
  expect(await b.remove("/in/y")).toMatch(/^removed /);
});

test("what was renamed has its new name after a kill", async () => {
  await start();
  const a = await scene.session(scene.account("one"));
  await a.put("/in/x.part", of(700_000, "a"));
  await a.cut();
  await rig.stop();
  rigs.pop();
  await startAgain();
  const b = await scene.session(scene.account("one"));
  await b.rename("/in/x.part", "/in/y.part");
  await startAgain();
  const c = await scene.session(scene.account("one"));
  await expect(c.stat("/in/x.part")).rejects.toThrow(/there is no/);
  expect(await c.rename("/in/y.part", "/in/y")).toMatch(/^created /);
  expect(await toldOf("y")).toEqual(["700000a"]);
});

for (const disk of [undefined, slowlyWriting(() => 150)])
  test(`who takes over what another session still writes, and closes it, has not made it whole${disk === undefined ? "" : ", on a slow disk"}`, async () => {
    await start(disk === undefined ? {} : { disk });
    const [a, b] = await pair();
    const first = await a.open("/in/x");
    const writing = a.write(first, of(700_000, "a")).catch((error: unknown) => error);
    if (disk === undefined) await writing;
    // As lftp does whose line broke before the receiver knows of it: everything was sent, it believes.
    const second = await b.open("/in/x", WRITE);
    await expect(b.shut(second)).rejects.toThrow(/cut off after .* bytes, and nothing was written now/);
    await writing;
    await a.cut();
    expect(await toldOf("x")).toEqual([]);
    const third = await b.open("/in/x", WRITE);
    await b.write(third, of(700_000, "a"));
    expect(await b.shut(third)).toMatch(/^created /);
    expect(await toldOf("x")).toEqual(["700000a"]);
  });

test("two sessions under one temporary name: what is not kept is not closed with OK, and none renames the other's", async () => {
  await start();
  const [a, b] = await pair();
  const first = await a.open("/in/x.part");
  await a.write(first, of(1000, "a"));
  const second = await b.open("/in/x.part");
  await b.write(second, of(500, "b"));
  await expect(a.shut(first)).rejects.toThrow(/another upload/);
  await expect(a.rename("/in/x.part", "/in/x")).rejects.toThrow(/another session/);
  await b.write(second, of(500, "b"), { at: 500 });
  done(await b.ask(TYPE.close, string(second)));
  expect(await b.rename("/in/x.part", "/in/x")).toMatch(/^created /);
  expect(await toldOf("x")).toEqual(["1000b"]);
});

test("only so many files of an account wait for their last names, and it is told what to do", async () => {
  await start({ settings: { sftp: { waiting: 3 } } });
  const [a, b] = await pair();
  for (const name of ["1", "2", "3"]) await a.put(`/in/${name}.part`, of(10, name));
  const refused = /limit-concurrent: 3 files of this sender wait .*: finish, rename or remove some/;
  await expect(b.open("/in/4.part")).rejects.toThrow(refused);
  await expect(b.put("/in/5", of(10, "5"))).rejects.toThrow(refused);
  // What takes nobody's place is welcome, and so is another account.
  await b.put("/in/3.part", of(10, "4"));
  await (await scene.session(scene.account("two"))).put("/in/6.part", of(10, "6"));
  expect(await a.rename("/in/3.part", "/in/3")).toMatch(/^created /);
  expect(await toldOf("3")).toEqual(["104"]);
  await b.put("/in/5", of(10, "5"));
  await b.remove("/in/1.part");
  await b.put("/in/7.part", of(10, "7"));
  await b.put("/in/8.part", of(10, "8"));
  await expect(b.open("/in/9.part")).rejects.toThrow(refused);
});

test("what waits in memory is put down where it is much, the oldest first, and all of it is renamed", async () => {
  await start();
  const a = await scene.session(scene.account("one"));
  const names = Array.from({ length: 200 }, (_, at) => `f${at}`);
  for (const name of names) await a.put(`/in/${name}.part`, of(255 * 1024, "x"));
  await startAgain();
  const b = await scene.session(scene.account("one"));
  const kept = (await b.list("/in")).map(({ name }) => String(name)).filter((name) => name.endsWith(".part"));
  expect(kept.length).toBeGreaterThan(60);
  expect(kept.length).toBeLessThan(100);
  expect(kept).toContain("f0.part");
  for (const name of kept)
    expect(await b.rename(`/in/${name}`, `/in/${name.slice(0, -5)}`)).toMatch(/^created /);
});
