/** The library as it was compiled for this checkout: in CI by `.ci/prepare`. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { CHECKOUT_CRYPTO } from "./crypto.ts";

const program = `
  const crypto = require(${JSON.stringify(CHECKOUT_CRYPTO)});
  (async () => {
    for (const end = Date.now() + 1500; Date.now() < end; ) {
      for (let i = 0; i < 2000; i += 1)
        new crypto.AESGCMCipher("aes-128-gcm", Buffer.alloc(16), Buffer.alloc(12));
      // V8 collects some of them in tasks of its own then, with nothing of ours around them.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    console.log("lives");
  })();`;

test.runIf(process.env["CI"] === "true" || existsSync(CHECKOUT_CRYPTO))(
  "ciphers of connections that have ended are collected, and the process lives",
  () => {
    const out = execFileSync(process.execPath, ["-e", program], { encoding: "utf8", timeout: 14_000 });
    expect(out).toBe("lives\n");
  },
);
