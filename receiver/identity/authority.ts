/**
 * The site's own authority, and how trust moves to another one. Files in the folder `keys:`
 *  - `authority.pem`: the current one, certificate and private key in one file, so that they always belong together;
 *  - `authority-next.pem`: announced by every heartbeat, not in use yet;
 *  - `authority-retired-<time>.pem`: certificate alone, trusted for 90 days after the switch;
 *  - `public.json`: a public certificate is announced (agents trust the system's authorities too);
 *  - `ca.pem`: every trusted certificate, for `curl --cacert`.
 */
import type { TrustSet } from "@tributary/shared/protocol.ts";
import { type Credentials, fingerprint } from "./certificate.ts";
import { keyFiles, readKeyFile, renameKeyFile, writeKeyFile } from "./folder.ts";

const CURRENT = "authority.pem";
const NEXT = "authority-next.pem";
const PUBLIC = "public.json";
const RETIRED = /^authority-retired-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.pem$/;
const RETIRED_MS = 90 * 86_400_000;

/** What the folder holds of authorities. `retired` are certificates, PEM. */
export interface Authorities {
  readonly current: Credentials | undefined;
  readonly next: Credentials | undefined;
  readonly retired: readonly string[];
  /** A public certificate was announced. */
  readonly announced: boolean;
}

/** Reads them; those retired more than 90 days ago are no longer among them. */
export function readAuthorities(folder: string, now: number): Authorities {
  const retired: string[] = [];
  for (const name of keyFiles(folder)) {
    const match = RETIRED.exec(name);
    if (!match) continue;
    const [, y, m, d, h, min, s] = match.map(Number);
    const since = Date.UTC(y as number, (m as number) - 1, d, h, min, s);
    const text = now - since <= RETIRED_MS ? readKeyFile(folder, name) : undefined;
    if (text !== undefined) retired.push(text);
  }
  return {
    current: readCredentials(folder, CURRENT),
    next: readCredentials(folder, NEXT),
    retired,
    announced: readKeyFile(folder, PUBLIC) !== undefined,
  };
}

/** Certificates that agents shall trust, the current one first. */
function trustedCertificates(authorities: Authorities): string[] {
  const all = [authorities.current?.cert, authorities.next?.cert, ...authorities.retired];
  return [...new Set(all.filter((cert) => cert !== undefined))];
}

/** What heartbeats deliver. `publicCertificate`: one is configured, so the system's authorities are needed. */
export function trustOf(authorities: Authorities, publicCertificate: boolean): TrustSet {
  return {
    authorities: trustedCertificates(authorities),
    system: publicCertificate || authorities.announced,
  };
}

/** The first authority of a site. */
export function writeCurrent(folder: string, authority: Credentials): void {
  writeKeyFile(folder, CURRENT, authority.key + authority.cert);
}

/** Announces the authority that comes next. */
export function writeNext(folder: string, authority: Credentials): void {
  writeKeyFile(folder, NEXT, authority.key + authority.cert);
}

/** Announces a public certificate, before it is configured. */
export function writeAnnounced(folder: string, now: number): void {
  writeKeyFile(folder, PUBLIC, `${JSON.stringify({ announcedAt: new Date(now).toISOString() })}\n`);
}

/**
 * Makes the next one current; the old one's private key is gone for good with the rename. A crash before the rename
 * leaves the current one named twice, which harms nothing.
 */
export function promoteNext(folder: string, authorities: Authorities, now: number): void {
  if (authorities.current) {
    const time = `${new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
    writeKeyFile(folder, `authority-retired-${time}.pem`, authorities.current.cert);
  }
  renameKeyFile(folder, NEXT, CURRENT);
}

/** Keeps `ca.pem` equal to what is trusted. */
export function writeTrusted(folder: string, authorities: Authorities): void {
  const text = trustedCertificates(authorities).join("");
  if (text !== "" && readKeyFile(folder, "ca.pem") !== text) writeKeyFile(folder, "ca.pem", text);
}

/** Fingerprints of all that the folder holds: what the ledger must know. */
export function authorityFingerprints(authorities: Authorities): string[] {
  return trustedCertificates(authorities).map(fingerprint);
}

function readCredentials(folder: string, name: string): Credentials | undefined {
  const text = readKeyFile(folder, name);
  if (text === undefined) return undefined;
  const at = text.indexOf("-----BEGIN CERTIFICATE-----");
  return { key: text.slice(0, at), cert: text.slice(at) };
}
