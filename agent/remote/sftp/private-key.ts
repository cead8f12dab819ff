/** The private key that a user proves himself by, as whatever program made it wrote it down. */
import type { ParsedKey } from "ssh2";
import type { Ssh2 } from "./library.ts";

/** Where its parts are, in the words of agent.yaml. */
interface Names {
  readonly key: string;
  readonly passphrase: string | undefined;
}

/** Throws what is wrong, in words; nothing of the key is in them. */
export function openedKey(ssh2: Ssh2, text: string, passphrase: string | undefined, names: Names): ParsedKey {
  const parsed: unknown = ssh2.utils.parseKey(text, passphrase);
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey | Error;
  if (!(key instanceof Error)) {
    if (key.isPrivateKey()) return key;
    throw new Error(`${names.key} is a public key: the private one belongs there`);
  }
  const encrypted = /encrypted/i.test(key.message) || isEncrypted(text);
  if (encrypted && names.passphrase === undefined)
    throw new Error(`the private key in ${names.key} is encrypted: name its passphrase as \`passphrase\``);
  if (encrypted)
    throw new Error(`${names.passphrase} is not the passphrase of the private key in ${names.key}`);
  throw new Error(
    `${names.key} holds no private key that can be read: expected what ssh-keygen or PuTTYgen writes (${key.message})`,
  );
}

/** OpenSSH's own format says it inside: the name of the cipher stands behind the magic word. */
function isEncrypted(text: string): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)/.exec(text)?.[1];
  if (body === undefined) return /^(Proc-Type: 4,ENCRYPTED|Encryption: (?!none))/m.test(text);
  const bytes = Buffer.from(body, "base64");
  const at = "openssh-key-v1\0".length;
  return bytes.length > at + 8 && bytes.toString("latin1", at + 4, at + 8) !== "none";
}

const SHA1 =
  "the server takes signatures of RSA keys only with SHA-1, which is not safe: use an Ed25519 key, or set `legacy: true` if its administrator agrees";

/** ssh2 signs with SHA-1 where a server does not say what else it takes. */
export function withoutSha1(key: ParsedKey, refused: (why: string) => void): ParsedKey {
  const sign = key.sign.bind(key);
  key.sign = (data, algorithm) => {
    if (key.type !== "ssh-rsa" || /^sha(256|512)$/.test(String(algorithm))) return sign(data, algorithm);
    refused(SHA1);
    // What the library does itself; its types do not say so.
    return new Error(SHA1) as never;
  };
  return key;
}
