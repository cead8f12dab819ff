/**
 * Names are bytes. A path's identity is its byte string inside the source, `/` between segments
 * (Windows: WTF-8, `\` already turned into `/` by the agent). `pathEncoded` is the one textual form of that
 * identity: every byte outside `A-Za-z0-9-._~/` that is not part of well-formed non-ASCII UTF-8 is `%XX`,
 * upper case. Nothing is normalised and no case is folded, so two different names never become one.
 */
import { ProblemError } from "./problems.ts";

export const MAX_PATH_BYTES = 4096;

const UNRESERVED = new Uint8Array(256);
for (const c of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/") {
  UNRESERVED[c.charCodeAt(0)] = 1;
}
const HEX = Array.from({ length: 256 }, (_, n) => `%${n.toString(16).toUpperCase().padStart(2, "0")}`);

/** Length of the well-formed multi-byte UTF-8 sequence at `at`, or 0 (Unicode 15, table 3-7). */
function utf8SequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  const next = (n: number, low = 0x80, high = 0xbf): boolean => {
    const b = bytes[at + n];
    return b !== undefined && b >= low && b <= high;
  };
  if (lead >= 0xc2 && lead <= 0xdf) return next(1) ? 2 : 0;
  if (lead === 0xe0) return next(1, 0xa0) && next(2) ? 3 : 0;
  if (lead === 0xed) return next(1, 0x80, 0x9f) && next(2) ? 3 : 0;
  if (lead >= 0xe1 && lead <= 0xef) return next(1) && next(2) ? 3 : 0;
  if (lead === 0xf0) return next(1, 0x90) && next(2) && next(3) ? 4 : 0;
  if (lead >= 0xf1 && lead <= 0xf3) return next(1) && next(2) && next(3) ? 4 : 0;
  if (lead === 0xf4) return next(1, 0x80, 0x8f) && next(2) && next(3) ? 4 : 0;
  return 0;
}

/** The identity of a path as text: injective, readable where the name is readable. */
export function encodePath(bytes: Uint8Array): string {
  const out: string[] = [];
  let plainFrom = 0;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let i = 0;
  while (i < bytes.length) {
    const b = bytes[i] as number;
    const length = b < 0x80 ? (UNRESERVED[b] as number) : utf8SequenceLength(bytes, i);
    if (length > 0) {
      i += length;
      continue;
    }
    out.push(text.toString("utf8", plainFrom, i), HEX[b] as string);
    i += 1;
    plainFrom = i;
  }
  out.push(text.toString("utf8", plainFrom));
  return out.join("");
}

/** Bytes of a `pathEncoded`. Throws `path-invalid` when the text is not what `encodePath` would have written. */
export function decodePath(pathEncoded: string): Buffer {
  const bytes = percentDecode(pathEncoded);
  if (encodePath(bytes) !== pathEncoded) {
    throw new ProblemError(
      "path-invalid",
      `pathEncoded "${pathEncoded.slice(0, 200)}" is not in canonical form`,
    );
  }
  return bytes;
}

/** Percent-decodes text into bytes; non-ASCII characters count as their UTF-8 bytes. Throws `path-invalid`. */
export function percentDecode(text: string): Buffer {
  if (!text.includes("%")) return Buffer.from(text, "utf8");
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = text.indexOf("%"); at !== -1; at = text.indexOf("%", from)) {
    const hex = text.slice(at + 1, at + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(hex)) {
      throw new ProblemError(
        "path-invalid",
        `"${text.slice(0, 200)}" has a "%" that is not followed by two hex digits`,
      );
    }
    parts.push(Buffer.from(text.slice(from, at), "utf8"), Buffer.from([Number.parseInt(hex, 16)]));
    from = at + 3;
  }
  parts.push(Buffer.from(text.slice(from), "utf8"));
  return Buffer.concat(parts);
}

/** The path as it stands in a URL: ASCII only, every byte outside the unreserved set as `%XX`. */
export function pathForUrl(bytes: Uint8Array): string {
  let out = "";
  for (const b of bytes) out += UNRESERVED[b] ? String.fromCharCode(b) : HEX[b];
  return out;
}

const READER = new TextDecoder("utf-8", { ignoreBOM: true });

/** For people: ill-formed bytes become U+FFFD. Never an identity. */
export function displayPath(bytes: Uint8Array): string {
  return READER.decode(bytes);
}

/**
 * Why these bytes cannot be a path inside a source, in words, or undefined when they can. Refused are: empty,
 * absolute, an empty segment, NUL, over 4,096 bytes, and `.`, `..` or a drive letter as a segment when split
 * on `/` or on `\` (a name that is harmless here must not escape on a Windows reader).
 */
export function pathFault(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "it is empty";
  if (bytes.length > MAX_PATH_BYTES) return `it is ${bytes.length} bytes long; ${MAX_PATH_BYTES} is the most`;
  if (bytes.includes(0)) return "it contains a NUL byte";
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  if (text.startsWith("/")) return "it is absolute";
  if (text.split("/").includes("")) return "it has an empty segment";
  for (const segment of text.split(/[/\\]/)) {
    if (segment === "." || segment === "..") return `it has "${segment}" as a segment`;
    if (/^[A-Za-z]:$/.test(segment)) return `it has the drive letter "${segment}" as a segment`;
  }
  return undefined;
}

/** Throws `path-invalid` where `pathFault` finds one. */
export function requirePath(bytes: Uint8Array): Uint8Array {
  const fault = pathFault(bytes);
  if (fault !== undefined) {
    throw new ProblemError(
      "path-invalid",
      `"${displayPath(bytes.subarray(0, 200))}" is no path inside a source: ${fault}`,
    );
  }
  return bytes;
}
