/** Whether a receipt is the promise that this very parcel is durable. Until it is, nothing may be forgotten. */
import { encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Jwks } from "@tributary/shared/protocol.ts";
import { type ReceiptClaims, verifyReceipt } from "@tributary/shared/receipt.ts";
import type { Parcel } from "../queue/queue.ts";

/** The claims of the receipt, verified and for this parcel; throws `receipt-invalid`, naming the claim that differs. */
export function checkReceipt(receipt: string, parcel: Parcel, site: string, keys: Jwks): ReceiptClaims {
  const claims = verifyReceipt(receipt, keys);
  const expected = {
    iss: site,
    client: parcel.client,
    source: parcel.source,
    pathEncoded: encodePath(parcel.path),
    captureId: parcel.captureId,
    size: parcel.kind === "version" ? parcel.state.size : null,
    sha256: parcel.kind === "version" ? parcel.sha256 : null,
  } as const;
  for (const [name, value] of Object.entries(expected)) {
    const claimed = claims[name as keyof typeof expected];
    if (claimed !== value)
      throw new ProblemError(
        "receipt-invalid",
        `the receipt is not for this parcel: its ${name} is ${String(claimed)}, the parcel's is ${String(value)}`,
      );
  }
  if (
    (claims.status === "created" && parcel.kind === "removal") ||
    (claims.status === "removed" && parcel.kind === "version")
  )
    throw new ProblemError("receipt-invalid", `the receipt says "${claims.status}" of a ${parcel.kind}`);
  return claims;
}

/** The key id that a receipt names; undefined when it cannot be read. */
export function receiptKeyId(receipt: string): string | undefined {
  try {
    const head = JSON.parse(Buffer.from(receipt.split(".")[0] ?? "", "base64url").toString("utf8")) as {
      kid?: unknown;
    };
    return typeof head.kid === "string" ? head.kid : undefined;
  } catch {
    return undefined;
  }
}
