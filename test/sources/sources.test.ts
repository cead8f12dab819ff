/** Every kind of source against its real server, with a real agent and a real receiver. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cephPrograms } from "../servers/ceph.ts";
import { PROFTPD } from "../servers/proftpd.ts";
import { sambaPrograms } from "../servers/samba.ts";
import { describeWithPrograms } from "../servers/servers.ts";
import { SSHD } from "../servers/sshd.ts";
import { clockOf, faketimeMissing } from "../site/faketime.ts";
import { run } from "../site/process.ts";
import { azureYard } from "./azure.ts";
import { ftpYard } from "./ftp.ts";
import { type S3Yard, s3Yard } from "./s3.ts";
import { sftpYard } from "./sftp.ts";
import { type ShareYard, shareYard } from "./share.ts";
import { bytesOf, type Files, nameOf, type Problem, type Stage, sha256, sound, stageWith } from "./stage.ts";
import type { Back, Yard } from "./yard.ts";

/** Only root can run the servers whose accounts permissions bind. */
const isRoot = process.getuid?.() === 0;
/** One after the other in each kind, all kinds at once: they mostly wait. */
const one = { concurrent: false, timeout: 180_000 } as const;
const noClock = faketimeMissing();

const put = async (stage: Stage, folder: string, files: Files): Promise<void> => {
  for (const [path, bytes] of Object.entries(files))
    if (bytes !== null)
      await stage.yard.write(Buffer.concat([Buffer.from(`${folder}/`), nameOf(path)]), bytes);
};
const unreachable = ({ path, code }: Problem): boolean => path === "" && code === "source-unreachable";

