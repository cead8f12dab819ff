/** Ledger and lake that do not belong together, with real processes: nothing is begun anew, nothing is taken away. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

let site: Site;
let root: string;
beforeAll(async () => {
  site = await makeSite();
  root = join(site.dir, "receiver", "lake");
  await site.command("client", "add", "demo");
  await (await site.serve()).stop();
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

test("another ledger of the site takes the lake's id up; another lake is refused", async () => {
  const other = site.variant("other", { lake: { kind: "directory", path: root } });
  expect((await run("receiver", ["rebuild", ...other])).code).toBe(0);
  const elsewhere = site.variant("elsewhere", {});
  expect((await run("receiver", ["verify", ...elsewhere])).code).not.toBe(0);
  expect((await run("receiver", ["rebuild", ...elsewhere])).code).toBe(0);
  rmSync(join(root, ".tributary.json"));
  renameSync(join(site.dir, "elsewhere", "lake", ".tributary.json"), join(root, ".tributary.json"));
  const ran = await run("receiver", ["verify", ...other]);
  expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/but this ledger belongs to the lake /)]);
});
