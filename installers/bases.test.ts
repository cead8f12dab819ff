import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

/** npm leaves digests out of what it did not fetch itself, and says nothing: then anything that bears the name would do. */
test("package-lock.json names the digest of every package of npm", () => {
  const { packages } = JSON.parse(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8"));
  const fetched = Object.entries<{ readonly link?: boolean; readonly integrity?: string }>(packages).filter(
    ([path, { link }]) => path.includes("node_modules/") && link !== true,
  );
  expect(fetched.length).toBeGreaterThan(400);
  expect(fetched.flatMap(([path, { integrity }]) => (integrity === undefined ? [path] : []))).toEqual([]);
});
