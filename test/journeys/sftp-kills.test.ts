/** Uploads that end in their middle: a program killed, the network cut at any byte, the receiver stopped or killed. Nothing half is ever a version, and the programs' own ways of resuming complete it. */
import { randomInt } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startProxy, type TcpProxy } from "../network/proxy.ts";
import { type Running, until } from "../site/process.ts";
import { makeLarge, sha256 } from "../site/sftp-files.ts";
import { lftp, type ProgramRunning, paramiko, rclone, said, scp, sftp, well } from "../site/sftp-programs.ts";
import { type Login, makeSftpSite, type SftpSite } from "../site/sftp-site.ts";

/** Slow enough to be killed in the middle, on any machine. */
const SIZE = 8 * 2 ** 20;
const SLOW = 2 ** 20;

type Program = (login: Login, to: string, again: boolean, options: { cwd: string }) => ProgramRunning;
const PROGRAMS: readonly (readonly [name: string, program: Program, resumes: boolean])[] = [
  ["sftp", (login, to, again, o) => sftp(login, [`${again ? "reput" : "put"} large.bin ${to}`], o), true],
  ["lftp", (login, to, again, o) => lftp(login, [`put ${again ? "-c " : ""}large.bin -o ${to}`], o), true],
  ["rclone", (login, to, _, o) => rclone(login, ["copyto", "large.bin", `REMOTE:${to}`], o), false],
  ["scp", (login, to, _, o) => scp(login, ["large.bin", `REMOTE:${to}`], o), false],
];

/** OpenSSH writes 255 KiB at a time: of less than that nothing can be kept. */
const FIRST = 600_000;

