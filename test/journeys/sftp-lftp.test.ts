/** lftp as scripts use it: mirror -R of a folder again and again, resumed, with deletions. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Running } from "../site/process.ts";
import { type Files, makeFiles, PATIENCE, sha256 } from "../site/sftp-files.ts";
import { lftp, well } from "../site/sftp-programs.ts";
import { type Login, makeSftpSite, type SftpSite } from "../site/sftp-site.ts";
import { peakMemory } from "../site/site.ts";

describe("lftp", { timeout: PATIENCE }, () => {
  let it: SftpSite;
  let receiver: Running;
  let writer: Login;
  let dir: string;
  let files: Files;
  beforeAll(async () => {
    it = await makeSftpSite();
    receiver = await it.site.serve();
    writer = await it.account("writer");
    dir = join(it.site.dir, "home");
    files = makeFiles(join(dir, "many"));
  });
  afterAll(async () => {
    await receiver?.stop();
    it?.site.remove();
  });
  const options = () => ({ cwd: dir, withinMs: PATIENCE });
  const kinds = async (source: string) =>
    (await it.entries("--source", source)).map(({ kind }) => kind).toSorted();

  test("mirror -R sends a tree, and the second time nothing", async () => {
    const first = await well(
      lftp(writer, ["mkdir /mirror", "mirror -R --parallel=4 many /mirror"], options()),
    );
    expect(await it.newest("demo", "mirror")).toEqual(files.digests);
    const before = (await it.entries("--source", "mirror")).length;
    expect(before).toBe(files.digests.size);
    const again = await well(lftp(writer, ["mirror -R -v many /mirror"], options()));
    expect(again.stdout).not.toMatch(/Transferring/);
    expect(await it.entries("--source", "mirror")).toHaveLength(before);
    console.log(
      `lftp mirror -R ${first.ms} ms, again ${again.ms} ms, receiver's peak ${peakMemory(receiver.pid) / 2 ** 20} MiB`,
    );
  });

  test("mirror -R --delete: what is gone at the client is a removal, and what changed a version", async () => {
    makeFiles(join(dir, "few"), 3, 0);
    await well(lftp(writer, ["mkdir /few", "mirror -R few /few"], options()));
    rmSync(join(dir, "few/day 1"), { recursive: true });
    writeFileSync(join(dir, "few/new.csv"), "new");
    await well(lftp(writer, ["mirror -R --delete few /few"], options()));
    expect(await kinds("few")).toEqual(["removal", "version", "version", "version", "version"]);
    expect([...(await it.newest("demo", "few")).keys()].toSorted()).toEqual([
      "day%200/süd%3D0/file-0.csv",
      "day%202/süd%3D2/file-2.csv",
      "new.csv",
    ]);
    const { stdout } = await well(lftp(writer, ["cls -1 /few"], options()));
    expect(stdout.trim().split("\n").toSorted()).toEqual(["/few/day 0/", "/few/day 2/", "/few/new.csv"]);
  });

  test("an account whose removals are refused is told so, and nothing is removed", async () => {
    const keeper = await it.account("keeper", { more: ["--removals", "refuse"] });
    mkdirSync(join(dir, "kept"));
    writeFileSync(join(dir, "kept/a.csv"), "a");
    await well(lftp(keeper, ["mkdir /kept", "mirror -R kept /kept"], options()));
    rmSync(join(dir, "kept/a.csv"));
    const ran = await lftp(keeper, ["mirror -R --delete kept /kept"], options()).ended;
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringContaining("forbidden: this account removes nothing; what was delivered stays as it is"),
    ]);
    expect(await it.newest("demo", "kept")).toEqual(new Map([["a.csv", sha256("a")]]));
  });

  test("with a password", async () => {
    const other = await it.account("secret", { key: "none", password: "a-long-enough-one" });
    await well(lftp(other, ["mkdir /secret", "put many/large.bin -o /secret/large.bin"], options()));
    expect((await it.newest("demo", "secret")).get("large.bin")).toBe(files.digests.get("large.bin"));
    const wrong = await lftp({ ...other, password: "another-one" }, ["cls /"], options()).ended;
    // Whether lftp has read ssh's words when ssh ends decides which of two messages it makes of them.
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/Login failed|Permission denied/)]);
  });
});
