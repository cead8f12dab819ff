import { expect, test } from "vitest";
import { lookThrough } from "./listing.ts";

// The million is measured: npm run bench listing. More memory than this would already be some bytes for each file.
test("100,000 unchanged files of one folder need no memory of their own", { timeout: 60_000 }, async () => {
  const { files, depth, problems, peak } = await lookThrough(100_000);
  expect([files, depth, problems]).toEqual([100_000, 100_000, 0]);
  expect(peak / 2 ** 20).toBeLessThan(160);
});
