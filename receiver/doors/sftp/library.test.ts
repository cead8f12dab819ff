import { expect, test } from "vitest";
import { loadSsh2 } from "./library.ts";

test("the library is there, fast or with a sentence that says how to make it so", async () => {
  const { ssh2, slow } = await loadSsh2("/unused/in/a/checkout");
  expect(typeof ssh2.Server).toBe("function");
  expect(slow ?? "npm run native").toContain("npm run native");
});

// `.ci/prepare` compiled it.
test.runIf(process.env["CI"] === "true")("in CI it is fast", async () => {
  expect((await loadSsh2("/unused/in/a/checkout")).slow).toBeUndefined();
});
