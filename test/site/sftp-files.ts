/** Files that a client has to send, with their digests. The environment makes them as many and as large as the bars ask for. */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, statSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodePath } from "@tributary/shared/path.ts";

export const FILES = Number(process.env["SFTP_FILES"] ?? 150);
export const BYTES = Number(process.env["SFTP_BYTES"] ?? 64 * 2 ** 20);
/** ms for one program with all of them. */
export const PATIENCE = 60_000 + FILES * 60 + BYTES / 5_000;

export interface Files {
  readonly dir: string;
  /** By `pathEncoded`. */
  readonly digests: ReadonlyMap<string, string>;
}

/** Some in folders, with names that are no plain ASCII among them; one of them large. All have an old time. */
export function makeFiles(dir: string, count = FILES, bytes = BYTES): Files {
  const digests = new Map<string, string>();
  const put = (path: string, content: Buffer): void => {
    const file = join(dir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    const at = new Date(Date.UTC(2025, 0, 1) + digests.size * 1000);
    utimesSync(file, at, at);
    digests.set(encodePath(Buffer.from(path)), createHash("sha256").update(content).digest("hex"));
  };
  for (let i = 0; i < count; i += 1)
    put(`day ${i % 20}/süd=${i % 7}/file-${i}.csv`, randomBytes(i % 50 === 0 ? 0 : 1 + ((i * 37) % 4096)));
  if (bytes > 0) {
    digests.set("large.bin", makeLarge(join(dir, "large.bin"), bytes));
    const at = new Date(Date.UTC(2025, 1, 1));
    utimesSync(join(dir, "large.bin"), at, at);
  }
  return { dir, digests };
}

/** Of bytes that repeat nowhere; its digest. */
export function makeLarge(file: string, bytes: number): string {
  mkdirSync(dirname(file), { recursive: true });
  const block = randomBytes(2 ** 20);
  const hash = createHash("sha256");
  const handle = openSync(file, "w");
  for (let at = 0; at < bytes; at += block.length) {
    block.writeUInt32BE(at / block.length);
    const piece = block.subarray(0, Math.min(block.length, bytes - at));
    writeSync(handle, piece);
    hash.update(piece);
  }
  closeSync(handle);
  return hash.digest("hex");
}

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash("sha256").update(bytes).digest("hex");

/** Seconds since 1970, as SFTP has it. */
export const secondsOf = (file: string): number => Math.floor(statSync(file).mtimeMs / 1000);
