/**
 * Public keys of SFTP accounts: the blob of RFC 4253, 6.6 (RSA), RFC 5656, 3.1 (ECDSA) and RFC 8709, 4 (Ed25519), one a
 * line as in authorized_keys, or in the form of RFC 4716 that PuTTYgen and WinSCP save.
 */
import { createPublicKey, type JsonWebKey } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { fingerprintOf } from "./ssh-fingerprint.ts";
import { fieldsOf, mpint } from "./ssh-wire.ts";

export interface SshPublicKey {
  readonly algorithm: string;
  /** Base64 of the blob. */
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly comment: string;
}

const CURVES: Readonly<Record<string, { readonly crv: string; readonly bytes: number }>> = {
  nistp256: { crv: "P-256", bytes: 32 },
  nistp384: { crv: "P-384", bytes: 48 },
  nistp521: { crv: "P-521", bytes: 66 },
};
const LEAST_RSA_BITS = 2048;
const MOST_RSA_BITS = 16_384;
const TAKEN = `ssh-ed25519, ecdsa-sha2-nistp256, -384 or -521, or ssh-rsa of at least ${LEAST_RSA_BITS} bits`;
const ALGORITHM = /^(?:ssh|ecdsa|sk-ssh|sk-ecdsa|x509v3)-[A-Za-z0-9@.-]+$/;

/** All keys of a file; `name` is how it is called. Throws `request-invalid`: which line, why, and what to do. */
export function parsePublicKeys(text: string, name: string): readonly SshPublicKey[] {
  const refuse = (why: string, line?: number): never => {
    throw new ProblemError("request-invalid", `${name}${line === undefined ? "" : `, line ${line}`}: ${why}`);
  };
  if (/PRIVATE KEY-----|^PuTTY-User-Key-File/m.test(text))
    refuse("this is a private key, which stays with the client; give its public key, usually the .pub file");
  const pem = /-----BEGIN (RSA )?PUBLIC KEY-----/.exec(text);
  if (pem !== null)
    refuse(
      `this is a public key in PEM; make the form that SSH has of it: ssh-keygen -i -m ${pem[1] === undefined ? "PKCS8" : "PEM"} -f FILE`,
    );
  if (text.includes("\0")) refuse("this file is in UTF-16, as PowerShell's > writes it; save it as UTF-8");
  const lines = text.includes("---- BEGIN SSH2 PUBLIC KEY ----") ? inOneLine(text) : text.split(/\r\n|\n|\r/);
  const keys = lines.flatMap((line, at) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    const key = parseLine(trimmed);
    return typeof key === "string" ? refuse(key, at + 1) : [key];
  });
  return keys.length === 0 ? refuse("it holds no public key") : keys;
}

/** The key, or why it is not taken. */
function parseLine(line: string): SshPublicKey | string {
  const words = line.split(/[ \t]+/);
  const [algorithm = "", publicKey = "", ...comment] = words;
  if (!ALGORITHM.test(algorithm))
    return words.slice(1).some((word) => ALGORITHM.test(word))
      ? "options before the key are not taken; what an account may do is said by the options of `sftp add`"
      : `this is no public key; expected ${TAKEN}, as in authorized_keys`;
  if (algorithm.includes("-cert-"))
    return "this is a certificate, which is not taken; give the public key itself";
  if (algorithm.startsWith("sk-"))
    return `keys on security tokens (${algorithm}) are not taken; expected ${TAKEN}`;
  if (comment.some((word, at) => ALGORITHM.test(word) && comment[at + 1]?.startsWith("AAAA")))
    return "there is a second key in the line; write each on a line of its own";
  const blob = Buffer.from(publicKey, "base64");
  if (publicKey === "" || blob.toString("base64") !== publicKey)
    return "its base64 is damaged; copy the whole line again";
  const wrong = wrongWith(algorithm, blob);
  if (wrong !== undefined) return wrong;
  return { algorithm, publicKey, fingerprint: fingerprintOf(blob), comment: comment.join(" ") };
}

function wrongWith(algorithm: string, blob: Buffer): string | undefined {
  const damaged = "the key is damaged; copy the whole line again";
  const [name, ...rest] = fieldsOf(blob) ?? [];
  if (name?.toString("latin1") !== algorithm) return damaged;
  const curve = /^ecdsa-sha2-(nistp\d+)$/.exec(algorithm)?.[1] ?? "";
  if (algorithm === "ssh-ed25519") return isEd25519(rest) ? undefined : damaged;
  if (CURVES[curve] !== undefined) return isEcdsa(rest, curve) ? undefined : damaged;
  if (algorithm !== "ssh-rsa") return `${algorithm} keys are not taken; expected ${TAKEN}`;
  const bits = rsaBits(rest);
  if (bits === undefined) return damaged;
  return bits < LEAST_RSA_BITS || bits > MOST_RSA_BITS
    ? `an RSA key of ${bits} bits is not taken; expected ${TAKEN}`
    : undefined;
}

function isEd25519([key, ...more]: readonly Buffer[]): boolean {
  return (
    key?.length === 32 &&
    more.length === 0 &&
    isKey({ kty: "OKP", crv: "Ed25519", x: key.toString("base64url") })
  );
}

function isEcdsa([curve, point, ...more]: readonly Buffer[], name: string): boolean {
  if (curve?.toString("latin1") !== name || point === undefined || more.length > 0) return false;
  const jwk = jwkOfPoint(name, point);
  return jwk !== undefined && isKey(jwk);
}

/** SEC 1, 2.3.3: uncompressed only, which is what RFC 5656 has. */
export function jwkOfPoint(curve: string, point: Buffer): JsonWebKey | undefined {
  const { crv, bytes } = CURVES[curve] ?? { crv: "", bytes: 0 };
  if (bytes === 0 || point.length !== 1 + 2 * bytes || point[0] !== 4) return undefined;
  const [x, y] = [point.subarray(1, 1 + bytes), point.subarray(1 + bytes)];
  return { kty: "EC", crv, x: x.toString("base64url"), y: y.toString("base64url") };
}

function rsaBits([e, n, ...more]: readonly Buffer[]): number | undefined {
  if (e === undefined || n === undefined || more.length > 0) return undefined;
  // Written in another way the key would never equal what a client sends; a number with its first bit set is negative.
  if (!mpint(e).equals(e) || !mpint(n).equals(n)) return undefined;
  if (!isKey({ kty: "RSA", e: e.toString("base64url"), n: n.toString("base64url") })) return undefined;
  return (n.length - 1) * 8 + (32 - Math.clz32(n[0] ?? 0));
}

function isKey(key: JsonWebKey): boolean {
  try {
    createPublicKey({ key, format: "jwk" });
    return true;
  } catch {
    return false;
  }
}

/** RFC 4716, 3.3: headers, which a backslash at the end of a line continues, then base64. */
function inOneLine(text: string): string[] {
  return [...text.matchAll(/---- BEGIN SSH2 PUBLIC KEY ----\r?\n(.*?)---- END SSH2 PUBLIC KEY ----/gs)].map(
    ([, inside = ""]) => {
      const lines = inside.replace(/\\\r?\n/g, "").split(/\r?\n/);
      const comment = lines.flatMap((line) => /^comment:\s*"?(.*?)"?\s*$/i.exec(line)?.[1] ?? []);
      const body = lines.filter((line) => !line.includes(":")).join("");
      const [name] = fieldsOf(Buffer.from(body, "base64")) ?? [];
      return [name?.toString("latin1") ?? "damaged", body, ...comment].join(" ");
    },
  );
}
