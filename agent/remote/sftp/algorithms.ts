/**
 * What may be agreed on with a server. Nothing has SHA-1 in it unless `legacy` is set: OpenSSH since 6.5 (2014), and what
 * is as old, finds something in each list.
 */
import type { Algorithms } from "ssh2";

/** Of host keys. A server has one of each at most, and shows one at a time. */
export const FAMILIES = {
  ed25519: ["ssh-ed25519"],
  ecdsa: ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"],
  rsa: ["rsa-sha2-512", "rsa-sha2-256"],
} as const;
export type Family = keyof typeof FAMILIES;

const KEX = [
  "curve25519-sha256",
  "curve25519-sha256@libssh.org",
  "ecdh-sha2-nistp256",
  "ecdh-sha2-nistp384",
  "ecdh-sha2-nistp521",
  "diffie-hellman-group-exchange-sha256",
  "diffie-hellman-group14-sha256",
  "diffie-hellman-group16-sha512",
  "diffie-hellman-group18-sha512",
] as const;
// AES in hardware is everywhere; ChaCha20 without the native crypto takes many times its time.
const CIPHERS = [
  "aes128-gcm@openssh.com",
  "aes256-gcm@openssh.com",
  "aes128-ctr",
  "aes192-ctr",
  "aes256-ctr",
  "chacha20-poly1305@openssh.com",
] as const;
const MACS = [
  "hmac-sha2-256-etm@openssh.com",
  "hmac-sha2-512-etm@openssh.com",
  "hmac-sha2-256",
  "hmac-sha2-512",
] as const;

/** `families`: of which host keys are asked for, in this order. */
export function algorithms(families: readonly Family[], legacy: boolean): Required<Algorithms> {
  const hostKeys = families.flatMap((family) => [...FAMILIES[family]]);
  const old = legacy && families.includes("rsa");
  return {
    kex: [...KEX, ...(legacy ? (["diffie-hellman-group14-sha1"] as const) : [])],
    serverHostKey: [...hostKeys, ...(old ? (["ssh-rsa"] as const) : [])],
    cipher: [...CIPHERS, ...(legacy ? (["aes256-cbc", "aes128-cbc"] as const) : [])],
    hmac: [...MACS, ...(legacy ? (["hmac-sha1"] as const) : [])],
    compress: ["none"],
  };
}
