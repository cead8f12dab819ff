/** A receipt that somebody has: whether we made it, whether it is as we made it, and what it says. */
import type { Jwks } from "@tributary/shared/protocol.ts";
import { type ReceiptClaims, receiptClaims, verifyReceipt } from "@tributary/shared/receipt.ts";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { type FoundEntry, findByVersionId } from "./digests.ts";

/** Who we are, and the public keys of all receipts that we ever made. */
export interface Signer {
  readonly site: string;
  readonly jwks: Jwks;
}

/**
 * What a text that looks like a receipt is.
 *  - `malformed`: no receipt, or not all of one;
 *  - `foreign`: another receiver's: we know nothing of it, and its signature was not checked;
 *  - `altered`: it names one of our keys, but we did not sign this: what it says counts for nothing;
 *  - `genuine`: we signed it. `stored`: `same` it is word for word what the ledger has; `other`: the ledger has another
 *    receipt for this capture; `none`: the ledger knows nothing of it, as after it was lost and came back from an older
 *    backup: the lake may still hold the bytes.
 * `says`: its claims where they can be read; `entry`: the ledger's entry that it speaks of.
 */
export type CheckedReceipt =
  | { readonly kind: "malformed" }
  | { readonly kind: "foreign"; readonly says: ReceiptClaims }
  | { readonly kind: "altered"; readonly says: ReceiptClaims | undefined }
  | {
      readonly kind: "genuine";
      readonly stored: "same" | "other" | "none";
      readonly says: ReceiptClaims;
      readonly entry: FoundEntry | undefined;
    };

const JWS = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

/** Mail wraps long lines. */
const unwrapped = (text: string): string => text.replaceAll(/\s+/g, "");

/** Whether somebody means it to be one. */
export function looksLikeReceipt(text: string): boolean {
  return JWS.test(unwrapped(text));
}

export async function checkReceipt(
  db: Database,
  text: string,
  { site, jwks }: Signer,
): Promise<CheckedReceipt> {
  const receipt = unwrapped(text);
  const [header = "", payload = ""] = receipt.split(".");
  const head = json(header);
  const says = receiptClaims.safeParse(json(payload)).data;
  if (!JWS.test(receipt) || typeof head !== "object" || head === null || !("kid" in head))
    return { kind: "malformed" };
  if (!jwks.keys.some(({ kid }) => kid === head.kid))
    return says === undefined ? { kind: "malformed" } : { kind: "foreign", says };
  if (!isSigned(receipt, jwks) || says === undefined) return { kind: "altered", says };
  if (says.iss !== site) return { kind: "foreign", says };
  const [stored, entry] = await Promise.all([storedReceipts(db, says), findByVersionId(db, says.versionId)]);
  return {
    kind: "genuine",
    stored: stored.includes(receipt) ? "same" : stored.length > 0 ? "other" : "none",
    says,
    entry,
  };
}

function isSigned(receipt: string, jwks: Jwks): boolean {
  try {
    verifyReceipt(receipt, jwks);
    return true;
  } catch {
    return false;
  }
}

function json(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Of the capture: as it became an entry, or as it was found to be nothing new. */
async function storedReceipts(
  db: Database,
  { client, captureId, versionId }: ReceiptClaims,
): Promise<readonly string[]> {
  const [captured, unchanged, version] = await named(() =>
    Promise.all([
      db
        .selectFrom("entries")
        .select("receipt")
        .where("client", "=", client)
        .where("capture_id", "=", captureId)
        .execute(),
      db
        .selectFrom("unchanged_captures")
        .select("receipt")
        .where("client", "=", client)
        .where("capture_id", "=", captureId)
        .execute(),
      db.selectFrom("entries").select("receipt").where("version_id", "=", versionId).execute(),
    ]),
  );
  return [...captured, ...unchanged, ...version].map(({ receipt }) => receipt);
}
