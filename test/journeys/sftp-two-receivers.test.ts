/** The SFTP door of a site with two receivers, on S3 and PostgreSQL: one set of host keys, one tree. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startProxy } from "../network/proxy.ts";
import { describeOnCephAndPostgres } from "../site/backends.ts";
import { type Running, until } from "../site/process.ts";
import { makeFiles, makeLarge, PATIENCE, sha256 } from "../site/sftp-files.ts";
import { paramiko, rclone, said, sftp, well } from "../site/sftp-programs.ts";
import { type Login, makeSftpSite, type SftpSite } from "../site/sftp-site.ts";

describeOnCephAndPostgres("SFTP at two receivers", (backend) => {
  let it: SftpSite;
  let one: Running;
  let two: Running;
  let logins: readonly [Login, Login];
  let cwd: string;
  beforeAll(async () => {
    it = await makeSftpSite({}, backend);
    one = await it.site.serve();
    const other = await it.site.another();
    two = await other.serve();
    const login = await it.account("reader", { more: ["--access", "read-write"] });
    // The same host keys: `known_hosts` knows them by another port.
    const knownHosts = join(it.site.dir, "known_hosts_two");
    const lines = (await it.site.command("sftp", "host-key")).replaceAll(
      `:${it.port} `,
      `:${other.sftpPort} `,
    );
    writeFileSync(knownHosts, `${lines}\n`);
    logins = [login, { ...login, port: other.sftpPort, knownHosts }];
    cwd = join(it.site.dir, "home");
    mkdirSync(cwd);
  });
  afterAll(async () => {
    await Promise.all([one?.stop(), two?.stop()]);
    it?.site.remove();
  });

  test("what one took is seen at the other at once, with its time", { timeout: PATIENCE }, async () => {
    writeFileSync(join(cwd, "a.csv"), "a");
    await well(sftp(logins[0], ["mkdir /pos", "put -p a.csv /pos/a.csv"], { cwd }));
    const { stdout } = await well(sftp(logins[1], ["ls -1 /pos", "get /pos/a.csv b.csv"], { cwd }));
    expect(stdout).toMatch(/^\/pos\/a\.csv$/m);
    await well(sftp(logins[1], ["rm /pos/a.csv"]));
    const gone = await sftp(logins[0], ["ls /pos/a.csv"]).ended;
    expect(gone.code).toBe(1);
  });

  test("rclone sync through one, and again through the other: nothing is sent", {
    timeout: PATIENCE,
  }, async () => {
    // The large one is more than the lake puts into one request.
    const { digests } = makeFiles(join(cwd, "many"), 60, 72 * 2 ** 20);
    await well(rclone(logins[0], ["sync", "many", "REMOTE:/rc"], { cwd, withinMs: PATIENCE }));
    expect(await it.newest("demo", "rc")).toEqual(digests);
    const again = await well(rclone(logins[1], ["sync", "many", "REMOTE:/rc"], { cwd, withinMs: PATIENCE }));
    expect(again.stderr).toContain("There was nothing to transfer");
    expect(await it.entries("--source", "rc")).toHaveLength(digests.size);
    await well(rclone(logins[1], ["check", "--download", "many", "REMOTE:/rc"], { cwd, withinMs: PATIENCE }));
  });

  test("an upload that was cut off is gone on with at the same receiver; the other knows nothing of it", {
    timeout: PATIENCE,
  }, async () => {
    const digest = makeLarge(join(cwd, "large.bin"), 12 * 2 ** 20);
    const proxy = await startProxy({
      target: { host: "127.0.0.1", port: it.port },
      faults: { reset: { up: 5 * 2 ** 20 } },
    });
    const knownHosts = join(it.site.dir, "known_hosts_proxy");
    writeFileSync(
      knownHosts,
      (await it.site.command("sftp", "host-key")).replaceAll(`:${it.port} `, `:${proxy.port} `).concat("\n"),
    );
    try {
      const cut = await sftp(
        { ...logins[0], port: proxy.port, knownHosts },
        ["put large.bin /pos/large.bin"],
        { cwd },
      ).ended;
      expect(cut.code).not.toBe(0);
    } finally {
      await proxy.stop();
    }
    const size = async (login: Login) =>
      (
        await said(
          paramiko(
            login,
            's = session(connect())\ntry: say(s.stat("/pos/large.bin").st_size)\nexcept IOError: say(0)',
          ),
        )
      )[0];
    await until("it is kept", async () => (await size(logins[0])) > 0);
    expect(await size(logins[1])).toBe(0);
    await well(sftp(logins[0], ["reput large.bin /pos/large.bin"], { cwd }));
    expect(await it.newest("demo", "pos")).toEqual(new Map([["large.bin", digest]]));
    expect(await size(logins[1])).toBe(12 * 2 ** 20);
  });

  test("both at once into the same folder: every file is there, and each has its versions in order", {
    timeout: PATIENCE,
  }, async () => {
    const script = (who: string) => `
s = session(connect())
try: s.mkdir("/both")
except IOError: pass
for i in range(30):
    for name in (f"shared-{i}.txt", f"${who}-{i}.txt"):
        with s.open("/both/" + name, "w") as f: f.write("${who}")
say(0)
`;
    await Promise.all([said(paramiko(logins[0], script("one"))), said(paramiko(logins[1], script("two")))]);
    const newest = await it.newest("demo", "both");
    expect(newest.size).toBe(90);
    const [names] = await said(paramiko(logins[0], 'say(sorted(session(connect()).listdir("/both")))'));
    expect(names).toEqual([...newest.keys()].toSorted());
    expect([sha256("one"), sha256("two")]).toContain(newest.get("shared-0.txt"));
  });
});
