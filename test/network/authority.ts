import { createHash, randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const CURVE = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

/** Certificate and private key as PEM; `cert` is the chain, leaf first. */
export interface TestCredentials {
  readonly cert: string;
  readonly key: string;
}

/** A made-up authority for tests of trust: right ones, wrong ones, expired ones, intercepting ones. */
export interface TestAuthority {
  readonly cert: string;
  /** SHA-256 of the DER, as enrolment codes pin it. */
  readonly pin: string;
  issue(
    hosts: readonly string[],
    days?: { readonly from?: number; readonly to?: number },
  ): Promise<TestCredentials>;
}

export async function makeTestAuthority(name: string): Promise<TestAuthority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(8).toString("hex"),
    name: [{ CN: [name] }],
    notBefore: new Date(Date.now() - 2 * DAY_MS),
    notAfter: new Date(Date.now() + 10 * DAY_MS),
    signingAlgorithm: CURVE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const cert = `${certificate.toString("pem")}\n`;
  return {
    cert,
    pin: createHash("sha256").update(Buffer.from(certificate.rawData)).digest("hex"),
    issue: async (hosts, { from = -2, to = 2 } = {}) => {
      const leafKeys = await newKeys();
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: randomBytes(8).toString("hex"),
        subject: [{ CN: ["receiver"] }],
        issuer: certificate.subjectName,
        notBefore: new Date(Date.now() + from * DAY_MS),
        notAfter: new Date(Date.now() + to * DAY_MS),
        signingAlgorithm: CURVE,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension(
            hosts.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value })),
          ),
        ],
      });
      const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", leafKeys.privateKey));
      const key = `-----BEGIN PRIVATE KEY-----\n${der.toString("base64")}\n-----END PRIVATE KEY-----\n`;
      return { cert: `${leaf.toString("pem")}\n${cert}`, key };
    },
  };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
}
