/** A release from quarantine that is killed at every step: it can be done again, nothing is lost, and nothing is there twice. */
import { describe, expect, test } from "vitest";
import { run } from "../site/process.ts";
import { straceMissing } from "../site/strace.ts";
import { heldSite, stepsOf } from "./held-site.ts";

const missing = straceMissing();
if (missing && process.env.CI) throw new Error(`CI needs strace: ${missing}`);
/** More than a release makes. */
const STEPS = stepsOf({ link: 2, rename: 3, fsync: 8, fdatasync: 6, unlink: 3, rmdir: 4 });

describe.skipIf(missing !== undefined)(`killed${missing ? ` (skipped: ${missing})` : ""}`, () => {
  test("a release, at every step", { timeout: 300_000 }, async () => {
    const held = await heldSite();
    const { site, objects } = held;
    let kills = 0;
    try {
      for (const step of STEPS) {
        const { name } = step;
        const { id, put, command } = await held.hold(name, "release");
        const first = await command(step);
        if (first.code !== 0) kills += 1;
        const between = await put();
        // Released or still held, and nothing else.
        expect([name, ["quarantined", undefined].includes(between.body.code as string)]).toEqual([
          name,
          true,
        ]);
        const second = await command();
        if (second.code !== 0) expect(second.stderr).toMatch(/was released already/);
        expect((await put()).body).toMatchObject({ status: "created", versionId: id });
        expect(objects("raw").filter((one) => one === name)).toEqual([name]);
      }
      expect(kills).toBeGreaterThan(STEPS.length / 4);
      expect(await site.command("quarantine", "list")).toBe("");
      expect((await site.history()).map(({ path }) => path)).toHaveLength(STEPS.length);
      expect((await run("receiver", ["verify", ...site.at])).code).toBe(0);
    } finally {
      await held.close();
    }
  });
});
