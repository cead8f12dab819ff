/**
 * Private keys as OpenSSH keeps them (its PROTOCOL.key), without a passphrase, one to a file:
 *   "openssh-key-v1\0", fields "none" "none" "", uint32 1, field public blob, field private section
 *   private section: uint32 twice the same, fields of the key, field comment, padding 1 2 3 … to whole 8 bytes
 * Of the kinds that a host key may have: Ed25519 and ECDSA on nistp256.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { fingerprintOf } from "./ssh-fingerprint.ts";
import { jwkOfPoint } from "./ssh-public-key.ts";
import { fields, fieldsOf, mpint } from "./ssh-wire.ts";

export type HostAlgorithm = "ssh-ed25519" | "ecdsa-sha2-nistp256";

export interface SshPrivateKey {
  readonly algorithm: HostAlgorithm;
  /** As `ssh2` and OpenSSH read it. */
  readonly text: string;
  /** The public blob. */
  readonly blob: Buffer;
  readonly fingerprint: string;
}

const MAGIC = Buffer.from("openssh-key-v1\0");
const UNPROTECTED = fields("none", "none", "");
const ONE = Buffer.from([0, 0, 0, 1]);
const DAMAGED = "it is damaged; copy the whole file again, from where it is good or from a backup";
const FORM =
  /^\s*-----BEGIN OPENSSH PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END OPENSSH PRIVATE KEY-----\s*$/;

export function makePrivateKey(algorithm: HostAlgorithm, comment: string): SshPrivateKey {
  const { privateKey } =
    algorithm === "ssh-ed25519"
      ? generateKeyPairSync("ed25519")
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const blob = fields(...publicFields(privateKey));
  const check = randomBytes(4);
  const inside = Buffer.concat([check, check, fields(...privateFields(privateKey), comment)]);
  const padding = Buffer.from(Array.from({ length: (8 - (inside.length % 8)) % 8 }, (_, at) => at + 1));
  const whole = [MAGIC, UNPROTECTED, ONE, fields(blob, Buffer.concat([inside, padding]))];
  return { algorithm, text: textOf(Buffer.concat(whole)), blob, fingerprint: fingerprintOf(blob) };
}

function textOf(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** The key, or why it cannot be used. */
export function parsePrivateKey(algorithm: HostAlgorithm, text: string): SshPrivateKey | string {
  const base64 = FORM.exec(text)?.[1];
  if (base64 === undefined)
    return "it is no private key in OpenSSH's form; `ssh-keygen -p -f FILE` turns the older ones into it";
  const bytes = Buffer.from(base64, "base64");
  const rest = bytes.subarray(MAGIC.length);
  const keys = rest.subarray(UNPROTECTED.length + ONE.length);
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return DAMAGED;
  if (!rest.subarray(0, UNPROTECTED.length).equals(UNPROTECTED))
    return 'it has a passphrase, which nobody could type at a start; take it away: ssh-keygen -p -N "" -f FILE';
  const [blob, inside, ...more] = fieldsOf(keys) ?? [];
  if (blob === undefined || inside === undefined || more.length > 0) return DAMAGED;
  const kind = fieldsOf(blob)?.[0]?.toString("latin1");
  if (kind !== algorithm) return `it holds a key of the kind ${kind ?? "?"}, and must be ${algorithm}`;
  if (!isPair(blob, inside)) return DAMAGED;
  // Whatever an editor or a copy made of its lines, `ssh2` reads it.
  return { algorithm, text: textOf(bytes), blob, fingerprint: fingerprintOf(blob) };
}

/** Whether the private section is that of the public blob: a host that cannot prove its key serves nobody. */
function isPair(blob: Buffer, inside: Buffer): boolean {
  if (inside.length < 8 || !inside.subarray(0, 4).equals(inside.subarray(4, 8))) return false;
  try {
    const jwk = jwkOf(leadingFields(inside.subarray(8)));
    return (
      jwk !== undefined && fields(...publicFields(createPrivateKey({ key: jwk, format: "jwk" }))).equals(blob)
    );
  } catch {
    return false;
  }
}

/** Up to where the padding begins, whose bytes are no length that fits. */
function leadingFields(bytes: Buffer): Buffer[] {
  for (let padding = 0; padding < 8; padding += 1) {
    const end = bytes.length - padding;
    const found = end >= 0 && bytes.subarray(end).every((byte, at) => byte === at + 1);
    const all = found ? fieldsOf(bytes.subarray(0, end)) : undefined;
    if (all !== undefined) return all;
  }
  return [];
}

function jwkOf([name, ...values]: readonly Buffer[]): JsonWebKey | undefined {
  const [first, second, third] = values;
  if (first === undefined || second === undefined) return undefined;
  if (name?.toString("latin1") === "ssh-ed25519")
    return second.length === 64
      ? { kty: "OKP", crv: "Ed25519", x: url(first), d: url(second.subarray(0, 32)) }
      : undefined;
  const point = jwkOfPoint(first.toString("latin1"), second);
  if (point === undefined || third === undefined) return undefined;
  const scalar = mpint(third);
  const d = Buffer.concat([Buffer.alloc(33), scalar]).subarray(-32);
  return { ...point, d: url(d) };
}

function publicFields(key: KeyObject): (Buffer | string)[] {
  const jwk = createPublicKey(key).export({ format: "jwk" });
  if (jwk.kty === "OKP") return ["ssh-ed25519", bytesOf(jwk.x)];
  return ["ecdsa-sha2-nistp256", "nistp256", Buffer.concat([Buffer.of(4), bytesOf(jwk.x), bytesOf(jwk.y)])];
}

function privateFields(key: KeyObject): (Buffer | string)[] {
  const { kty, x, d } = key.export({ format: "jwk" });
  const known = publicFields(key);
  return kty === "OKP" ? [...known, Buffer.concat([bytesOf(d), bytesOf(x)])] : [...known, mpint(bytesOf(d))];
}

const bytesOf = (text: string | undefined): Buffer => Buffer.from(text ?? "", "base64url");
const url = (bytes: Buffer): string => bytes.toString("base64url");