/** The cases that hold for every kind. */
function everyKind(stage: Stage, has: { readonly login: boolean; readonly remote: boolean }): void {
  test("what is new, changed, renamed, removed arrives, and nothing else", one, async () => {
    const { yard, site } = stage;
    const [a, b, c, d] = [bytesOf(10), bytesOf(20_000), bytesOf(30), bytesOf(40)];
    const raw: Files = yard.anyBytes ? { "\0latin-\xe4\xf6.txt": bytesOf(7) } : {};
    const files: Files = {
      "a.csv": a,
      "to be renamed.csv": b,
      "gone.csv": c,
      "sub folder/100 %41.csv": d,
      "sub folder/e\u0301 decomposed.csv": bytesOf(5),
      "sub folder/\u00e9 composed.csv": bytesOf(6),
      "empty.csv": Buffer.alloc(0),
      ...raw,
    };
    await put(stage, "changes", {
      ...files,
      "half.tmp": bytesOf(9),
      "private/x.csv": bytesOf(9),
      "x.txt.bak": bytesOf(9),
    });
    const settings = { include: ["**/*.csv", "**/*.txt", "**/*.tmp"], exclude: ["*.tmp", "private/**"] };
    stage.sources({ name: "changes", ...settings, ...yard.source("changes") });
    const first = await stage.arrived("changes", files);
    expect(first).toHaveLength(Object.keys(files).length);
    for (const { path, modifiedAt } of first) {
      if (path.includes("\ufffd")) continue;
      const seconds = Math.floor((await yard.modified(`changes/${path}`)) / 1000);
      expect([path, Math.floor(Date.parse(modifiedAt as string) / 1000)]).toEqual([path, seconds]);
    }

    const [changed, fresh] = [bytesOf(11), bytesOf(12)];
    await yard.write("changes/a.csv", changed);
    await yard.rename("changes/to be renamed.csv", "changes/deeper/renamed.csv");
    await yard.remove("changes/gone.csv");
    await put(stage, "changes", { "new.csv": fresh });
    const expected: Files = {
      ...{ "a.csv": changed, "new.csv": fresh },
      ...{ "to be renamed.csv": null, "deeper/renamed.csv": b, "gone.csv": null },
    };
    const second = await stage.arrived("changes", expected);
    expect(second).toHaveLength(first.length + Object.keys(expected).length);
    await sound(site, second);
    await stage.well("changes");
  });

  test(
    "its server goes away and comes back: it is said, nothing is removed, no file is blamed",
    one,
    async () => {
      const { yard } = stage;
      const before: Files = { "1.csv": bytesOf(100), "2.csv": bytesOf(200) };
      await put(stage, "away", before);
      stage.sources({ name: "away", ...yard.source("away") });
      await stage.arrived("away", before);

      const back = await yard.away();
      const after: Files = { "3.csv": bytesOf(300), "1.csv": bytesOf(101) };
      const why = await during(stage.problem("away", unreachable), back);
      said(yard, "away", why.detail);
      await put(stage, "away", after);
      const entries = await stage.arrived("away", { ...before, ...after });
      expect(entries.map(({ kind }) => kind)).toEqual(entries.map(() => "version"));
      expect(entries).toHaveLength(4);
      await stage.well("away");
      const lines = stage.agentRuns().stderr().split("\n");
      expect(lines.filter((line) => /"away".*(file-unreadable|RemovalSealed)/.test(line))).toEqual([]);
    },
  );

  only(has.login)("its secret becomes wrong, and right again", one, async () => {
    const { yard } = stage;
    const login = yard.login as NonNullable<Yard["login"]>;
    const old = login.secret();
    const before: Files = { "1.csv": bytesOf(100) };
    await put(stage, "login", before);
    await set(stage, "rotated", old);
    stage.sources({ name: "login", ...yard.source("login", { secret: "rotated" }) });
    await stage.arrived("login", before);

    await login.change();
    const why = await stage.problem("login", unreachable);
    said(yard, "wrong secret", why.detail);
    const second = { "2.csv": bytesOf(50), "3.csv": bytesOf(51) };
    await put(stage, "login", second);
    await set(stage, "rotated", login.secret());
    const entries = await stage.arrived("login", second);
    expect(entries.map(({ kind, path }) => `${kind} ${path}`).toSorted()).toEqual([
      "version 1.csv",
      "version 2.csv",
      "version 3.csv",
    ]);
    await stage.well("login");
    // Nobody has heard of either.
    const places = [
      readFileSync(join(stage.agent.data, "agent.yaml"), "latin1"),
      stage.agentRuns().stderr(),
      JSON.stringify(await stage.status()),
      await stage.site.command("agent", "list", "--json"),
      ...filesOf(stage.agent.data),
    ];
    for (const secret of [old, login.secret()])
      for (const place of places) expect(place.includes(secret)).toBe(false);
  });

  test("after: delete and after: move, once the receipt is here and not before", one, async () => {
    const { yard } = stage;
    const files: Files = { "1.csv": bytesOf(100), "sub/2.csv": bytesOf(200) };
    // To move needs a link or a copy, and what mounts shares here can do neither in one step.
    const sources = has.remote ? { taken: "delete", moved: "move:done" } : { taken: "delete" };
    const names = Object.keys(sources);
    for (const name of names) await put(stage, name, files);
    await stage.receiverStops();
    try {
      stage.sources(
        ...Object.entries(sources).map(([name, after]) => ({ name, after, ...yard.source(name) })),
      );
      const depth = 2 * names.length;
      await stage.until("all wait", async () => (await stage.status()).queue.depth === depth);
      for (const name of names) expect(await yard.paths(name)).toEqual(["1.csv", "sub/2.csv"]);
    } finally {
      await stage.receiverRuns();
    }
    for (const name of names) expect(await stage.arrived(name, files)).toHaveLength(2);
    await stage.until("taken", async () => (await yard.paths("taken")).length === 0);
    const moved = has.remote ? ["done/1.csv", "done/sub/2.csv"] : [];
    await stage.until("moved", async () => String(await yard.paths("moved")) === String(moved));
    for (const name of names) await stage.well(name);
  });

  only(has.remote)("a delete that is refused: delivered once, said, and the others go on", one, async () => {
    const { yard } = stage;
    const files: Files = { "1.csv": bytesOf(100), "2.csv": bytesOf(200) };
    await put(stage, "closed", files);
    await put(stage, "open", files);
    const closed = await yard.closed("closed");
    stage.sources(
      { name: "closed", after: "delete", ...yard.source("closed"), ...closed.settings },
      { name: "open", after: "delete", ...yard.source("open") },
    );
    await stage.arrived("closed", files);
    await stage.until("what may go is gone", async () => (await yard.paths("open")).length === 0);
    const why = await stage.problem(
      "closed",
      ({ path, code }) => path === "2.csv" && code === "after-failed",
    );
    said(yard, "refused delete", why.detail);
    expect(await yard.paths("closed")).toEqual(["1.csv", "2.csv"]);
    await closed.open();
    await stage.until("gone in the end", async () => (await yard.paths("closed")).length === 0);
    await stage.well("closed");
    expect(await stage.entries("closed")).toHaveLength(2);
  });

  only(has.remote)("one file may not be read: it is said, the others arrive; then it may", one, async () => {
    const { yard } = stage;
    const files: Files = { "1.csv": bytesOf(100), "no.csv": bytesOf(150), "z.csv": bytesOf(200) };
    await put(stage, "denied", files);
    const allow = await yard.deny("denied/no.csv");
    stage.sources({ name: "denied", ...yard.source("denied") });
    const { "no.csv": denied, ...others } = files;
    await stage.arrived("denied", others);
    const why = await stage.problem("denied", ({ path }) => path === "no.csv");
    said(yard, "unreadable", `${why.code}: ${why.detail}`);
    expect(why.code).toBe("file-unreadable");
    await allow();
    expect(await stage.arrived("denied", { "no.csv": denied as Buffer })).toHaveLength(3);
    await stage.well("denied");
  });

  // A share is a folder here: what leaves is read where it lies, and goes on by its parts.
  only(has.remote)("a large file that is cut in its middle goes on where it was", one, async () => {
    const { yard, agent } = stage;
    const bytes = bytesOf(60_000_000);
    await put(stage, "large", { "large.bin": bytes });
    const source = { name: "large", ...yard.source("large") };
    stage.sources({ ...source, bandwidth: "15MB/s" });
    const kept = await stage.until(
      "a part of it is kept",
      () => keptOf(agent.data) > 0 && keptOf(agent.data),
    );
    await stage.agentRuns().kill();
    expect(await stage.entries("large")).toEqual([]);
    expect(kept).toBeLessThan(bytes.length);
    const before = yard.received();
    stage.sources(source);
    await stage.agentAgain();
    const entries = await stage.arrived("large", { "large.bin": bytes });
    expect(entries).toHaveLength(1);
    const after = yard.received();
    if (before !== undefined && after !== undefined)
      expect(after - before, stage.agentRuns().stderr()).toBeLessThan(bytes.length - kept + 2_000_000);
  });

  test("its bandwidth slows it, and no other source", one, async () => {
    const { yard } = stage;
    const [size, rate] = [8_000_000, 1_000_000];
    const file = bytesOf(size);
    await put(stage, "slow", { "slow.bin": file });
    await put(stage, "fast", { "fast.bin": file });
    const sealed = async (name: string): Promise<number> => {
      const [entry] = await stage.arrived(name, { [`${name}.bin`]: file });
      return Date.parse(entry?.sealedAt as string);
    };
    const begun = Date.now();
    stage.sources(
      { name: "slow", bandwidth: `${rate / 1_000_000}MB/s`, ...yard.source("slow") },
      { name: "fast", ...yard.source("fast") },
    );
    const [slow, fast] = await Promise.all([sealed("slow"), sealed("fast")]);
    expect((slow - begun) / 1000).toBeGreaterThan((0.9 * size) / rate - 1);
    expect(fast).toBeLessThan(slow);
  });

  test("two that overlap have each its own history", one, async () => {
    const { yard } = stage;
    const inner: Files = { "1.csv": bytesOf(100), "deep/2.csv": bytesOf(200) };
    await put(stage, "outer/inner", inner);
    await put(stage, "outer", { "3.csv": bytesOf(300) });
    stage.sources(
      { name: "outer", ...yard.source("outer") },
      { name: "inner", ...yard.source("outer/inner") },
    );
    await stage.arrived("inner", inner);
    const below = Object.fromEntries(Object.entries(inner).map(([path, bytes]) => [`inner/${path}`, bytes]));
    await stage.arrived("outer", below);
    await yard.remove("outer/inner/1.csv");
    expect(await stage.arrived("inner", { "1.csv": null })).toHaveLength(3);
    expect(await stage.arrived("outer", { "inner/1.csv": null })).toHaveLength(4);
  });

  test("doctor and scan look at it, and say when it is not there", one, async () => {
    const { yard } = stage;
    await put(stage, "looked", { "1.csv": bytesOf(100), "sub/2.csv": bytesOf(200) });
    // One that nobody captures: `run` takes only what agent.yaml says at its start, and is told otherwise here.
    const settings = { name: "looked", cron: "0 0 1 1 *", every: undefined, ...yard.source("looked") };
    stage.sources(settings);
    // What mounts a share shows a folder a moment later; what was just written waits.
    const well = await stage.until("doctor is content", async () => {
      const ran = await stage.command("doctor");
      return ran.code === 0 && ran;
    });
    expect(well.stdout).not.toMatch(/^fail/m);
    if (has.remote) expect(well.stdout).toMatch(/source looked.*can be listed[\s\S]*its files can be read/);
    const scan = await stage.until("scan shows both", async () => {
      const ran = await stage.command("scan", "--dry-run");
      return ran.stderr.includes("looked: 2 to capture") && ran;
    });
    expect(scan.code).toBe(0);
    expect(scan.stdout).toMatch(/^capture {2}looked\/1\.csv/m);

    const back = await yard.away();
    try {
      // What mounts a share shows for a moment what it knew.
      const wrong = await stage.until("doctor misses it", async () => {
        const ran = await stage.command("doctor");
        return ran.code !== 0 && ran;
      });
      said(
        yard,
        "doctor",
        wrong.stdout
          .split("\n")
          .filter((line) => /looked/.test(line))
          .join("\n"),
      );
      expect(wrong.stdout).toMatch(/^fail .*looked/m);
      const nothing = await stage.until("scan misses it", async () => {
        const ran = await stage.command("scan", "--dry-run");
        return ran.code !== 0 && ran;
      });
      said(yard, "scan", nothing.stderr);
      expect(nothing.stderr).toContain("one source was not looked through");
    } finally {
      await back();
    }
  });

  test.skipIf(noClock !== undefined)("cron: at its time, in its zone, and not before", one, async () => {
    const { yard, site } = stage;
    // Fifteen seconds before it is 02:30 in Berlin.
    const due = nextIn("Europe/Berlin", "02:30");
    const ahead = Math.round((due - Date.now()) / 1000) - 15;
    const file = bytesOf(100);
    await put(stage, "timed", { "1.csv": file });
    const settings = { cron: "30 2 * * *", timeZone: "Europe/Berlin", ...yard.source("timed") };
    const later = await site.agent("later", {
      clients: ["demo"],
      settings: { sources: [{ name: "timed", ...settings }] },
    });
    const running = await later.run({ env: { ...clockOf(`+${ahead}`), FAKETIME_DONT_FAKE_MONOTONIC: "1" } });
    try {
      const [entry] = await stage.arrived("timed", { "1.csv": file });
      const sealedAt = Date.parse(entry?.sealedAt as string) + ahead * 1000;
      // By the receiver's clock, which the agent knows to a fraction of a second.
      expect(sealedAt).toBeGreaterThan(due - 1000);
      expect(sealedAt).toBeLessThan(due + 30_000);
    } finally {
      await running.stop();
    }
  });
}