describe("uploads that end in their middle", { timeout: 120_000 }, () => {
  let it: SftpSite;
  let receiver: Running;
  let proxy: TcpProxy;
  let direct: Login;
  let login: Login;
  let cwd: string;
  let digest: string;
  beforeAll(async () => {
    it = await makeSftpSite({ stopWithin: "2s" });
    receiver = await it.site.serve();
    direct = await it.account("writer");
    proxy = await startProxy({ target: { host: "127.0.0.1", port: it.port } });
    login = { ...direct, port: proxy.port, knownHosts: join(it.site.dir, "proxy_hosts") };
    const known = readFileSync(direct.knownHosts, "utf8").replaceAll(`:${it.port} `, `:${proxy.port} `);
    writeFileSync(login.knownHosts, known);
    cwd = join(it.site.dir, "home");
    mkdirSync(cwd);
    digest = makeLarge(join(cwd, "large.bin"), SIZE);
    await well(sftp(direct, ["mkdir /cut"]));
  });
  afterAll(async () => {
    await proxy?.stop();
    await receiver?.stop();
    it?.site.remove();
  });
  const versions = async (path: string) =>
    (await it.entries("--source", "cut", "--path", path)).map(({ kind, sha256 }) => [kind, sha256]);
  /** Bytes of the file that have come to lie at the receiver, as its sender sees them. */
  const arrived = async (path: string): Promise<number> => {
    const [size] = await said(
      paramiko(
        direct,
        `
s = session(connect())
try: say(s.stat("${path}").st_size)
except IOError: say(0)`,
      ),
    );
    return size as number;
  };
  /** Starts the program over the slow line and waits for the middle of the file, wherever that is. */
  async function begun(program: Program, path: string): Promise<ProgramRunning> {
    const before = proxy.bytes.up;
    proxy.set({ bandwidth: SLOW });
    const running = program(login, path, false, { cwd });
    const most = randomInt(FIRST, SIZE - 2 * 2 ** 20);
    await until(`${path}: ${most} bytes went out`, () => proxy.bytes.up - before > most, { everyMs: 5 });
    return running;
  }
  async function completes(program: Program, path: string, resumes: boolean): Promise<void> {
    // rclone takes away itself what it could not end, and begins anew.
    const there = resumes
      ? await until("it is kept", async () => (await arrived(path)) || undefined, { everyMs: 200 })
      : 0;
    expect(there).toBeLessThan(SIZE);
    proxy.set({});
    const before = proxy.bytes.up;
    await well(program(login, path, true, { cwd }));
    expect(await versions(path.slice(5))).toEqual([["version", digest]]);
    if (resumes) expect(proxy.bytes.up - before).toBeLessThan(SIZE - there + 2 ** 19);
  }

  test.for(PROGRAMS)("%s is killed, and completes it the next time", async ([name, program, resumes]) => {
    const path = `/cut/killed-${name}.bin`;
    const running = await begun(program, path);
    const { signal } = await running.kill();
    expect(signal).toBe("SIGKILL");
    proxy.dropAll();
    expect(await versions(path.slice(5))).toEqual([]);
    await completes(program, path, resumes);
  });

  test.for(PROGRAMS)("%s is cut off, and completes it the next time", async ([name, program, resumes]) => {
    // Reset again and again, lftp 4.9 leaves out up to eight of its writes, says that all is there, and hangs: with OpenSSH's own
    // server in three of six tries. What no server can mend is not asked of it.
    const kinds = name === "lftp" ? (["cut", "cut"] as const) : (["cut", "reset"] as const);
    for (const [turn, kind] of kinds.entries()) {
      const path = `/cut/${kind}-${turn}-${name}.bin`;
      proxy.set({ [kind]: { up: randomInt(FIRST, SIZE - 2 ** 20) } });
      const running = program(login, path, false, { cwd });
      const { code } = await running.ended;
      // lftp connects again and goes on where it was, each time that it is cut off.
      if (name === "lftp" && code === 0) {
        expect(await versions(path.slice(5))).toEqual([["version", digest]]);
        continue;
      }
      expect(code).not.toBe(0);
      expect(await versions(path.slice(5))).toEqual([]);
      await completes(program, path, resumes);
    }
  });

  test("what rclone takes away of its own failed upload is not the version that it was to replace", async () => {
    writeFileSync(join(cwd, "old.bin"), "the one before");
    await well(rclone(direct, ["copyto", "old.bin", "REMOTE:/cut/tidied.bin"], { cwd }));
    for (const most of [20_000, SIZE / 2]) {
      proxy.set({ reset: { up: most } });
      const { code } = await rclone(login, ["copyto", "large.bin", "REMOTE:/cut/tidied.bin"], { cwd }).ended;
      expect(code).not.toBe(0);
    }
    proxy.set({});
    await well(rclone(login, ["copyto", "large.bin", "REMOTE:/cut/tidied.bin"], { cwd }));
    expect(await versions("tidied.bin")).toEqual([
      ["version", sha256("the one before")],
      ["version", digest],
    ]);
  });

  test.for([
    ["stopped", async () => await receiver.stop()],
    ["killed", async () => await receiver.kill()],
  ] as const)(
    "the receiver is %s, and what came of a file is gone on with after its start",
    async ([how, end]) => {
      for (const [name, program, resumes] of PROGRAMS.slice(0, 3)) {
        const path = `/cut/receiver-${how}-${name}.bin`;
        const running = await begun(program, path);
        await end();
        await running.kill();
        proxy.dropAll();
        receiver = await it.site.serve();
        expect(await versions(path.slice(5))).toEqual([]);
        await completes(program, path, resumes);
      }
    },
  );

  test("what waits for its rename waits over a restart", async () => {
    const [first] = await said(
      paramiko(
        direct,
        `
s = session(connect())
with s.open("/cut/w.csv.part", "w") as f: f.write("waits")
say(s.stat("/cut/w.csv.part").st_size)`,
      ),
    );
    expect(first).toBe(5);
    await receiver.stop();
    receiver = await it.site.serve();
    await well(sftp(direct, ["rename /cut/w.csv.part /cut/w.csv"]));
    expect(await versions("w.csv")).toHaveLength(1);
  });

  test("nothing half is in the ledger or in the lake", async () => {
    const entries = await it.entries("--source", "cut");
    expect(entries.filter((entry) => (entry.size ?? 0) > 100 && entry.sha256 !== digest)).toEqual([]);
    await it.site.command("verify");
  });
});
