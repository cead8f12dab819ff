/**
 * The keys of a running receiver: who it is, what proves it, what signs its receipts. It looks at its files every two
 * seconds, so rotated keys and renewed certificates are in use within five, without a restart.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Jwks, TrustSet } from "@tributary/shared/protocol.ts";
import { signReceipt } from "@tributary/shared/receipt.ts";
import type { SignReceipt } from "../ledger/ledger.ts";
import type { Database } from "../ledger/schema.ts";
import { trustOf, writeTrusted } from "./authority.ts";
import { type Credentials, issueServerCertificate, validUntil } from "./certificate.ts";
import { knownFingerprints, refuseOthers } from "./fingerprints.ts";
import { fileMarks, keyFiles } from "./folder.ts";
import { publish, signingKey } from "./receiptkeys.ts";
import { openSecret } from "./secretskey.ts";
import { requireSftpHostKeys } from "./sftp-hosting.ts";
import { codeTrustOf, fingerprintsOf, prepareSite, readSite, type SiteFiles } from "./site.ts";
import type { SshPrivateKey } from "./ssh-private-key.ts";

const RENEW_BEFORE_MS = 30 * 86_400_000;

export interface KeysSettings {
  readonly db: Database;
  readonly folder: string;
  /** A public certificate of the configuration, PEM files; otherwise the site's own authority issues one. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Names and addresses that the own server certificate is good for; see `hostsOf`. */
  readonly hosts: readonly string[];
  readonly now?: () => number;
  readonly pollMs?: number;
  /** Hears what went wrong with files while it runs; the last good keys stay in use. */
  readonly onProblem?: (message: string) => void;
}

/** What others need of the site's keys. */
export interface SiteKeys {
  /** The site's UUID: `aud` of tokens, `iss` of receipts. */
  readonly site: string;
  readonly signReceipt: SignReceipt;
  /** A secret of the ledger that was closed for this owner; undefined when this folder has not the key for it. */
  openSecret(closed: string, owner: string): string | undefined;
  /** What proves this receiver at the SFTP door, preferred first. Made when the site first asks. Throws `keys-refused`. */
  sftpHostKeys(): Promise<readonly SshPrivateKey[]>;
  jwks(): Jwks;
  trust(): TrustSet;
  /** How an enrolment code tells its agent to trust this receiver. */
  codeTrust(): string;
  /** Chain and key for a TLS listener, now. The own one is issued when it is first asked for. */
  certificate(): Promise<Credentials>;
  /** Hands every later certificate to a listener: `keys.onCertificate((c) => server.setSecureContext(c))`. The answer stops it. */
  onCertificate(listener: (credentials: Credentials) => void): () => void;
  /** Looks at the files now instead of within two seconds. */
  refresh(): Promise<void>;
  close(): void;
}

/** Opens the folder; at a site's first start, makes it. Throws `keys-refused`, or `config-invalid` for `tls:`. */
export async function openKeys(settings: KeysSettings): Promise<SiteKeys> {
  const { db, folder, tls, hosts, now = Date.now, pollMs = 2000, onProblem = () => {} } = settings;
  const listeners = new Set<(credentials: Credentials) => void>();
  let files = await prepareSite(db, folder, tls === undefined, now());
  // A configured one is checked at once; the own one is for who listens, and most commands do not.
  let made = tls && makeCredentials(files);
  await made;
  let marks = look();
  let lastProblem = "";
  let looking = false;

  function look(): string {
    const names = keyFiles(folder).filter((name) => name !== "ca.pem");
    return fileMarks([...names.map((name) => join(folder, name)), ...(tls ? [tls.cert, tls.key] : [])]);
  }

  async function makeCredentials(from: SiteFiles): Promise<Credentials> {
    if (tls) return readConfigured(tls);
    if (!from.authorities.current)
      throw new ProblemError("keys-refused", `${folder} holds no authority.pem any more`);
    return await issueServerCertificate(from.authorities.current, hosts, now());
  }

  async function refresh(): Promise<void> {
    const seen = look();
    if (seen === marks && !ends(await made)) return;
    const found = readSite(folder, now());
    refuseOthers(folder, fingerprintsOf(found), await knownFingerprints(db));
    if (found.receiptKeys.length === 0)
      throw new ProblemError("keys-refused", `${folder} holds no receipt key any more`);
    if (files.secretsKey !== undefined && found.secretsKey === undefined)
      throw new ProblemError("keys-refused", `${folder} holds no secrets.key any more`);
    const moved = found.authorities.current?.cert !== files.authorities.current?.cert;
    // Without a certificate nothing is waited for from here on: one that is asked for now is of the files found.
    const before = made && (await made);
    const renewed = before && (moved || tls || ends(before)) ? await makeCredentials(found) : before;
    writeTrusted(folder, found.authorities);
    files = found;
    marks = seen;
    if (renewed === undefined || (renewed.cert === before?.cert && renewed.key === before.key)) return;
    made = Promise.resolve(renewed);
    for (const listener of listeners) listener(renewed);
  }

  function ends(credentials: Credentials | undefined): boolean {
    if (credentials === undefined || tls !== undefined) return false;
    return validUntil(credentials.cert) - now() < RENEW_BEFORE_MS;
  }

  async function poll(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      await refresh();
      lastProblem = "";
    } catch (error) {
      // A rotation is between its two steps for a moment: said only when it is still so at the next look.
      const message = error instanceof Error ? error.message : String(error);
      if (message === lastProblem) onProblem(message);
      lastProblem = message === lastProblem ? `${message} (said)` : message;
    } finally {
      looking = false;
    }
  }
  const timer = setInterval(() => void poll(), pollMs);
  timer.unref();

  return {
    site: files.site,
    signReceipt(claims) {
      const key = signingKey(files.receiptKeys, now());
      return signReceipt({ iss: files.site, ...claims }, key.privateKey, key.kid);
    },
    openSecret: (closed, owner) =>
      files.secretsKey === undefined ? undefined : openSecret(files.secretsKey, closed, owner),
    sftpHostKeys: () => requireSftpHostKeys(db, folder, now()),
    jwks: () => publish(files.receiptKeys),
    trust: () => trustOf(files.authorities, tls !== undefined),
    codeTrust: () => codeTrustOf(files, tls !== undefined),
    certificate() {
      made ??= makeCredentials(files);
      return made;
    },
    onCertificate(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    refresh,
    close: () => clearInterval(timer),
  };
}

/** Names that the own certificate is good for: this host's, and those by which it is reached. */
export function hostsOf(reached: readonly (string | undefined)[], hostname: string): string[] {
  const named = reached.filter((host) => host !== undefined && !["", "0.0.0.0", "::"].includes(host));
  const all = ["localhost", "127.0.0.1", "::1", ...named, hostname] as string[];
  return [...new Set(all.map((host) => host.replace(/^\[(.*)\]$/, "$1").toLowerCase()))].filter(Boolean);
}

function readConfigured(tls: { readonly cert: string; readonly key: string }): Credentials {
  try {
    const credentials = { cert: readFileSync(tls.cert, "utf8"), key: readFileSync(tls.key, "utf8") };
    // Node takes an empty file for "none given" and would then serve nobody.
    if (!new X509Certificate(credentials.cert).checkPrivateKey(createPrivateKey(credentials.key)))
      throw new Error("the key is not this certificate's");
    createSecureContext(credentials);
    return credentials;
  } catch (cause) {
    throw new ProblemError(
      "config-invalid",
      `tls: the certificate ${tls.cert} and the key ${tls.key} cannot be used: ${(cause as Error).message}`,
      { cause },
    );
  }
}
