/**
 * Many sessions of two accounts at once, over a disk that takes its time: every 16 bytes tell who wrote them, into which
 * file and where, so that none can lie in another's version, or elsewhere in its own, and not be noticed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SftpLost, SftpStatus } from "@tributary/test/site/sftp.ts";
import { OPEN } from "@tributary/test/site/sftp-wire.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openDirectoryLake } from "../../lake/directory.ts";
import { slowlyWriting } from "../../lake/slow-disk.ts";
import { createHistory } from "../../ledger/history.ts";
import { startRig } from "../../rig.ts";
import { type SceneSession, SftpScene } from "./scene.ts";

const CELL = 16;
const WRITE = OPEN.write | OPEN.create;
const SHARED = 2;

interface Step {
  readonly kind: "own" | "temporary" | "resumed" | "shared" | "alter" | "rename" | "remove" | "read";
  /** In cells. */
  readonly size: number;
  readonly at: number;
  readonly apart: boolean;
  readonly cutAfter: number | undefined;
  readonly which: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Step["kind"]>(
    ...(["own", "temporary", "resumed", "shared", "alter", "alter", "alter"] as const),
    ...(["rename", "remove", "read", "read"] as const),
  ),
  size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 60_000 })),
  // Most of them where something is already: what has gaps makes no version.
  at: fc.oneof(fc.nat(50), fc.nat(5_000)),
  apart: fc.boolean(),
  cutAfter: fc.option(fc.nat(20), { nil: undefined, freq: 4 }),
  which: fc.nat(SHARED - 1),
});

/** `from`: in cells. */
function cells(account: number, file: string, tag: number, from: number, count: number): Buffer {
  const bytes = Buffer.alloc(count * CELL);
  for (let i = 0; i < count; i += 1) {
    bytes.writeUInt8(account + 1, i * CELL);
    bytes.writeUIntBE(tag, i * CELL + 1, 5);
    bytes.writeUInt32BE(from + i, i * CELL + 6);
    bytes.write(file.padEnd(6).slice(0, 6), i * CELL + 10, "latin1");
  }
  return bytes;
}

/** What is wrong with the first cell that lies where it should not. */
function strange(bytes: Buffer, account: number, files: readonly string[], from = 0): string | undefined {
  if (bytes.length % CELL !== 0) return `${bytes.length} bytes`;
  for (let i = 0; i < bytes.length / CELL; i += 1) {
    const cell = bytes.subarray(i * CELL, (i + 1) * CELL);
    const file = cell.toString("latin1", 10).trim();
    if (cell[0] !== account + 1 || cell.readUInt32BE(6) !== from + i || !files.includes(file))
      return `at ${(from + i) * CELL} of ${bytes.length}: ${cell.toString("hex")} (${file})`;
  }
  return undefined;
}

/** Refused or lost is what others do to it; anything else is a mistake. */
async function unlessOthers(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof SftpStatus || error instanceof SftpLost)) throw error;
    if (/internal|ENOENT|EBADF|EEXIST/.test(error.message)) throw error;
  });
}

let tags = 0;

