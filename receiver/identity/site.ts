/** Reads the folder `keys:` as a whole; at the first start of a site it makes what is missing. */
import { randomUUID } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { uuid } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import { writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import {
  type Authorities,
  authorityFingerprints,
  readAuthorities,
  writeCurrent,
  writeTrusted,
} from "./authority.ts";
import { fingerprint, makeAuthority } from "./certificate.ts";
import {
  type Fingerprints,
  knownFingerprints,
  recordFingerprints,
  refuseMissing,
  refuseOthers,
} from "./fingerprints.ts";
import { openFolder, readKeyFile, writeKeyFile } from "./folder.ts";
import { makeReceiptKey, type ReceiptKey, readReceiptKeys, writeReceiptKey } from "./receiptkeys.ts";
import { readSecretsKey, secretsFingerprint, writeSecretsKey } from "./secretskey.ts";
import { readSftpHostKeys } from "./sftp-hostkeys.ts";
import type { SshPrivateKey } from "./ssh-private-key.ts";

const siteFile = z.object({ site: uuid });

/** What the folder holds at one moment. */
export interface SiteFiles {
  readonly site: string;
  readonly authorities: Authorities;
  /** Newest first, at least one. */
  readonly receiptKeys: readonly ReceiptKey[];
  /** Undefined on a site of before that has not needed it yet. */
  readonly secretsKey: Buffer | undefined;
  /** Preferred first; none until the SFTP door is needed. */
  readonly sftpHostKeys: readonly SshPrivateKey[];
}

/**
 * Makes what a first start needs, inside one transaction of the ledger, so that two processes that start together do
 * not make two sites. Throws `keys-refused` when folder and ledger do not belong together.
 */
export async function prepareSite(
  db: Database,
  folder: string,
  needsAuthority: boolean,
  now: number,
): Promise<SiteFiles> {
  openFolder(folder);
  return await writing(db, async (trx) => {
    // PostgreSQL: the site's row is the lock; SQLite's transaction is one already.
    await trx
      .updateTable("site")
      .set((eb) => ({ epoch: eb.ref("epoch") }))
      .where("id", "=", 1)
      .execute();
    const known = await knownFingerprints(trx);
    if (readKeyFile(folder, "site.json") === undefined) {
      if (known.site.length > 0) refuseMissing(folder, "site");
      writeKeyFile(folder, "site.json", `${JSON.stringify({ site: randomUUID() })}\n`);
    }
    const before = readSite(folder, now);
    if (known.site.length > 0) refuseOthers(folder, fingerprintsOf(before), withNewKinds(known, before));
    if (before.receiptKeys.length === 0) {
      if (known.receipt.length > 0) refuseMissing(folder, "receipt");
      writeReceiptKey(folder, makeReceiptKey(now));
    }
    if (before.secretsKey === undefined) {
      if (known.secrets.length > 0) refuseMissing(folder, "secrets");
      // With the first copy of the folder; a site of before gets it from `requireSecretsKey`.
      if (known.site.length === 0) writeSecretsKey(folder);
    }
    if (needsAuthority && before.authorities.current === undefined) {
      if (known.authority.length > 0) refuseMissing(folder, "authority");
      writeCurrent(folder, await makeAuthority(authorityName(before.site, now), now));
    }
    const files = readSite(folder, now);
    const held = fingerprintsOf(files);
    await recordFingerprints(trx, "site", held.site);
    await recordFingerprints(trx, "authority", held.authority);
    await recordFingerprints(trx, "receipt", held.receipt);
    await recordFingerprints(trx, "secrets", held.secrets);
    writeTrusted(folder, files.authorities);
    return files;
  });
}

/** How an enrolment code tells its agent to trust this site: by its own authority's fingerprint, or as the system does. */
export function codeTrustOf(files: SiteFiles, publicCertificate: boolean): string {
  const { current } = files.authorities;
  return publicCertificate || !current ? "system" : fingerprint(current.cert);
}

/** Reads everything; nothing is made. */
export function readSite(folder: string, now: number): SiteFiles {
  const text = readKeyFile(folder, "site.json");
  return {
    site: parseSite(folder, text),
    authorities: readAuthorities(folder, now),
    receiptKeys: readReceiptKeys(folder),
    secretsKey: readSecretsKey(folder),
    sftpHostKeys: readSftpHostKeys(folder),
  };
}

/** Names differ by day, so that people can tell an old authority from a new one. */
export function authorityName(site: string, now: number): string {
  return `Tributary authority ${site.slice(0, 8)} ${new Date(now).toISOString().slice(0, 10)}`;
}

export function fingerprintsOf(files: SiteFiles): Fingerprints {
  return {
    site: [files.site],
    authority: authorityFingerprints(files.authorities),
    receipt: files.receiptKeys.map((key) => key.kid),
    secrets: files.secretsKey === undefined ? [] : [secretsFingerprint(files.secretsKey)],
    "sftp-host": files.sftpHostKeys.map((key) => key.fingerprint),
  };
}

/** A site that began with a public certificate may get its first authority later, one of before its key for secrets. */
function withNewKinds(known: Fingerprints, files: SiteFiles): Fingerprints {
  const held = fingerprintsOf(files);
  return {
    ...known,
    authority: known.authority.length > 0 ? known.authority : held.authority,
    secrets: known.secrets.length > 0 ? known.secrets : held.secrets,
  };
}

function parseSite(folder: string, text: string | undefined): string {
  try {
    return siteFile.parse(JSON.parse(text ?? "")).site;
  } catch (cause) {
    throw new ProblemError(
      "keys-refused",
      `site.json in ${folder} is missing or damaged; copy the folder from another receiver of the site, or from a backup`,
      { cause },
    );
  }
}
