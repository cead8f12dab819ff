/** Ledger and lake that do not belong together, with real processes: nothing is begun anew, nothing is taken away. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { caller } from "../site/caller.ts";
import { run } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

let site: Site;
let root: string;
let key: string;
type Put = (path: string) => Promise<{ status: number; body: { code?: string; receipt?: string } }>;

async function serving(work: (put: Put) => Promise<void>): Promise<void> {
  const receiver = await site.serve();
  const api = caller(site, key);
  try {
    await work(async (path) => await api.put("pos", path, Buffer.from(path)));
  } finally {
    await api.close();
    await receiver.stop();
  }
}
const raw = () => readdirSync(join(root, "raw"), { recursive: true }).map(String).toSorted();
beforeAll(async () => {
  site = await makeSite();
  root = join(site.dir, "receiver", "lake");
  await site.command("client", "add", "demo");
  key = await site.command("key", "add", "--client", "demo", "--scope", "write");
  await serving(async (put) => expect((await put("first.csv")).status).toBe(201));
});
afterAll(() => site?.remove());

test("a lake whose disk is not mounted is not begun anew: serve and commands say so and write nothing", async () => {
  renameSync(root, `${root}.disk`);
  for (const mountPoint of [false, true]) {
    if (mountPoint) mkdirSync(root);
    for (const command of ["serve", "verify", "sweep", "rebuild"]) {
      const ran = await run("receiver", [command, ...site.at]);
      expect([command, ran.code, ran.stderr]).toEqual([
        ...[command, 1],
        expect.stringMatching(/there is no lake in .*is the disk mounted there/),
      ]);
    }
    expect(existsSync(root)).toBe(mountPoint);
    if (mountPoint) expect(readdirSync(root)).toEqual([]);
  }
  rmdirSync(root);
  renameSync(`${root}.disk`, root);
  await (await site.serve()).stop();
});

test("a lake whose disk goes away while serve runs: no receipt, nothing on the mount point, and it goes on by itself", async () => {
  await serving(async (put) => {
    renameSync(root, `${root}.disk`);
    mkdirSync(root);
    const refused = await put("away.csv");
    expect([refused.status, refused.body.code, refused.body.receipt]).toEqual([
      ...[503, "lake-unavailable", undefined],
    ]);
    expect(readdirSync(root)).toEqual([]);
    rmdirSync(root);
    renameSync(`${root}.disk`, root);
    expect((await put("away.csv")).status).toBe(201);
  });
});

test("an old ledger on a newer lake: serve and sweep refuse and take nothing away, until it was merged", async () => {
  const ledger = join(site.dir, "receiver", "ledger.sqlite");
  const backup = join(site.dir, "backup.gz");
  await site.command("backup", backup);
  await serving(async (put) => expect((await put("later.csv")).status).toBe(201));
  const before = raw();
  for (const state of ["lost", "old"]) {
    for (const end of ["", "-wal", "-shm"]) rmSync(ledger + end, { force: true });
    if (state === "old") await site.command("restore", backup);
    // A lost one is made anew by a command that anybody may run.
    else await site.command("client", "add", "demo");
    for (const command of ["serve", "sweep"]) {
      const ran = await run("receiver", [command, ...site.at]);
      expect([state, command, ran.code, ran.stderr]).toEqual([
        ...[state, command, 1],
        expect.stringMatching(/the lake knows more than this ledger: .*rebuild --merge/),
      ]);
    }
    expect(raw()).toEqual(before);
  }
  await site.command("rebuild", "--merge");
  await site.command("sweep");
  expect(raw()).toEqual(before);
  await serving(async (put) => expect((await put("last.csv")).status).toBe(201));
});

test("another ledger of the site takes the lake's id up; another lake is refused", async () => {
  const other = site.variant("other", { lake: { kind: "directory", path: root } });
  const rebuilt = await run("receiver", ["rebuild", ...other]);
  expect([rebuilt.code, rebuilt.stderr]).toEqual([0, expect.any(String)]);
  const elsewhere = site.variant("elsewhere", {});
  expect((await run("receiver", ["verify", ...elsewhere])).code).not.toBe(0);
  expect((await run("receiver", ["client", "add", "demo", ...elsewhere])).code).toBe(0);
  expect((await run("receiver", ["verify", ...elsewhere])).code).toBe(0);
  rmSync(join(root, ".tributary.json"));
  renameSync(join(site.dir, "elsewhere", "lake", ".tributary.json"), join(root, ".tributary.json"));
  const ran = await run("receiver", ["verify", ...other]);
  expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/but this ledger belongs to the lake /)]);
});