async function play(scene: SftpScene, account: number, session: number, steps: readonly Step[]) {
  const who = scene.account(`account-${account}`);
  let current: SceneSession = await scene.session(who);
  /** Versions that only this session made. */
  const made = new Map<string, Buffer>();
  const again = async (): Promise<void> => {
    await current.cut();
    current = await scene.session(who);
  };

  const write = async (
    path: string,
    flags: number,
    bytes: Buffer,
    from: number,
    { apart, cutAfter }: Step,
  ) => {
    const handle = await current.open(path, flags);
    const middle = apart ? Math.floor(bytes.length / CELL / 2) * CELL : 0;
    const writing = current
      .write(handle, bytes.subarray(middle), { at: from * CELL + middle })
      .then(() => current.write(handle, bytes.subarray(0, middle), { at: from * CELL }));
    if (cutAfter !== undefined) {
      writing.catch(() => {});
      await pause(cutAfter);
      await again();
      return undefined;
    }
    await writing;
    return await current.shut(handle);
  };

  for (const [i, one] of steps.entries()) {
    const shared = `s${one.which}`;
    const other = `s${(one.which + 1) % SHARED}`;
    tags += 1;
    const own = `${session}.${i}`;
    switch (one.kind) {
      case "own":
      case "temporary":
      case "resumed": {
        const bytes = cells(account, own, tags, 0, one.size);
        const path = one.kind === "temporary" ? `/in/${own}.part` : `/in/${own}`;
        let words = await write(path, WRITE | OPEN.truncate, bytes, 0, one);
        if (words === undefined && one.kind === "resumed") {
          const there = Number((await current.stat(path).catch(() => ({ size: 0 }))).size);
          const handle = await current.open(path, WRITE | OPEN.read);
          // With a gap it is begun again; and of what nobody writes anything to, nobody says that it is whole.
          const from = one.apart || there === bytes.length ? 0 : there;
          if (from > 0) expect(await current.read(handle, 0, CELL)).toEqual(bytes.subarray(0, CELL));
          await current.write(handle, bytes.subarray(from), { at: from });
          words = await current.shut(handle);
        }
        if (words === undefined) break;
        if (one.kind === "temporary") words = await current.rename(path, `/in/${own}`, true);
        expect(words).toMatch(/^created /);
        made.set(own, bytes);
        break;
      }
      case "shared":
        await unlessOthers(
          write(`/in/${shared}`, WRITE | OPEN.truncate, cells(account, "s", tags, 0, one.size), 0, one),
        );
        break;
      case "alter":
        await unlessOthers(
          write(`/in/${shared}`, WRITE, cells(account, "s", tags, one.at, one.size), one.at, one),
        );
        break;
      case "rename":
        await unlessOthers(current.rename(`/in/${shared}`, `/in/${other}`, true));
        break;
      case "remove":
        await unlessOthers(current.remove(`/in/${shared}`));
        break;
      case "read":
        await unlessOthers(
          (async () => {
            const handle = await current.open(`/in/${shared}`, OPEN.read);
            for (let at = 0; at < one.size; at += 1000) await current.read(handle, at * CELL, 1000 * CELL);
            await current.shut(handle);
          })(),
        );
        break;
    }
  }
  await current.cut();
  return made;
}

test("no byte of one file ever lies in another, and what was closed is there as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 4, maxLength: 10 }), {
        minLength: 4,
        maxLength: 6,
      }),
      async (all) => {
        const root = mkdtempSync(join(tmpdir(), "tributary-sftp-"));
        const lake = await openDirectoryLake({
          root,
          site: "0198a000-0000-7000-8000-000000000001",
          disk: slowlyWriting(() => Math.random() * 4),
        });
        const scene = new SftpScene();
        const rig = await startRig({ sftp: scene, wrap: () => lake });
        try {
          const made = new Map<string, Buffer>();
          const played = await Promise.all(all.map((steps, i) => play(scene, i % 2, i, steps)));
          for (const of of played) for (const [path, bytes] of of) made.set(path, bytes);
          const lines = await createHistory(rig.database.db).since(0, 10_000);
          for (const line of lines) {
            if (line.key === null) continue;
            const bytes = Buffer.concat((await (await lake.read(line.key))?.toArray()) ?? []);
            expect(bytes.length).toBe(line.size);
            const own = made.get(line.path);
            made.delete(line.path);
            if (own !== undefined) expect(bytes.equals(own), line.path).toBe(true);
            // Both accounts read, rename and alter each other's shared files.
            else if (line.path.startsWith("s"))
              for (let i = 0; i < bytes.length; i += CELL)
                expect(
                  strange(bytes.subarray(i, i + CELL), (bytes[i] ?? 0) - 1, ["s"], i / CELL),
                ).toBeUndefined();
            else throw new Error(`nobody closed ${line.path}`);
          }
          expect([...made.keys()]).toEqual([]);
          // All that is under way can be removed, and nothing of it stays.
          for (const account of [0, 1]) {
            const session = await scene.session(scene.account(`account-${account}`));
            for (const { name } of await session.list("/in"))
              if (!/^\.+$/.test(name.toString()))
                await session.remove(Buffer.concat([Buffer.from("/in/"), name]));
            await session.cut();
          }
          const left = await readdir(join(root, ".staging", "unfinished"), { recursive: true }).catch(
            () => [],
          );
          expect(left.filter((name) => name.includes("/"))).toEqual([]);
          expect(scene.faults).toEqual([]);
        } finally {
          await rig.stop();
          rmSync(root, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 6 },
  );
}, 120_000);
