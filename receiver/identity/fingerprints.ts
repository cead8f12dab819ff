/**
 * The ledger remembers which keys its site has, so that a receiver with other keys, whose receipts and certificates
 * nobody could verify, refuses to start. The first start records them; rotation records a new key before it is written.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { named, type Writer } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";

/** `site`: its UUID. `authority`: SHA-256 of the certificate. `receipt`: the key's thumbprint. `secrets`: SHA-256 of the key. `sftp-host`: as ssh-keygen has it. */
const KINDS = ["site", "authority", "receipt", "secrets", "sftp-host"] as const;
export type KeyKind = (typeof KINDS)[number];
export type Fingerprints = Readonly<Record<KeyKind, readonly string[]>>;

/** What the ledger knows. */
export async function knownFingerprints(db: Database | Writer): Promise<Fingerprints> {
  const rows = await named(() => db.selectFrom("site_keys").selectAll().execute());
  const of = (kind: KeyKind): string[] =>
    rows.filter((row) => row.kind === kind).map((row) => row.fingerprint);
  return {
    ...{ site: of("site"), authority: of("authority"), receipt: of("receipt"), secrets: of("secrets") },
    "sftp-host": of("sftp-host"),
  };
}

/** Adds what the ledger does not know yet. */
export async function recordFingerprints(trx: Writer, kind: KeyKind, fingerprints: readonly string[]) {
  if (fingerprints.length === 0) return;
  await trx
    .insertInto("site_keys")
    .values(fingerprints.map((fingerprint) => ({ kind, fingerprint })))
    .onConflict((oc) => oc.doNothing())
    .execute();
}

/** Throws `keys-refused` when the folder holds a key that the ledger does not know. */
export function refuseOthers(folder: string, held: Fingerprints, known: Fingerprints): void {
  for (const kind of KINDS) {
    // An operator may bring these before the SFTP door is needed for the first time.
    if (kind === "sftp-host" && known[kind].length === 0) continue;
    const other = held[kind].find((fingerprint) => !known[kind].includes(fingerprint));
    if (other !== undefined)
      throw new ProblemError(
        "keys-refused",
        `the keys in ${folder} are not those of this ledger's site: its ${kind} key ${other} is unknown to the ledger. ` +
          "Copy the folder from another receiver of the site, or from a backup; nothing was changed",
      );
  }
}

/** Throws `keys-refused`: the ledger knows keys of this kind, but the folder holds none. A new one would be another site's. */
export function refuseMissing(folder: string, kind: KeyKind): never {
  throw new ProblemError(
    "keys-refused",
    `${folder} lacks this site's ${kind} key, which the ledger knows. ` +
      "Copy the folder from another receiver of the site, or from a backup; no new key was made",
  );
}
