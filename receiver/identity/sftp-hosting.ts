/**
 * The SFTP host keys of a site are made when its SFTP door is first needed, not with the folder: receivers without the
 * door never need them. From then on the ledger knows them, and a receiver with others, or without them, has no door.
 */
import { type Writer, writing } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import {
  type Fingerprints,
  knownFingerprints,
  recordFingerprints,
  refuseMissing,
  refuseOthers,
} from "./fingerprints.ts";
import { makeSftpHostKeys, SFTP_HOST_KEYS, writeSftpHostKey } from "./sftp-hostkeys.ts";
import { fingerprintsOf, readSite } from "./site.ts";
import type { SshPrivateKey } from "./ssh-private-key.ts";

/** Preferred first; made, where the site has none yet. Throws `keys-refused` when it has, and this folder does not. */
export async function requireSftpHostKeys(
  db: Database,
  folder: string,
  now: number,
): Promise<readonly SshPrivateKey[]> {
  return await writing(db, async (trx) => {
    const known = await ownFingerprints(trx, folder, now);
    const there = readSite(folder, now).sftpHostKeys;
    if (there.length < SFTP_HOST_KEYS.length) {
      if (known["sftp-host"].length > 0) refuseMissing(folder, "sftp-host");
      for (const key of makeSftpHostKeys())
        if (!there.some(({ algorithm }) => algorithm === key.algorithm)) writeSftpHostKey(folder, key);
    }
    const keys = readSite(folder, now).sftpHostKeys;
    await recordFingerprints(
      trx,
      "sftp-host",
      keys.map((key) => key.fingerprint),
    );
    return keys;
  });
}

/** Makes others, deliberately: every client is warned until it has learned them. Receivers take them up at their next start. */
export async function replaceSftpHostKeys(
  db: Database,
  folder: string,
  now: number,
): Promise<readonly SshPrivateKey[]> {
  const keys = makeSftpHostKeys();
  const fingerprints = keys.map((key) => key.fingerprint);
  await writing(db, async (trx) => {
    await ownFingerprints(trx, folder, now);
    await recordFingerprints(trx, "sftp-host", fingerprints);
  });
  for (const key of keys) writeSftpHostKey(folder, key);
  await writing(db, (trx) =>
    trx
      .deleteFrom("site_keys")
      .where("kind", "=", "sftp-host")
      .where("fingerprint", "not in", fingerprints)
      .execute(),
  );
  return keys;
}

/** What the ledger knows, if this folder is the site's. The site's row is the lock, so that two do not make two. */
async function ownFingerprints(trx: Writer, folder: string, now: number): Promise<Fingerprints> {
  await trx
    .updateTable("site")
    .set((eb) => ({ epoch: eb.ref("epoch") }))
    .where("id", "=", 1)
    .execute();
  const known = await knownFingerprints(trx);
  refuseOthers(folder, fingerprintsOf(readSite(folder, now)), known);
  return known;
}
