/** Keys for those who log in by SSH. */
import ssh2 from "ssh2";

/** Bytes of RFC 8709's blob: two lengths, the algorithm's name, the point. */
const BLOB = 4 + "ssh-ed25519".length + 4 + 32;

/** One line of a public key, and a private key as ssh2 reads it. */
export function newSshKey(): { readonly public: string; readonly private: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    // ssh2 drops the first byte of a point when it is zero: one key in 256 is none.
    if (Buffer.from(pair.public.split(" ")[1] ?? "", "base64").length === BLOB) return pair;
  }
}
