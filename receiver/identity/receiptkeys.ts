/**
 * The Ed25519 keys that sign receipts: `receipt-<created>-<kid>.pem` in the folder `keys:`. A receipt must verify for
 * ever, so none is ever removed and all are published.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Jwks } from "@tributary/shared/protocol.ts";
import { keyThumbprint } from "@tributary/shared/receipt.ts";
import { keyFiles, readKeyFile, writeKeyFile } from "./folder.ts";

const NAME = /^receipt-(\d{8}T\d{6}Z)-([A-Za-z0-9_-]{43})\.pem$/;
/** Heartbeats bring a new key to every agent before the first receipt bears it. */
export const PUBLISHED_AHEAD_MS = 10 * 60_000;

export interface ReceiptKey {
  readonly kid: string;
  /** ms since 1970. */
  readonly createdAt: number;
  readonly privateKey: KeyObject;
  /** The public key, as in its JWK. */
  readonly x: string;
}

/** A new key, not written yet: the ledger must know it first. */
export function makeReceiptKey(now: number): ReceiptKey {
  return describe(generateKeyPairSync("ed25519").privateKey, Math.floor(now / 1000) * 1000);
}

export function writeReceiptKey(folder: string, key: ReceiptKey): void {
  const created = new Date(key.createdAt).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const text = key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  writeKeyFile(folder, `receipt-${created}-${key.kid}.pem`, text);
}

/** All of them, newest first. Throws `config-invalid` when a file is not the key that its name says. */
export function readReceiptKeys(folder: string): ReceiptKey[] {
  const keys: ReceiptKey[] = [];
  for (const name of keyFiles(folder)) {
    const match = NAME.exec(name);
    if (!match) continue;
    const key = describe(privateKeyOf(folder, name), timeOf(match[1] as string));
    if (key.kid !== match[2])
      throw new ProblemError(
        "config-invalid",
        `${name} in ${folder} holds another key than its name says; copy the folder again from another receiver`,
      );
    keys.push(key);
  }
  return keys.sort((a, b) => b.createdAt - a.createdAt || (a.kid < b.kid ? 1 : -1));
}

/** The newest that every agent can know by now; of a site whose keys are all new, the oldest. */
export function signingKey(keys: readonly ReceiptKey[], now: number): ReceiptKey {
  const published = keys.find((key) => key.createdAt <= now - PUBLISHED_AHEAD_MS);
  return published ?? (keys.at(-1) as ReceiptKey);
}

/** RFC 7517 with RFC 8037 keys. */
export function publish(keys: readonly ReceiptKey[]): Jwks {
  return {
    keys: keys.map(({ x, kid }) => ({ kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" })),
  };
}

function describe(privateKey: KeyObject, createdAt: number): ReceiptKey {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" }) as { x: string };
  return { kid: keyThumbprint(x), createdAt, privateKey, x };
}

function privateKeyOf(folder: string, name: string): KeyObject {
  try {
    return createPrivateKey(readKeyFile(folder, name) ?? "");
  } catch (cause) {
    throw new ProblemError("config-invalid", `${name} in ${folder} is not a private key in PEM`, { cause });
  }
}

function timeOf(compact: string): number {
  return Date.parse(compact.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, "$1-$2-$3T$4:$5:$6Z"));
}
