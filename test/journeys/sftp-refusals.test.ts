/** What is refused at the SFTP door: each program's user reads why, in words, and nothing is recorded. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EICAR, type FakeClamd, fakeClamd } from "../../receiver/inspection/fake-clamd.ts";
import { launch, type Running } from "../site/process.ts";
import { sha256 } from "../site/sftp-files.ts";
import { lftp, type ProgramRunning, paramiko, rclone, scp, sftp, well } from "../site/sftp-programs.ts";
import { type Login, makeSftpSite, type SftpSite } from "../site/sftp-site.ts";

type Send = (login: Login, file: string, to: string, cwd: string) => ProgramRunning;
const PROGRAMS: readonly (readonly [string, Send])[] = [
  ["sftp", (login, file, to, cwd) => sftp(login, [`put "${file}" "${to}"`], { cwd })],
  ["scp", (login, file, to, cwd) => scp(login, [file, `REMOTE:${to}`], { cwd })],
  ["lftp", (login, file, to, cwd) => lftp(login, [`put "${file}" -o "${to}"`], { cwd })],
  ["rclone", (login, file, to, cwd) => rclone(login, ["copyto", file, `REMOTE:${to}`], { cwd })],
  [
    "paramiko",
    (login, file, to, cwd) =>
      paramiko(login, `session(connect()).put(${JSON.stringify(file)}, ${JSON.stringify(to)})`, { cwd }),
  ],
];

describe("what the sender is told", { timeout: 120_000 }, () => {
  let clamd: FakeClamd;
  let it: SftpSite;
  let receiver: Running;
  let writer: Login;
  let cwd: string;
  beforeAll(async () => {
    clamd = await fakeClamd();
    const { address } = clamd;
    it = await makeSftpSite({
      inspect: { clamd: "path" in address ? address.path : `${address.host}:${address.port}` },
    });
    receiver = await it.site.serve();
    writer = await it.account("writer");
    cwd = join(it.site.dir, "home");
    mkdirSync(cwd);
    writeFileSync(join(cwd, "good.csv"), "good");
    writeFileSync(join(cwd, "bad.csv"), `${EICAR} inside`);
    writeFileSync(join(cwd, "large.bin"), Buffer.alloc(3_000_000, 7));
    await well(sftp(writer, ["mkdir /pos"]));
  });
  afterAll(async () => {
    await receiver?.stop();
    await clamd?.stop();
    it?.site.remove();
  });
  const refused = async (send: Send, login: Login, file: string, to: string, why: RegExp) => {
    const { code, stdout, stderr } = await send(login, file, to, cwd).ended;
    expect([to, code === 0, `${stderr}${stdout}`]).toEqual([to, false, expect.stringMatching(why)]);
  };
  const versions = async (path: string) =>
    (await it.entries("--source", "pos", "--path", path)).map((entry) => entry.sha256);

  test.for(PROGRAMS)("%s: a file in which something was found", async ([name, send]) => {
    const path = `${name}-bad.csv`;
    const why = /quarantined: .*Eicar-Test-Signature/;
    await refused(send, writer, "bad.csv", `/pos/${path}`, why);
    expect(await versions(path)).toEqual([]);
    // In the place of one that was good, and of the same size, as a check of the size would not see.
    const good = "g".repeat(`${EICAR} inside`.length);
    writeFileSync(join(cwd, "same.csv"), good);
    await well(send(writer, "same.csv", `/pos/${path}`, cwd));
    await refused(send, writer, "bad.csv", `/pos/${path}`, why);
    expect(await versions(path)).toEqual([sha256(good)]);
  });

  test.for(PROGRAMS)("%s: more than a day's bytes, and more than a file may have", async ([name, send]) => {
    const poor = await it.account(`poor-${name}`, { more: ["--day", "2MB"] });
    await well(sftp(poor, ["mkdir /pos"]));
    await refused(send, poor, "large.bin", `/pos/${name}-day.bin`, /quota-day: this SFTP account .*2\.0 MB/);
    const small = await it.account(`small-${name}`, { more: ["--largest", "1MB"] });
    await well(sftp(small, ["mkdir /pos"]));
    await refused(
      send,
      small,
      "large.bin",
      `/pos/${name}-largest.bin`,
      /quota-file: .*this SFTP account .*1\.0 MB/,
    );
    await well(send(small, "good.csv", `/pos/${name}-good.csv`, cwd));
    expect([await versions(`${name}-day.bin`), await versions(`${name}-largest.bin`)]).toEqual([[], []]);
  });

  test.for(PROGRAMS)("%s: names that no file can have here", async ([name, send]) => {
    await refused(send, writer, "good.csv", "/pos/a\\..\\b.csv", /path-invalid: .*no path inside a source/);
    // rclone makes the folder by itself.
    if (name === "rclone") return;
    await refused(
      send,
      writer,
      "good.csv",
      `/no-${name}/a.csv`,
      /there is no folder "\/no-\w+": make it first/,
    );
  });

  test("a client that was suspended is told so at the login, and by an open session", async () => {
    await it.site.command("client", "add", "late");
    const late = await it.account("late", { client: "late" });
    await it.site.command("client", "suspend", "late");
    const ran = await sftp(late, ["ls"]).ended;
    expect(ran.code).not.toBe(0);
  });

  test("a disk that is as full as it may be", async () => {
    await receiver.stop();
    const listen = { ingest: `127.0.0.1:${it.site.port}`, console: "off", sftp: `127.0.0.1:${it.port}` };
    const lake = { kind: "directory", path: join(it.site.dir, "receiver", "lake") };
    const ledger = { kind: "sqlite", path: join(it.site.dir, "receiver", "ledger.sqlite") };
    const full = launch("receiver", [
      "serve",
      ...it.site.variant("full", { listen, lake, ledger, reserve: "900TiB" }),
    ]);
    try {
      await full.said(/ready/, 60_000);
      for (const [name, send] of PROGRAMS)
        await refused(send, writer, "good.csv", `/pos/${name}-full.csv`, /disk-reserve: /);
    } finally {
      await full.stop();
      receiver = await it.site.serve();
    }
    expect(await versions("sftp-full.csv")).toEqual([]);
  });
});
