import { expect, test } from "vitest";
import { measured } from "./measured.ts";

async function* bytes(...sizes: number[]) {
  for (const size of sizes) yield new Uint8Array(size);
}
async function read(sizes: number[], size: number | undefined): Promise<number> {
  let total = 0;
  const body = { bytes: bytes(...sizes), size, sha256: undefined };
  for await (const chunk of measured(body, async () => {})) total += chunk.length;
  return total;
}

test("as many bytes as were declared, or any number when nothing was", async () => {
  expect(await read([3, 4], 7)).toBe(7);
  expect(await read([], 0)).toBe(0);
  expect(await read([3, 4], undefined)).toBe(7);
});

test.for([
  [[3, 3], 7],
  [[], 1],
  [[3, 5], 7],
  [[1], 0],
] as const)("%j bytes where %i were declared are refused", async ([sizes, size]) => {
  await expect(read([...sizes], size)).rejects.toMatchObject({ code: "length-mismatch" });
});
