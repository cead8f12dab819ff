import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startFollower } from "./follower.ts";

async function someFile(bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tributary-follower-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "file"), bytes);
  return join(folder, "file");
}

test("jobs side by side give the digests of what was appended to each", async () => {
  const bytes = randomBytes(3_000_000);
  const file = await someFile(bytes);
  const follower = startFollower();
  const pieces = [
    { file, start: 0, length: 1_500_000 },
    { file, start: 1_500_000, length: 1_500_000 },
  ] as const;
  await Promise.all([
    follower.append("a", pieces[0]),
    follower.append("b", pieces[1]),
    follower.append("a", pieces[1]),
  ]);
  const sha256 = (part: Uint8Array): string => createHash("sha256").update(part).digest("hex");
  expect(await follower.finish("a")).toBe(sha256(bytes));
  expect(await follower.finish("b")).toBe(sha256(bytes.subarray(1_500_000)));
  expect(await follower.finish("empty")).toBe(sha256(Buffer.alloc(0)));
});

test("a job that lost its place never gives a digest", async () => {
  const file = await someFile(randomBytes(1000));
  const follower = startFollower();
  await expect(follower.append("a", { file, start: 0, length: 1001 })).rejects.toThrow(/ends at byte 1000/);
  await expect(follower.append("a", { file, start: 0, length: 10 })).rejects.toThrow(/lost/);
  await expect(follower.finish("a")).rejects.toThrow(/lost/);
});

test("what was ordered before the gap was known makes no digest either", async () => {
  const file = await someFile(randomBytes(1000));
  const follower = startFollower();
  const answers = await Promise.allSettled([
    follower.append("a", { file, start: 0, length: 1001 }),
    follower.append("a", { file, start: 0, length: 1000 }),
    follower.finish("a"),
  ]);
  expect(answers.map((answer) => answer.status)).toEqual(["rejected", "rejected", "rejected"]);
});
