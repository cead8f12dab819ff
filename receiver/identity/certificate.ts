/**
 * The receiver's own X.509 certificates (RFC 5280): an authority of ten years, and server certificates of 397 days
 * that it issues (browsers refuse longer ones). All begin 48 h in the past, for hosts whose clock is slow.
 */
import { createHash, createPrivateKey, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

const DAY_MS = 86_400_000;
const BACKDATED_MS = 2 * DAY_MS;
const AUTHORITY_MS = 3652 * DAY_MS;
const SERVER_MS = 397 * DAY_MS;
const CURVE = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate and its private key, both PEM. `cert` of a server holds its whole chain. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** A new authority, self-signed. */
export async function makeAuthority(commonName: string, now: number): Promise<Credentials> {
  const x509 = await library();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + AUTHORITY_MS),
    signingAlgorithm: CURVE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pemOf(certificate.rawData), key: await privatePem(keys) };
}

/** A server certificate for these host names and addresses, with the authority's own behind it: codes pin that one. */
export async function issueServerCertificate(
  authority: Credentials,
  hosts: readonly string[],
  now: number,
): Promise<Credentials> {
  const x509 = await library();
  const keys = await newKeys();
  const issuer = new x509.X509Certificate(authority.cert);
  const signingKey = createPrivateKey(authority.key).toCryptoKey(CURVE, false, ["sign"]);
  const notAfter = Math.min(now - BACKDATED_MS + SERVER_MS, issuer.notAfter.getTime());
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: ["Tributary receiver"] }],
    issuer: issuer.subjectName,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(notAfter),
    signingAlgorithm: CURVE,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isIP(value) ? "ip" : "dns", value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: pemOf(certificate.rawData) + authority.cert, key: await privatePem(keys) };
}

/** SHA-256 (hex) of the DER of the first certificate in the PEM text: what codes pin and the ledger remembers. */
export function fingerprint(pem: string): string {
  return createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
}

/** When one of our own certificates was made, ms since 1970 (to the second). */
export function madeAt(pem: string): number {
  return new X509Certificate(pem).validFromDate.getTime() + BACKDATED_MS;
}

/** Until when the first certificate in the PEM text is valid, ms since 1970. */
export function validUntil(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime();
}

/** Loaded when a certificate is made only: it is large, and most commands make none. It needs the polyfill before it. */
async function library(): Promise<typeof import("@peculiar/x509")> {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(CURVE, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
}

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  return pem("PRIVATE KEY", Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)));
}

const pemOf = (der: ArrayBuffer): string => pem("CERTIFICATE", Buffer.from(der));

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Positive and at most 20 octets (RFC 5280, 4.1.2.2). */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString("hex");
}
