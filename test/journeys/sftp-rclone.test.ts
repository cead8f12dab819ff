/** rclone sync and copy: with both kinds of keys that it has, and the second run sends nothing. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Running } from "../site/process.ts";
import { type Files, makeFiles, PATIENCE, sha256 } from "../site/sftp-files.ts";
import { obscureForRclone, rclone, well } from "../site/sftp-programs.ts";
import { makeSftpSite, type SftpSite } from "../site/sftp-site.ts";
import { peakMemory } from "../site/site.ts";

const READ_WRITE = ["--access", "read-write"];

describe("rclone", { timeout: PATIENCE }, () => {
  let it: SftpSite;
  let receiver: Running;
  let dir: string;
  let files: Files;
  beforeAll(async () => {
    it = await makeSftpSite();
    receiver = await it.site.serve();
    dir = join(it.site.dir, "home");
    files = makeFiles(join(dir, "many"));
  });
  afterAll(async () => {
    await receiver?.stop();
    it?.site.remove();
  });
  const options = () => ({ cwd: dir, withinMs: PATIENCE });

  test.for([
    ["ed25519", ["-t", "ed25519"], READ_WRITE],
    ["rsa", ["-t", "rsa", "-b", "3072"], READ_WRITE],
  ] as const)("sync with a key of %s: the second run sends nothing", async ([name, key, more]) => {
    const login = await it.account(name, { key, more });
    const first = await well(rclone(login, ["sync", "many", `REMOTE:/${name}`], options()));
    expect(await it.newest("demo", name)).toEqual(files.digests);
    const before = (await it.entries("--source", name)).length;
    expect(before).toBe(files.digests.size);
    const again = await well(rclone(login, ["sync", "many", `REMOTE:/${name}`], options()));
    expect(again.stderr).toContain("There was nothing to transfer");
    const copied = await well(rclone(login, ["copy", "many", `REMOTE:/${name}`], options()));
    expect(copied.stderr).toContain("There was nothing to transfer");
    expect(await it.entries("--source", name)).toHaveLength(before);
    console.log(
      `rclone sync (${name}) ${first.ms} ms, again ${again.ms} ms, receiver's peak ${peakMemory(receiver.pid) / 2 ** 20} MiB`,
    );
  });

  test("an account that only writes, and a key as older programs keep it: the second run sends nothing", async () => {
    const login = await it.account("pem", { key: ["-t", "rsa", "-b", "3072", "-m", "PEM"] });
    const { digests } = makeFiles(join(dir, "some"), 30, 2 ** 20);
    await well(rclone(login, ["sync", "some", "REMOTE:/pem"], options()));
    const again = await well(rclone(login, ["sync", "some", "REMOTE:/pem"], options()));
    expect(again.stderr).toContain("There was nothing to transfer");
    expect(await it.newest("demo", "pem")).toEqual(digests);
    expect(await it.entries("--source", "pem")).toHaveLength(digests.size);
  });

  test("what it reads back is what it sent", async () => {
    const login = await it.account("checker", { more: READ_WRITE });
    const ran = await well(rclone(login, ["check", "--download", "many", "REMOTE:/rsa"], options()));
    expect(ran.stderr).toContain("0 differences found");
  });

  test("sync of what changed: one version more, one removal, and the time alone is no version", async () => {
    const login = await it.account("changer");
    makeFiles(join(dir, "few"), 4, 0);
    const sync = async () => await well(rclone(login, ["sync", "few", "REMOTE:/few"], options()));
    await sync();
    rmSync(join(dir, "few/day 1/süd=1/file-1.csv"));
    writeFileSync(join(dir, "few/day 2/süd=2/file-2.csv"), "another content");
    await sync();
    const entries = await it.entries("--source", "few");
    expect(entries.slice(4).map(({ kind, path }) => [kind, path])).toEqual(
      expect.arrayContaining([
        ["removal", "day 1/süd=1/file-1.csv"],
        ["version", "day 2/süd=2/file-2.csv"],
      ]),
    );
    expect(entries).toHaveLength(6);
    expect((await it.newest("demo", "few")).get("day%202/süd%3D2/file-2.csv")).toBe(
      sha256("another content"),
    );
    await well(
      rclone(login, ["touch", "REMOTE:/few/day 3/süd=3/file-3.csv", "-t", "2020-02-02T02:02:02"], options()),
    );
    const { stdout } = await well(rclone(login, ["lsl", "REMOTE:/few/day 3"], options()));
    expect(stdout).toMatch(/2020-02-02 02:02:02/);
    expect(await it.entries("--source", "few")).toHaveLength(6);
  });

  test("with a password, and what is refused is told in words", async () => {
    const password = "a-long-enough-one";
    const login = await it.account("secret", { key: "none", password });
    await obscureForRclone(password);
    await well(rclone(login, ["mkdir", "REMOTE:/secret"], options()));
    const ran = await rclone(login, ["copy", "few", "REMOTE:/"], options()).ended;
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringMatching(/source-invalid: a folder in \/ is a source, and .*\/sftp\/day \d/),
    ]);
  });
});
