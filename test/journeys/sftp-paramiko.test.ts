/** A client of another implementation, paramiko, which does what the others never do; and what WinSCP does, in its order. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Running } from "../site/process.ts";
import { makeFiles, makeLarge, PATIENCE, sha256 } from "../site/sftp-files.ts";
import { paramiko, said } from "../site/sftp-programs.ts";
import { type Login, makeSftpSite, type SftpSite } from "../site/sftp-site.ts";

describe("paramiko", { timeout: PATIENCE }, () => {
  let it: SftpSite;
  let receiver: Running;
  let reader: Login;
  let writer: Login;
  let dir: string;
  beforeAll(async () => {
    it = await makeSftpSite();
    receiver = await it.site.serve();
    reader = await it.account("reader", { more: ["--access", "read-write"] });
    writer = await it.account("writer", { key: ["-t", "rsa", "-b", "3072"] });
    dir = join(it.site.dir, "home");
    mkdirSync(dir);
  });
  afterAll(async () => {
    await receiver?.stop();
    it?.site.remove();
  });
  const python = async (login: Login, script: string) =>
    await said(paramiko(login, `s = session(connect())\n${script}`, { cwd: dir, withinMs: PATIENCE }));
  const history = async (source: string, path: string) =>
    (await it.entries("--source", source, "--path", path)).map(({ kind, sha256: digest }) => [kind, digest]);

  test("written in any order, with overlaps and a truncate: one version, of what it was at the close", async () => {
    const [size] = await python(
      reader,
      `
s.mkdir("/any")
with s.open("/any/order.bin", "w") as f:
    f.set_pipelined(True)
    for at in (3, 1, 0, 4, 2, 1):
        f.seek(at * 40000)
        f.write(bytes([65 + at]) * 40000)
    f.truncate(190000)
say(s.stat("/any/order.bin").st_size)
`,
    );
    expect(size).toBe(190_000);
    const whole = Buffer.concat([0, 1, 2, 3, 4].map((at) => Buffer.alloc(40_000, 65 + at))).subarray(
      0,
      190_000,
    );
    expect(await history("any", "order.bin")).toEqual([["version", sha256(whole)]]);
  });

  test("appending, writing into the middle, and truncating a version make the next one", async () => {
    await python(
      reader,
      `
s.mkdir("/alter")
with s.open("/alter/a.txt", "w") as f: f.write("one ")
with s.open("/alter/a.txt", "a") as f: f.write("two ")
with s.open("/alter/a.txt", "r+") as f:
    f.seek(4)
    f.write("TWO")
s.truncate("/alter/a.txt", 5)
`,
    );
    const texts = ["one ", "one two ", "one TWO ", "one T"];
    expect(await history("alter", "a.txt")).toEqual(texts.map((text) => ["version", sha256(text)]));
  });

  test("a gap that was never written is no file", async () => {
    const [closed, why, there] = await python(
      writer,
      `
s.mkdir("/gap")
f = s.open("/gap/g.bin", "w")
f.write(b"x" * 1000)
f.seek(5000)
f.write(b"y" * 10)
say(fails(f.close))
say(fails(lambda: s.stat("/gap/g.bin")))
say(s.stat("/gap/g.bin").st_size)
`,
    );
    // paramiko keeps what a close was answered to itself, so the next look at the file says it.
    expect(closed).toBe("no error");
    expect(why).toContain("length-mismatch: bytes 1000 to 4999 were never written; nothing was recorded");
    expect(there).toBe(5010);
    expect(await history("gap", "g.bin")).toEqual([]);
  });

  test("read ahead, read at any place, and times and modes as they are asked for", async () => {
    const digest = makeLarge(join(dir, "large.bin"), 8 * 2 ** 20);
    const [read, piece, stat, modes, listed] = await python(
      reader,
      `
import hashlib
s.mkdir("/read")
s.put("large.bin", "/read/large.bin", confirm=True)
with s.open("/read/large.bin") as f:
    f.prefetch(s.stat("/read/large.bin").st_size)
    say(hashlib.sha256(f.read()).hexdigest())
with s.open("/read/large.bin") as f:
    f.seek(5000000)
    piece = f.read(1234)
    f.seek(17)
    say(piece == open("large.bin", "rb").read()[5000000:5001234] and len(f.read(3)) == 3)
s.utime("/read/large.bin", (1600000000, 1600000001))
say(s.stat("/read/large.bin").st_mtime)
s.chmod("/read/large.bin", 0o600)
s.chown("/read/large.bin", 7, 7)
say([oct(s.stat("/read/large.bin").st_mode), oct(s.lstat("/read").st_mode)])
say([[a.filename, a.st_size, a.st_mtime] for a in s.listdir_attr("/read")])
`,
    );
    expect([read, piece, stat]).toEqual([digest, true, 1_600_000_001]);
    expect(modes).toEqual(["0o100660", "0o40770"]);
    expect(listed).toEqual([["large.bin", 8 * 2 ** 20, 1_600_000_001]]);
    expect(await history("read", "large.bin")).toHaveLength(1);
  });

  test("rename does not replace, posix_rename does; folders with files stay where they are", async () => {
    const [taken, full, unknown, names] = await python(
      reader,
      `
s.mkdir("/names")
for name in ("a", "b"):
    with s.open("/names/" + name, "w") as f: f.write(name)
say(fails(lambda: s.rename("/names/a", "/names/b")))
s.posix_rename("/names/a", "/names/b")
s.mkdir("/names/sub")
s.rename("/names/sub", "/names/other")
with s.open("/names/other/c", "w") as f: f.write("c")
say([fails(lambda: s.rename("/names/other", "/names/third")), fails(lambda: s.rmdir("/names/other"))])
say([fails(lambda: s.symlink("/names/b", "/names/link")), fails(lambda: s.readlink("/names/b"))])
s.remove("/names/other/c")
s.rmdir("/names/other")
say(s.listdir("/names"))
`,
    );
    expect(taken).toContain('"/names/b" is there already');
    expect(full[0]).toContain("a folder with files in it is not renamed");
    expect(full[1]).toContain('"/names/other" is not empty');
    expect(unknown).toEqual([
      expect.stringContaining("a link between files is not done here"),
      expect.stringContaining("a link between files is not done here"),
    ]);
    expect(names).toEqual(["b"]);
    expect(await history("names", "a")).toEqual([
      ["version", sha256("a")],
      ["removal", null],
    ]);
    expect(await history("names", "b")).toEqual([
      ["version", sha256("b")],
      ["version", sha256("a")],
    ]);
  });

  test.for([
    ["the first time", false],
    ["with the old one removed before", true],
  ] as const)("as WinSCP sends a file, %s", async ([, replaces]) => {
    const [waiting, hidden, named] = await python(
      writer,
      `
replaces = ${replaces ? "True" : "False"}
try: s.mkdir("/winscp")
except IOError: pass
content = (b"new," if replaces else b"old,") * 300000
say(fails(lambda: s.stat("/winscp/x.csv.filepart")))
f = s.open("/winscp/x.csv.filepart", "w")
f.set_pipelined(True)
for at in range(0, len(content), 32768): f.write(content[at:at + 32768])
f.close()
say([s.stat("/winscp/x.csv.filepart").st_size, sorted(s.listdir("/winscp"))])
if replaces: s.remove("/winscp/x.csv")
s.rename("/winscp/x.csv.filepart", "/winscp/x.csv")
s.utime("/winscp/x.csv", (1700000000, 1700000000))
a = s.stat("/winscp/x.csv")
say([a.st_size, a.st_mtime, s.listdir("/winscp")])
`,
    );
    expect(waiting).toContain("FileNotFoundError");
    expect(hidden).toEqual([1_200_000, replaces ? ["x.csv", "x.csv.filepart"] : ["x.csv.filepart"]]);
    expect(named).toEqual([1_200_000, 1_700_000_000, ["x.csv"]]);
    const old = ["version", sha256("old,".repeat(300_000))];
    const fresh = ["version", sha256("new,".repeat(300_000))];
    expect(await history("winscp", "x.csv")).toEqual(replaces ? [old, ["removal", null], fresh] : [old]);
    expect(await history("winscp", "x.csv.filepart")).toEqual([]);
  });

  test("a folder as WinSCP synchronises it: small files at once, large ones by .filepart, and the second time nothing", async () => {
    const { digests } = makeFiles(join(dir, "many"));
    const [sent, again] = await python(
      writer,
      `
import os, stat
def synchronise(here, there):
    try: seen = {a.filename: a for a in s.listdir_attr(there)}
    except IOError:
        s.mkdir(there)
        seen = {}
    count = 0
    for entry in sorted(os.scandir(here), key=lambda e: e.name):
        to = there + "/" + entry.name
        if entry.is_dir():
            count += synchronise(entry.path, to)
            continue
        local = entry.stat()
        known = seen.get(entry.name)
        if known and known.st_size == local.st_size and known.st_mtime == int(local.st_mtime): continue
        under = to + ".filepart" if local.st_size > 102400 else to
        f = s.open(under, "w")
        f.set_pipelined(True)
        with open(entry.path, "rb") as bytes:
            while piece := bytes.read(32768): f.write(piece)
        f.close()
        if under != to: s.rename(under, to)
        s.utime(to, (int(local.st_mtime), int(local.st_mtime)))
        count += 1
    return count
say(synchronise("many", "/sync"))
say(synchronise("many", "/sync"))
`,
    );
    expect([sent, again]).toEqual([digests.size, 0]);
    expect(await it.newest("demo", "sync")).toEqual(digests);
    expect(await it.entries("--source", "sync")).toHaveLength(digests.size);
  });

  test("temporary names wait for their rename, one under another name too", async () => {
    const [before, after] = await python(
      writer,
      `
s.mkdir("/temp")
names = [".x", "_x", "x.tmp", "X.PART", "x.partial", "x.filepart"]
for i, name in enumerate(names):
    with s.open("/temp/" + name, "w") as f: f.write(name)
s.rename("/temp/x.tmp", "/temp/y.tmp")
say(sorted(s.listdir("/temp")))
for i, name in enumerate(sorted(s.listdir("/temp"))): s.rename("/temp/" + name, f"/temp/{i}.csv")
say(sorted(s.listdir("/temp")))
`,
    );
    expect(before).toEqual([".x", "X.PART", "_x", "x.filepart", "x.partial", "y.tmp"]);
    expect(after).toEqual(["0.csv", "1.csv", "2.csv", "3.csv", "4.csv", "5.csv"]);
    const newest = await it.newest("demo", "temp");
    expect([...newest.values()].toSorted()).toEqual(
      [".x", "_x", "x.tmp", "X.PART", "x.partial", "x.filepart"].map(sha256).toSorted(),
    );
  });
});
