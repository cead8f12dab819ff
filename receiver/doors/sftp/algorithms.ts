/**
 * What may be agreed on with a client, all of it said here: ssh2's own lists have SHA-1 in them, and what it
 * cannot do. OpenSSH 7.4, PuTTY's kin, JSch and paramiko of the same years find something in each list.
 */
import type { Algorithms } from "ssh2";

export const ALGORITHMS = {
  // No group exchange: a client that prefers it would fail, ssh2 has no server side of it.
  kex: [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
  ],
  // ssh2 would offer ssh-rsa, which is SHA-1, for an RSA key whatever stands here: we have none.
  serverHostKey: ["ssh-ed25519", "ecdsa-sha2-nistp256"],
  // No chacha20-poly1305, though OpenSSH prefers it: AES takes about the same time, half of it where the native crypto is
  // missing, and every client that has the one has the other. The client's order decides, see offer.ts.
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"],
  hmac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"],
  compress: ["none"],
} satisfies Required<Algorithms>;
