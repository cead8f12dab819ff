/**
 * ssh2's native crypto, compiled by us: its own build is meant for whatever Node runs npm, which is not the one that
 * runs the receiver, and a library of that kind loads into one version of Node alone. One file of C++ needs no node-gyp.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./run.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join(ROOT, "node_modules/ssh2/lib/protocol/crypto");

/** Where ssh2 looks for it in a checkout. */
export const CHECKOUT_CRYPTO = join(FOLDER, "build/Release/sshcrypto.node");

export interface CryptoBuild {
  /** For the processor: g++, or one of Debian's cross compilers. */
  readonly compiler: string;
  /** Path of the program of Node that is to load it, with its headers in ../include as they come from npm. */
  readonly node: string;
  readonly output: string;
}

/** Throws with what the compiler said, or with what to install. Replaces `output` in one step. */
export async function buildCrypto({ compiler, node, output }: CryptoBuild): Promise<void> {
  mkdirSync(dirname(output), { recursive: true });
  const fresh = mkdtempSync(join(dirname(output), ".fresh-"));
  try {
    const file = join(fresh, "sshcrypto.node");
    await run(compiler, [
      ...["-shared", "-fPIC", "-O3", "-std=gnu++20", "-fno-rtti", "-fno-exceptions", "-fvisibility=hidden"],
      // Its warnings are its author's; its symbols are of no use; the checkout's path is nobody's business.
      ...["-w", "-Wl,-s", `-ffile-prefix-map=${ROOT}=.`],
      // As its binding.gyp has them. Node 24 brings OpenSSL 3.
      ...["-DNODE_GYP_MODULE_NAME=sshcrypto", "-DBUILDING_NODE_EXTENSION"],
      ...["-DOPENSSL_API_COMPAT=0x10100000L", "-DREAL_OPENSSL_MAJOR=3"],
      ...["-include", join(import.meta.dirname, "object-wrap.h")],
      `-I${join(dirname(node), "../include/node")}`,
      `-I${join(ROOT, "node_modules/nan")}`,
      join(FOLDER, "src/binding.cc"),
      ...["-o", file],
    ]);
    renameSync(file, output);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
