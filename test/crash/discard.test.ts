/** A quarantine delete that is killed at every step: done again it ends, nothing of the bytes is left, and nothing was published. */
import { describe, expect, test } from "vitest";
import { run } from "../site/process.ts";
import { straceMissing } from "../site/strace.ts";
import { heldSite, stepsOf } from "./held-site.ts";

const missing = straceMissing();
if (missing && process.env.CI) throw new Error(`CI needs strace: ${missing}`);
/** More than a delete makes. */
const STEPS = stepsOf({ pwrite64: 8, fsync: 3, fdatasync: 4, unlink: 3, rmdir: 4 });

describe.skipIf(missing !== undefined)(`killed${missing ? ` (skipped: ${missing})` : ""}`, () => {
  test("a delete, at every step", { timeout: 300_000 }, async () => {
    const held = await heldSite();
    const { site, objects } = held;
    let kills = 0;
    const between = new Set<unknown>();
    try {
      for (const step of STEPS) {
        const { name } = step;
        const { id, put, command } = await held.hold(name, "delete");
        const first = await command(step);
        if (first.code !== 0) kills += 1;
        const { code } = (await put()).body;
        expect([name, ["quarantined", "discarded"].includes(String(code))]).toEqual([name, true]);
        // Held, it still has its bytes.
        if (code === "quarantined") expect(objects("quarantine")).toContain(name);
        between.add(code);
        const second = await command();
        expect([name, second.code, second.stdout.trim()]).toEqual([name, 0, id]);
        expect((await put()).body.code).toBe("discarded");
        expect([...objects("quarantine"), ...objects("raw")]).toEqual([]);
      }
      expect(kills).toBeGreaterThan(STEPS.length / 3);
      expect(between).toEqual(new Set(["quarantined", "discarded"]));
      expect(await site.command("quarantine", "list")).toBe("");
      expect((await site.command("quarantine", "list", "--all", "--json")).split("\n")).toHaveLength(
        STEPS.length,
      );
      expect(await site.history()).toEqual([]);
      expect((await run("receiver", ["verify", ...site.at])).code).toBe(0);
    } finally {
      await held.close();
    }
  });
});
