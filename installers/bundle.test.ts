import { expect, test } from "vitest";
import { bundle, compile } from "./bundle.ts";

test("ssh2 asks the packaged program for its native crypto, and for no other library", async () => {
  const { text, inputs } = await compile({ file: "receiver/doors/sftp/library.ts" }, "1.2.3");
  expect(inputs).toContain("native:sshcrypto.node");
  expect(text).not.toMatch(/require\("[^"]*\.node"\)/);
});

test("the agent has no SSH in it", async () => {
  expect((await bundle("agent", "1.2.3", "4")).licences).not.toMatch(/^(ssh2|nan) /m);
});
