import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

test.skipIf(process.platform === "win32")("a key that does not fit on the disk is not there at all", () => {
  const folder = mkdtempSync(join(tmpdir(), "tributary-keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = `
    const { writeKeyFile } = await import(${JSON.stringify(new URL("./folder.ts", import.meta.url).href)});
    writeKeyFile(${JSON.stringify(folder)}, "key", "k".repeat(10_000));`;
  // Files may have 4 blocks: the system takes what fits of the first write, and says why not at the next one.
  const script = 'ulimit -f 4 && exec "$0" --input-type=module --eval "$1"';
  const ran = spawnSync("sh", ["-c", script, process.execPath, program], { encoding: "utf8" });
  expect(ran.stderr).toMatch(/EFBIG/);
  expect(readdirSync(folder)).toEqual([]);
});
