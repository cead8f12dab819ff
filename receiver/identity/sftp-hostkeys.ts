/**
 * What proves the receiver to SFTP clients: `sftp-ed25519` and `sftp-ecdsa` in the folder `keys:`, private keys in
 * OpenSSH's form without a passphrase. Clients remember them for ever, so an operator may bring an old server's.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { readKeyFile, writeKeyFile } from "./folder.ts";
import {
  type HostAlgorithm,
  makePrivateKey,
  parsePrivateKey,
  type SshPrivateKey,
} from "./ssh-private-key.ts";

/** Preferred first. */
export const SFTP_HOST_KEYS: readonly { readonly file: string; readonly algorithm: HostAlgorithm }[] = [
  { file: "sftp-ed25519", algorithm: "ssh-ed25519" },
  { file: "sftp-ecdsa", algorithm: "ecdsa-sha2-nistp256" },
];

/** Those that are there. Throws `config-invalid` when a file cannot be used as one. */
export function readSftpHostKeys(folder: string): SshPrivateKey[] {
  return SFTP_HOST_KEYS.flatMap(({ file, algorithm }) => {
    const text = readKeyFile(folder, file);
    if (text === undefined) return [];
    const key = parsePrivateKey(algorithm, text);
    if (typeof key === "string")
      throw new ProblemError("config-invalid", `${file} in ${folder} is no SFTP host key: ${key}`);
    return [key];
  });
}

/** New ones, not written yet: when they replace others, the ledger must know them first. */
export function makeSftpHostKeys(): SshPrivateKey[] {
  return SFTP_HOST_KEYS.map(({ algorithm }) => makePrivateKey(algorithm, "tributary"));
}

export function writeSftpHostKey(folder: string, key: SshPrivateKey): void {
  const named = SFTP_HOST_KEYS.find(({ algorithm }) => algorithm === key.algorithm);
  if (named !== undefined) writeKeyFile(folder, named.file, key.text);
}
