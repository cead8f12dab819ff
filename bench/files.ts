/** Files to measure with: incompressible, and other ones each round, so that nothing is "unchanged". */
import { createCipheriv, randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export function makeLargeFile(file: string, bytes: number): void {
  const noise = createCipheriv("aes-128-ctr", randomBytes(16), randomBytes(16));
  const zeros = Buffer.alloc(4 * 2 ** 20);
  const fd = openSync(file, "w");
  for (let at = 0; at < bytes; at += zeros.length)
    writeSync(fd, noise.update(zeros.subarray(0, Math.min(zeros.length, bytes - at))));
  closeSync(fd);
}

/**
 * A virtual machine gets a page of memory from its host when it is touched for the first time, which costs as much as
 * writing it again several times: whoever comes first in a round would pay that for all who come after.
 */
export function touchMemory(folder: string, bytes: number): void {
  const file = join(folder, "touched");
  const zeros = Buffer.alloc(4 * 2 ** 20);
  const fd = openSync(file, "w");
  for (let at = 0; at < bytes; at += zeros.length) writeSync(fd, zeros);
  closeSync(fd);
  rmSync(file);
}

/** `count` files of `bytes` each, 1,000 to a folder when `nested`. */
export function makeSmallFiles(folder: string, count: number, bytes: number, nested = false): void {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < count; i += 1) {
    const place = nested ? join(folder, String(Math.floor(i / 1000))) : folder;
    if (nested && i % 1000 === 0) mkdirSync(place);
    writeFileSync(join(place, `file-${i}.dat`), randomBytes(bytes));
  }
}