/** Whatever comes of it, the place is back afterwards. */
async function during<T>(work: Promise<T>, back: Back): Promise<T> {
  try {
    return await work;
  } finally {
    await back();
  }
}

/** What an administrator reads; shown where somebody asks for it. */
function said(yard: Yard, when: string, words: string): void {
  expect(words).not.toMatch(/undefined|\[object|Error:/);
  if (process.env.TRIBUTARY_WORDS) process.stderr.write(`    ${yard.kind}, ${when}: ${words}\n`);
}

async function set(stage: Stage, name: string, value: string): Promise<void> {
  const { code, stderr } = await run("agent", ["secret", "set", name, "--data", stage.agent.data], {
    stdin: value,
  });
  if (code !== 0) throw new Error(stderr);
}

/** Bytes of half-fetched files that an agent goes on from. */
function keptOf(data: string): number {
  const db = new Database(join(data, "queue.sqlite"), { readonly: true });
  try {
    return db.prepare("SELECT coalesce(sum(bytes), 0) FROM fetches").pluck().get() as number;
  } finally {
    db.close();
  }
}

/** Small files below a folder, as text of bytes. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file).size < 20_000_000)
    .map((file) => readFileSync(file, "latin1"));
}

/** The next time, at least a minute from now, that a clock in this zone shows HH:MM; ms since 1970. */
function nextIn(timeZone: string, wanted: string): number {
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit" });
  let at = Math.ceil(Date.now() / 60_000) * 60_000 + 60_000;
  while (clock.format(at) !== wanted) at += 60_000;
  return at;
}

/** Filled before the first test, as servers of `describeWithS3` are. */
function staged<Of extends Yard>(make: (own: string) => Promise<Of>): Stage & { readonly yard: Of } {
  const stage = {} as Stage & { readonly yard: Of };
  beforeAll(async () => void Object.assign(stage, await stageWith(make)), 120_000);
  afterAll(async () => await stage.end?.(), 120_000);
  return stage;
}

/** What a kind does not have is no test that was skipped. */
function only(when: boolean): typeof test {
  return when ? test : ((() => undefined) as never);
}

describe.runIf(isRoot)(
  `sources${isRoot ? "" : " (skipped: only root can start their servers)"}`,
  { concurrent: true },
  () => {
    describeWithPrograms("sftp", [SSHD, "ssh-keygen"], () => {
      everyKind(staged(sftpYard), { login: true, remote: true });
    });

    describeWithPrograms("ftp", [PROFTPD, "/usr/lib/proftpd/mod_tls.so"], () => {
      everyKind(staged(ftpYard), { login: true, remote: true });
    });

    describe("azure-blob", () => {
      everyKind(staged(azureYard), { login: true, remote: true });
    });

    describeWithPrograms("s3", cephPrograms, () => {
      const stage: Stage & { readonly yard: S3Yard } = staged(s3Yard);
      everyKind(stage, { login: true, remote: true });

      test(
        "every version of a bucket that keeps them, in order, also of the time when nobody looked",
        one,
        async () => {
          const { yard, site } = stage;
          await yard.keepVersions();
          const [a, b] = [bytesOf(100), bytesOf(200)];
          const history = async (path: string): Promise<void> => {
            await yard.write(path, a);
            await yard.remove(path);
            await yard.write(path, a);
            await yard.write(path, b);
          };
          stage.sources({ name: "versions", ...yard.source("versions") });
          await history("versions/watched.csv");
          await stage.arrived("versions", { "watched.csv": b });
          await stage.agentRuns().stop();
          await history("versions/alone.csv");
          await stage.agentAgain();
          const entries = await stage.arrived("versions", { "alone.csv": b });
          for (const path of ["watched.csv", "alone.csv"]) {
            const its = entries.filter((entry) => entry.path === path).map((entry) => entry.sha256);
            expect(its).toEqual([sha256(a), null, sha256(a), sha256(b)]);
          }
          await sound(site, entries);
        },
      );
    });

    describeWithPrograms("share", sambaPrograms, () => {
      const stage: Stage & { readonly yard: ShareYard } = staged(shareYard);
      everyKind(stage, { login: false, remote: false });

      test("unmounted, its folder is empty: nothing is removed; mounted again, it goes on", one, async () => {
        const { yard } = stage;
        const files: Files = { "1.csv": bytesOf(100), "2.csv": bytesOf(200) };
        await put(stage, "mounted", files);
        // The mount point itself: what is below it is gone with it.
        stage.sources({ name: "mounted", ...yard.source(""), include: ["mounted/**"] });
        const below = Object.fromEntries(
          Object.entries(files).map(([name, bytes]) => [`mounted/${name}`, bytes]),
        );
        await stage.arrived("mounted", below);
        await yard.mount.unmount();
        const why = await during(
          stage.problem("mounted", ({ path }) => path === ""),
          () => yard.mount.mount(),
        );
        said(yard, "unmounted", `${why.code}: ${why.detail}`);
        await put(stage, "mounted", { "3.csv": bytesOf(300) });
        await stage.well("mounted");
        await stage.until("the third", async () => (await stage.entries("mounted")).length === 3);
        expect((await stage.entries("mounted")).map(({ kind }) => kind)).toEqual([
          "version",
          "version",
          "version",
        ]);
      });

      test("its client hangs: status says so, and other sources go on", one, async () => {
        const { yard, site } = stage;
        const near = join(site.dir, "near");
        mkdirSync(near);
        await put(stage, "hung", { "1.csv": bytesOf(100) });
        stage.sources(
          { name: "hung", ...yard.source("hung") },
          { name: "near", path: near, every: undefined, settle: "200ms", rescan: "2s" },
        );
        await stage.until("the first", async () => (await stage.entries("hung")).length === 1);
        await yard.mount.freeze();
        try {
          const why = await stage.problem("hung", unreachable);
          said(yard, "hung", why.detail);
          expect(why.detail).toContain("does not answer");
          writeFileSync(join(near, "1.txt"), "1");
          await stage.arrived("near", { "1.txt": Buffer.from("1") });
        } finally {
          await yard.mount.thaw();
        }
        await put(stage, "hung", { "2.csv": bytesOf(100) });
        await stage.until("the second", async () => (await stage.entries("hung")).length === 2);
        await stage.well("hung");
      });
    });
  },
);
