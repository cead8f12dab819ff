import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder } from "./folder.ts";

function made(fresh: boolean, before: (top: string) => void = () => {}) {
  const top = mkdtempSync(join(tmpdir(), "tributary-folder-"));
  onTestFinished(() => rmSync(top, { recursive: true, force: true }));
  before(top);
  const synced: string[] = [];
  makeFolder(join(top, "a", "b"), { fresh }, (folder) => synced.push(folder));
  expect(existsSync(join(top, "a", "b"))).toBe(true);
  return { top, synced };
}
const ancestors = (folder: string): string[] =>
  folder === dirname(folder) ? [] : [dirname(folder), ...ancestors(dirname(folder))];

test("every name that was made is synced, in the folder above it", () => {
  const { top, synced } = made(false);
  expect(synced).toEqual([join(top, "a"), top]);
});

test("a folder that is in use costs nothing; one that nothing lies in yet is synced up to the root", () => {
  const there = (top: string): void => void mkdirSync(join(top, "a", "b"), { recursive: true });
  expect(made(false, there).synced).toEqual([]);
  const { top, synced } = made(true, there);
  expect(synced).toEqual(ancestors(join(top, "a", "b")));
});

test("what it made must be synced; of what was there, only what may be opened", () => {
  const top = mkdtempSync(join(tmpdir(), "tributary-folder-"));
  onTestFinished(() => rmSync(top, { recursive: true, force: true }));
  const denied = (where: string) => (folder: string) => {
    if (folder === where) throw Object.assign(new Error("denied"), { code: "EACCES" });
  };
  expect(() => makeFolder(join(top, "x"), { fresh: true }, denied(top))).toThrow("denied");
  makeFolder(join(top, "y"), { fresh: true }, denied(dirname(top)));
});

test("where no folder can be made it ends, and says which one", () => {
  const top = mkdtempSync(join(tmpdir(), "tributary-folder-"));
  onTestFinished(() => rmSync(top, { recursive: true, force: true }));
  writeFileSync(join(top, "file"), "");
  const make = (folder: string) => () => makeFolder(folder, { fresh: false });
  expect(make(join(top, "file"))).toThrow(/^EEXIST.*file'$/);
  expect(make(join(top, "file", "below"))).toThrow(/^ENOTDIR/);
  // The kernel answers ENOENT there although /proc exists.
  if (process.platform === "linux")
    expect(make("/proc/tributary/data")).toThrow(/^ENOENT.*'\/proc\/tributary'$/);
});
