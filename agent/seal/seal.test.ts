import { createHash } from "node:crypto";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { folderSource } from "../source/folder.ts";
import type { Source } from "../source/source.ts";
import type { FileState } from "../source/state.ts";
import { CHUNK, seal } from "./seal.ts";
import { Spool } from "./spool.ts";

describe("to seal", () => {
  let home: string;
  let source: Source;
  const path = Buffer.from("a");
  const buffer = Buffer.alloc(CHUNK);
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "seal-"));
    source = folderSource({
      name: "pos",
      path: home,
      include: ["a"],
      exclude: [],
      share: false,
      crossMounts: false,
      ignored: [],
    });
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));
  const file = (): string => join(home, "a");
  const sha = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex");
  async function state(): Promise<FileState> {
    const look = await source.look(path);
    if (look.kind !== "file") throw new Error(look.kind);
    return look.state;
  }
  /** Something happens after the first chunk was read. */
  function meanwhile(happens: () => void): Pick<Source, "open"> {
    return {
      async open(at) {
        const opened = await source.open(at);
        if (opened.kind !== "open") return opened;
        let done = false;
        const { file: real } = opened;
        return {
          kind: "open",
          file: {
            state: real.state,
            recheck: () => real.recheck(),
            async read(into, position) {
              const got = await real.read(into, position);
              if (!done) happens();
              done = true;
              return got;
            },
            [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
          },
        };
      },
    };
  }

  test.for([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])("%i bytes", async (size) => {
    const bytes = Buffer.alloc(size, "abcdefg");
    writeFileSync(file(), bytes);
    const result = await seal(source, { path, state: await state(), snapshot: false }, undefined, { buffer });
    expect(result).toEqual({
      kind: "sealed",
      state: await state(),
      sha256: sha(bytes),
      partDigests: undefined,
      spooled: undefined,
      bytes: bytes.length <= 64 * 2 ** 10 ? bytes : undefined,
    });
  });

  test("small ones that lie where they stay come with their bytes; those that are copied, and snapshots of what moved, do not", async () => {
    writeFileSync(file(), "content");
    const order = { path, state: await state(), snapshot: false };
    const at = await seal(source, order, undefined, { buffer });
    if (at.kind !== "sealed") throw new Error(at.kind);
    expect(at.bytes?.toString()).toBe("content");
    // Memory of its own: the buffer is used again for the next.
    buffer.fill(0);
    expect(at.bytes?.toString()).toBe("content");
    const spool = new Spool(join(home, "spool"), 1e6, new Map());
    expect(await seal(source, order, spool, { buffer })).toMatchObject({ kind: "sealed", bytes: undefined });
    appendFileSync(file(), "more");
    expect(await seal(source, { ...order, snapshot: true }, undefined, { buffer })).toMatchObject({
      ...{ kind: "sealed", sha256: sha("contentmore"), bytes: undefined },
    });
  });

  test("not in the state that settled: not read", async () => {
    writeFileSync(file(), "one");
    const before = await state();
    writeFileSync(file(), "longer");
    expect(await seal(source, { path, state: before, snapshot: false }, undefined, { buffer })).toEqual({
      kind: "changed",
      state: await state(),
    });
  });

  test.for([
    ["written in place", "changed"],
    ["appended to", "changed"],
    ["truncated", "changed"],
    ["replaced", "gone"],
    ["deleted", "gone"],
  ] as const)("%s while it is read: no parcel", async ([how, kind]) => {
    writeFileSync(file(), "onetwo");
    const happens: Record<string, () => void> = {
      "written in place": () => writeFileSync(file(), "twotwo"),
      "appended to": () => appendFileSync(file(), "more"),
      truncated: () => writeFileSync(file(), ""),
      replaced: () => {
        writeFileSync(`${file()}.new`, "onetwo");
        renameSync(`${file()}.new`, file());
      },
      deleted: () => unlinkSync(file()),
    };
    const spool = new Spool(join(home, "spool"), 1e6, new Map());
    const result = await seal(
      meanwhile(happens[how]!),
      { path, state: await state(), snapshot: false },
      spool,
      { buffer },
    );
    expect(result.kind).toBe(kind);
    expect([spool.used, readdirSync(spool.folder)]).toEqual([0, []]);
  });

  test("a snapshot of a growing file: the bytes that it had when it was opened", async () => {
    writeFileSync(file(), "log1");
    const spool = new Spool(join(home, "spool"), 1e6, new Map());
    const growing = meanwhile(() => appendFileSync(file(), "log2"));
    const result = await seal(growing, { path, state: await state(), snapshot: true }, spool, { buffer });
    expect(result).toMatchObject({ kind: "sealed", sha256: sha("log1"), state: { size: 4 } });
    if (result.kind === "sealed") expect(readFileSync(spool.pathOf(result.spooled!), "utf8")).toBe("log1");
  });

  test("a copy holds what was hashed; the bound is kept; what ends frees it; leftovers go at the start", async () => {
    const bytes = Buffer.alloc(CHUNK + 5, "x");
    writeFileSync(file(), bytes);
    const spool = new Spool(join(home, "spool"), CHUNK + 10, new Map());
    const order = { path, state: await state(), snapshot: false };
    const first = await seal(source, order, spool, { buffer });
    if (first.kind !== "sealed" || first.spooled === undefined) throw new Error(first.kind);
    expect(sha(readFileSync(spool.pathOf(first.spooled)))).toBe(first.sha256);
    expect(spool.used).toBe(bytes.length);
    expect(await seal(source, order, spool, { buffer })).toEqual({ kind: "spool-full" });
    writeFileSync(spool.pathOf("leftover"), "x");
    const again = new Spool(spool.folder, 1e9, new Map([[first.spooled, ""]]));
    expect([again.used, readdirSync(spool.folder)]).toEqual([bytes.length, [first.spooled]]);
    await spool.release(first.spooled);
    expect((await seal(source, order, spool, { buffer })).kind).toBe("sealed");
  });

  test("a read error is the file's own trouble, and leaves nothing in the spool", async () => {
    writeFileSync(file(), "x");
    const spool = new Spool(join(home, "spool"), 1e6, new Map());
    const bad = meanwhile(() => {
      throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
    });
    expect(await seal(bad, { path, state: await state(), snapshot: false }, spool, { buffer })).toMatchObject(
      {
        kind: "unseen",
        unseen: { code: "file-unreadable" },
      },
    );
    expect(readdirSync(spool.folder)).toEqual([]);
  });
});
