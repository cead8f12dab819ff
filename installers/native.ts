/**
 * `npm run native`: ssh2's native crypto for this checkout and the Node that runs this. Without it SFTP works, slower.
 * Does nothing when it is there already.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { buildCrypto, CHECKOUT_CRYPTO } from "./crypto.ts";

/** Loading is the test: what was made for another Node, or is half written, does not. Nor is it good without `object-wrap.h`. */
function isGood(): boolean {
  try {
    createRequire(import.meta.url)(CHECKOUT_CRYPTO);
    return !readFileSync(CHECKOUT_CRYPTO).includes("RemoveEnvironmentCleanupHook");
  } catch {
    return false;
  }
}

if (isGood()) console.log("the native crypto of SFTP is there");
else
  try {
    await buildCrypto({ compiler: "g++", node: process.execPath, output: CHECKOUT_CRYPTO });
    console.log(`built the native crypto of SFTP for Node ${process.version}`);
  } catch (error) {
    console.error(
      `native: SFTP stays without its native crypto, and slower: ${error instanceof Error ? error.message : error}`,
    );
    process.exitCode = 1;
  }
