import { createHash } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { afterByHands, afterRule, type SealedFile } from "./after.ts";
import { diskHands, shareHands } from "./disk-hands.ts";
import { ownName } from "./own-name.ts";

const [OWN_X, OWN_Y, OWN_Z] = ["1", "2", "3"].map((end) =>
  String(ownName(`0190a8c0-0000-7000-8000-00000000000${end}`)),
) as [string, string, string];

describe("after a receipt", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "after-"));
    mkdirSync(join(root, "d"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  function seen(name: string, text: string): SealedFile {
    writeFileSync(join(root, name), text);
    const { size, mtimeNs, ctimeNs, ino } = lstatSync(join(root, name), { bigint: true });
    const sha256 = createHash("sha256").update(text).digest("hex");
    return {
      path: Buffer.from(name),
      state: { size: Number(size), mtimeNs, ctimeNs, fileId: ino },
      sha256,
    };
  }
  const all = (): string[] =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
      .sort();
  const after = () => afterByHands(Buffer.from(root), diskHands);
  const moving = () => afterRule("move:done", root)!;

  test("what took its place on a share that tells of what was before is not taken for it", async () => {
    const sealed = seen("a", "old");
    writeFileSync(join(root, "new"), "newer");
    renameSync(join(root, "new"), join(root, "a"));
    const remembering = { ...shareHands, look: async () => sealed.state };
    const result = await afterByHands(Buffer.from(root), remembering).act({ kind: "delete" }, sealed, "u");
    expect(result).toMatchObject({ kind: "skipped" });
    expect(all()).toEqual(["a"]);
    expect(readFileSync(join(root, "a"), "utf8")).toBe("newer");
  });

  test.skipIf(process.platform === "win32")(
    "the folders that a move makes are as open as the file's own, whatever the agent's umask",
    async () => {
      const before = process.umask(0o077);
      try {
        chmodSync(join(root, "d"), 0o755);
        expect(await after().act(moving(), seen("d/a", "1"), "u")).toMatchObject({ kind: "done" });
        for (const made of ["done", "done/d"]) expect(lstatSync(join(root, made)).mode & 0o777).toBe(0o755);
      } finally {
        process.umask(before);
      }
    },
  );

  test("keep is nothing; delete deletes; move keeps the path", async () => {
    expect(afterRule("keep", root)).toBeUndefined();
    expect(await after().act({ kind: "delete" }, seen("d/a", "1"), "u")).toEqual({
      kind: "done",
      action: "delete",
    });
    expect(all()).toEqual([]);
    expect(await after().act(moving(), seen("d/a", "1"), "u")).toEqual({ kind: "done", action: "move" });
    expect(all()).toEqual(["done/d/a"]);
  });

  test("moving never overwrites", async () => {
    await after().act(moving(), seen("d/a", "1"), "u1");
    await after().act(moving(), seen("d/a", "2"), "u2");
    expect(all()).toEqual(["done/d/a", "done/d/a~u2"]);
    expect(readFileSync(join(root, "done/d/a"), "utf8")).toBe("1");
  });

  test.for(["changed", "replaced", "gone"])("a file that was %s since stays as it is", async (how) => {
    const known = seen("a", "1");
    if (how === "changed") writeFileSync(join(root, "a"), "2");
    if (how === "replaced") {
      writeFileSync(join(root, "b"), "1");
      renameSync(join(root, "b"), join(root, "a"));
    }
    if (how === "gone") rmSync(join(root, "a"));
    const before = all();
    expect(await after().act({ kind: "delete" }, known, "u")).toMatchObject({ kind: "skipped" });
    expect(all()).toEqual(before);
  });

  test("racing writers lose nothing: every text that was written is delivered, on disk, or was the sealed one", async () => {
    for (let round = 0; round < 100; round += 1) {
      const known = seen("a", "sealed");
      writeFileSync(join(root, "new"), `round ${round}`);
      const acting = after().act({ kind: "delete" }, known, `u${round}`);
      for (let i = 0; i < round % 7; i += 1) await new Promise((resolve) => setImmediate(resolve));
      renameSync(join(root, "new"), join(root, "a"));
      await acting;
      const texts = all().map((name) => readFileSync(join(root, name), "utf8"));
      expect(texts).toContain(`round ${round}`);
      expect(all().filter((name) => name.includes(".tributary-"))).toEqual([]);
      for (const name of all()) rmSync(join(root, name));
    }
  });

  test("a failure puts the file back under its name", async () => {
    const known = seen("d/a", "1");
    writeFileSync(join(root, "done"), "not a folder");
    expect(await after().act(moving(), known, "u")).toMatchObject({ kind: "failed" });
    expect(all()).toEqual(["d/a", "done"]);
  });

  test("a private name that a crash left gets its own back, never over a newer file", async () => {
    const [a, b] = [seen("d/a", "1"), seen("d/b", "1")];
    renameSync(join(root, "d/b"), join(root, `d/${OWN_X}`));
    rmSync(join(root, "d/a"));
    expect(await after().recover(Buffer.from(`d/${OWN_X}`), [a, b])).toEqual({
      kind: "back",
      path: b.path,
    });
    expect(all()).toEqual(["d/b"]);
    const again = seen("d/b", "1");
    renameSync(join(root, "d/b"), join(root, `d/${OWN_Y}`));
    writeFileSync(join(root, "d/b"), "newer");
    await after().recover(Buffer.from(`d/${OWN_Y}`), [again]);
    expect(readFileSync(join(root, "d/b"), "utf8")).toBe("newer");
    expect(all()).toHaveLength(2);
  });

  test("a private name whose bytes nobody knows is left alone", async () => {
    const known = seen("a", "1");
    writeFileSync(join(root, OWN_Z), "2");
    expect(await after().recover(Buffer.from(OWN_Z), [known])).toEqual({ kind: "unknown" });
    expect(await after().recover(Buffer.from(OWN_X), [known])).toEqual({ kind: "gone" });
    expect(all()).toContain(OWN_Z);
  });
});
