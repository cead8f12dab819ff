import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { folderSource } from "./folder.ts";
import { folderIn, mountOf, shareOf } from "./mount.ts";

const MOUNTS = `26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
41 26 0:52 / /mnt/pos rw,relatime shared:9 master:2 - nfs4 files.example.com:/export/pos rw,vers=4.2
42 26 0:53 / /mnt/with\\040blank rw - cifs //nas/Sales\\040and\\134more rw
43 26 0:54 / /mnt/stacked rw - nfs one:/a rw
44 43 0:55 / /mnt/stacked rw - nfs two:/b rw
45 26 0:52 /sub /mnt/bound rw - nfs4 files.example.com:/export/pos rw,vers=4.2
46 26 0:56 / /mnt/utf8 rw - cifs //nas/B\u00c3\u00bccher rw
47 26 0:58 / /mnt/cifs rw - cifs //nas/Tills rw,vers=3.0,noserverino,uid=0
48 26 0:59 / /mnt/fuse rw - fuse.sshfs till@pos:/export rw,user_id=0
4 26 0:57 / /mnt/none rw - tmpfs  rw
`;

test.for([
  ["41", "files.example.com:/export/pos"],
  ["42", "//nas/Sales and\\more"],
  ["43", "one:/a"],
  ["44", "two:/b"],
  ["45", "files.example.com:/export/pos"],
  ["46", "//nas/B\u00c3\u00bccher"],
  ["4", ""],
  ["7", undefined],
  [undefined, undefined],
] as const)("the source of mount %s is %s", ([id, source]) => {
  expect(mountOf(MOUNTS, id)?.source).toBe(source);
});

test.for([
  ["26", "/home/pos", "/home/pos"],
  ["26", "/", "/"],
  ["41", "/mnt/pos", "/"],
  ["41", "/mnt/pos/in/2026", "/in/2026"],
  ["42", "/mnt/with blank/in", "/in"],
  ["45", "/mnt/bound", "/sub"],
  ["45", "/mnt/bound/in", "/sub/in"],
] as const)("in mount %s, %s is its folder %s", ([id, path, folder]) => {
  expect(folderIn(mountOf(MOUNTS, id)!, path)).toBe(folder);
});

test.for([
  ["41", true],
  ["42", true],
  ["47", false],
  ["48", false],
] as const)("whether the inodes of mount %s are the server's: %s", ([id, numbered]) => {
  expect(mountOf(MOUNTS, id)?.numbered).toBe(numbered);
});

const mountable = process.platform === "linux" && process.getuid?.() === 0;
const made: string[] = [];
const mounted: string[] = [];
afterEach(() => {
  for (const at of mounted.splice(0).reverse()) execFileSync("umount", ["-l", at]);
  for (const at of made.splice(0)) rmSync(at, { recursive: true, force: true });
});
const place = (): string => {
  const at = mkdtempSync(join(tmpdir(), "mount of "));
  made.push(at);
  return at;
};
const mount = (at: string, ...how: string[]): void => {
  execFileSync("mount", [...how, at]);
  mounted.push(at);
};
const rootId = async (path: string): Promise<string> => {
  const health = await folderSource({
    name: "pos",
    path,
    include: [],
    exclude: [],
    share: true,
    crossMounts: false,
    ignored: [],
  }).health();
  if (!health.healthy) throw new Error(health.reason);
  return health.rootId;
};

test.skipIf(!mountable)(
  "one share mounted again is the same, another at its place is not (needs root)",
  async () => {
    const at = place();
    mount(at, "-t", "tmpfs", "a share");
    const first = await rootId(at);
    expect(first).toContain("a share");
    execFileSync("umount", [at]);
    execFileSync("mount", ["-t", "tmpfs", "a share", at]);
    expect(await rootId(at)).toBe(first);
    // Stacked: what lies on top counts.
    mount(at, "-t", "tmpfs", "another");
    expect(await rootId(at)).not.toBe(first);
  },
);

test.skipIf(!mountable)(
  "two folders of one share are two roots, wherever it is mounted (needs root)",
  async () => {
    const [at, bound] = [place(), place()];
    mount(at, "-t", "tmpfs", "one");
    for (const name of ["a", "b"]) mkdirSync(join(at, name));
    mount(bound, "--bind", join(at, "a"));
    expect(await rootId(join(at, "b"))).not.toBe(await rootId(join(at, "a")));
    expect(await rootId(bound)).toBe(await rootId(join(at, "a")));
  },
);

test.skipIf(!mountable)("a bind mount is the share that it shows (needs root)", async () => {
  const [at, bound] = [place(), place()];
  mount(at, "-t", "tmpfs", "one");
  mount(bound, "--bind", at);
  expect(await shareOf(Buffer.from(bound))).toBe(await shareOf(Buffer.from(at)));
  expect(await rootId(bound)).toBe(await rootId(at));
});
