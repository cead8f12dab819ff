/** OpenSSH's own programs, as administrators call them: what they see, send, fetch and are told. */
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Running } from "../site/process.ts";
import { FILES, makeFiles, PATIENCE, secondsOf, sha256 } from "../site/sftp-files.ts";
import { scp, sftp, well } from "../site/sftp-programs.ts";
import { type Login, makeSftpSite, type SftpSite } from "../site/sftp-site.ts";
import { peakMemory } from "../site/site.ts";

describe("sftp and scp of OpenSSH", { timeout: PATIENCE }, () => {
  let it: SftpSite;
  let receiver: Running;
  let reader: Login;
  let dir: string;
  beforeAll(async () => {
    it = await makeSftpSite();
    receiver = await it.site.serve();
    reader = await it.account("reader", { more: ["--access", "read-write", "--history", "--receipts"] });
    dir = join(it.site.dir, "home");
    mkdirSync(join(dir, "got"), { recursive: true });
  });
  afterAll(async () => {
    await receiver?.stop();
    it?.site.remove();
  });
  const file = (name: string, content: string): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const listing = (stdout: string): string[] =>
    stdout.split("\n").filter((line) => line !== "" && !line.startsWith("sftp>"));

  test("a folder in / is a source, a file in / goes to the default source, and both are seen again", async () => {
    file("a.csv", "one");
    const commands = ["mkdir /pos", "mkdir /pos/2025", "put a.csv /pos/2025/a.csv", "put a.csv /", "ls -1 /"];
    const ran = await well(
      sftp(reader, [...commands, "ls -l /pos/2025", "get /pos/2025/a.csv got/a.csv"], { cwd: dir }),
    );
    expect(listing(ran.stdout)).toEqual(
      expect.arrayContaining([
        "/a.csv",
        "/pos",
        expect.stringMatching(/^-rw-rw---- +\S+ +\S+ +\S+ +3 .* a\.csv$/),
      ]),
    );
    expect(readFileSync(join(dir, "got/a.csv"), "utf8")).toBe("one");
    expect(await it.newest("demo", "pos")).toEqual(new Map([["2025/a.csv", sha256("one")]]));
    expect(await it.newest("demo", "sftp")).toEqual(new Map([["a.csv", sha256("one")]]));
    const [entry] = await it.entries("--source", "pos");
    expect(entry).toMatchObject({ channel: "sftp", agentId: reader.id, client: "demo", size: 3 });
  });

  test("the newest version is the tree, and .history has every one", async () => {
    file("b.csv", "first");
    await well(sftp(reader, ["put b.csv /pos/b.csv"], { cwd: dir }));
    file("b.csv", "second");
    const commands = ["put b.csv /pos/b.csv", "get /pos/b.csv got/b.csv", "ls -1 /.history/pos/b.csv"];
    const { stdout } = await well(sftp(reader, commands, { cwd: dir }));
    expect(readFileSync(join(dir, "got/b.csv"), "utf8")).toBe("second");
    const versions = listing(stdout).filter((line) => line.startsWith("/.history/"));
    expect(versions).toHaveLength(2);
    expect(versions[0]).toMatch(/^\/\.history\/pos\/b\.csv\/\d{4}-\d\d-\d\dT[\d.]+Z_[0-9a-f-]{36}\.csv$/);
    await well(sftp(reader, [`get ${versions[0]} got/b-first.csv`], { cwd: dir }));
    expect(readFileSync(join(dir, "got/b-first.csv"), "utf8")).toBe("first");
    const written = await sftp(reader, ["put b.csv /.history/pos/b.csv/x.csv"], { cwd: dir }).ended;
    expect([written.code, written.stderr]).toEqual([1, expect.stringContaining("can only be read")]);
    const listed = await well(sftp(reader, ["ls -1a /"]));
    expect(listed.stdout).not.toContain(".history");
  });

  test("a receipt is fetched as a file, and verified where no receiver is", async () => {
    file("c.csv", "with a receipt");
    const commands = ["put c.csv /pos/c.csv", "get /.receipts/pos/c.csv.jws got/c.jws"];
    await well(sftp(reader, commands, { cwd: dir }));
    const agent = await it.site.agent("verifier", { clients: ["demo"], settings: { sources: [] } });
    const said = await agent.command("receipt", "verify", join(dir, "got/c.jws"));
    expect(said).toContain(sha256("with a receipt"));
    const [entry] = await it.entries("--source", "pos", "--path", "c.csv");
    expect(said).toContain(entry?.versionId);
  });

  test("times are kept with -p, also when they come after the end", async () => {
    const name = file("times.csv", "times");
    const at = new Date("2024-02-29T12:34:56Z");
    utimesSync(name, at, at);
    const ran = await well(sftp(reader, ["put -p times.csv /pos/", "ls -l /pos/times.csv"], { cwd: dir }));
    expect(ran.stdout).toMatch(/Feb 29 +2024 \/pos\/times\.csv/);
    await well(scp(reader, ["-p", name, "REMOTE:/pos/scp.csv"]));
    await well(scp(reader, ["-p", "REMOTE:/pos/scp.csv", join(dir, "got/scp.csv")]));
    expect(secondsOf(join(dir, "got/scp.csv"))).toBe(at.getTime() / 1000);
    // The same bytes with another time: no version, and the time is the new one.
    const later = new Date("2024-06-30T00:00:00Z");
    utimesSync(name, later, later);
    const again = await well(sftp(reader, ["put -p times.csv /pos/", "ls -l /pos/times.csv"], { cwd: dir }));
    expect(again.stdout).toMatch(/Jun 30 +2024 \/pos\/times\.csv/);
    expect(await it.entries("--source", "pos", "--path", "times.csv")).toHaveLength(1);
  });

  test("removed and renamed: entries, and what was there stays in the history", async () => {
    file("d.csv", "to go");
    const commands = ["put d.csv /pos/d.csv", "rename /pos/d.csv /pos/e.csv", "rm /pos/e.csv", "ls -1 /pos"];
    const { stdout } = await well(sftp(reader, commands, { cwd: dir }));
    expect(stdout).not.toMatch(/^\/pos\/[de]\.csv$/m);
    const kinds = async (path: string) =>
      (await it.entries("--source", "pos", "--path", path)).map(({ kind }) => kind);
    expect([await kinds("d.csv"), await kinds("e.csv")]).toEqual([
      ["version", "removal"],
      ["version", "removal"],
    ]);
  });

  test("an account that only writes sees what it sent itself, and reads nothing of it", async () => {
    const writer = await it.account("writer");
    file("w.csv", "mine");
    // What others made is not there for it: neither to be seen nor to be told of.
    const early = await sftp(writer, ["put w.csv /pos/w.csv"], { cwd: dir }).ended;
    expect(early.stderr).toContain(
      'tributary: there is no folder "/pos": make it first, it becomes a source',
    );
    const commands = ["mkdir /pos", "put w.csv /pos/w.csv", "ls -1 /pos", "ls -1 /"];
    const { stdout } = await well(sftp(writer, commands, { cwd: dir }));
    expect(listing(stdout)).toEqual(["/pos/w.csv", "/pos"]);
    const got = await sftp(writer, ["get /pos/w.csv got/w.csv"], { cwd: dir }).ended;
    expect(got.code).toBe(1);
    expect(got.stderr).toMatch(/may write, not read|Permission denied/);
    for (const path of ["/pos/a.csv", "/pos/b.csv", "/.history/pos/w.csv"]) {
      const other = await sftp(writer, [`ls ${path}`]).ended;
      expect([path, other.code, other.stderr]).toEqual([path, 1, expect.stringMatching(/not found/)]);
    }
  });

  test("an account that is bound to a source has it as /, and by its name", async () => {
    const bound = await it.account("bound", { more: ["--source", "till", "--access", "read-write"] });
    file("t.csv", "till");
    const commands = [
      "put t.csv /t.csv",
      "mkdir sub",
      "put t.csv sub/u.csv",
      "ls -1 /",
      "ls -1 /till",
      "ls -1 /till/sub",
    ];
    const { stdout } = await well(sftp(bound, commands, { cwd: dir }));
    expect(listing(stdout)).toEqual(["/sub", "/t.csv", "/till/sub", "/till/t.csv", "/till/sub/u.csv"]);
    expect([...(await it.newest("demo", "till")).keys()].toSorted()).toEqual(["sub/u.csv", "t.csv"]);
    const other = await sftp(bound, ["ls /pos"]).ended;
    expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/not found/)]);
  });

  test("another client's files are not there", async () => {
    await it.site.command("client", "add", "rival");
    const rival = await it.account("rival", {
      client: "rival",
      more: ["--access", "read-write", "--history"],
    });
    const { stdout } = await well(sftp(rival, ["ls -1 /", "ls -1 /.history"]));
    expect(listing(stdout)).toEqual([]);
    const seen = await sftp(rival, ["ls /pos/a.csv"]).ended;
    expect([seen.code, seen.stderr]).toEqual([1, expect.stringMatching(/not found/)]);
  });

  test("many files and a large one by put -R", async () => {
    const files = makeFiles(join(dir, "many"));
    const commands = ["mkdir /put", "lcd many", "put -R . /put"];
    const { ms, stderr } = await well(sftp(reader, commands, { cwd: dir, withinMs: PATIENCE }));
    const peak = peakMemory(receiver.pid) / 2 ** 20;
    console.log(`sftp put -R ${Math.round(ms)} ms, receiver's peak ${peak} MiB`);
    expect(stderr).toBe("");
    expect(await it.newest("demo", "put")).toEqual(files.digests);
    expect(await it.entries("--source", "put")).toHaveLength(FILES + 1);
  });

  test("the same by scp -r, and fetched by get -R", async () => {
    const files = makeFiles(join(dir, "copied"));
    await well(sftp(reader, ["mkdir /scp"]));
    const options = { cwd: dir, withinMs: PATIENCE };
    const copied = await well(scp(reader, ["-rp", "copied/.", "REMOTE:/scp"], options));
    expect(copied.stderr).toBe("");
    expect(await it.newest("demo", "scp")).toEqual(files.digests);
    const got = await well(sftp(reader, ["get -Rp /scp got/back"], options));
    expect(secondsOf(join(dir, "got/back/large.bin"))).toBe(secondsOf(join(dir, "copied/large.bin")));
    const back = readFileSync(join(dir, "got/back/day 3/süd=3/file-3.csv"));
    expect(sha256(back)).toBe(files.digests.get("day%203/süd%3D3/file-3.csv"));
    const peak = peakMemory(receiver.pid) / 2 ** 20;
    console.log(
      `scp -r ${Math.round(copied.ms)} ms, get -R ${Math.round(got.ms)} ms, receiver's peak ${peak} MiB`,
    );
  });
});
