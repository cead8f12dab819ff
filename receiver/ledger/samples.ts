/** Captures and receipts for tests: small, distinct, with everything that a test does not name filled in. */
import { createHash, randomUUID } from "node:crypto";
import type { ReceiptClaims } from "@tributary/shared/receipt.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import type { Bearer, Capture, Outcome, RemovalCapture, SignReceipt, VersionCapture } from "./ledger.ts";

const SITE = "00000000-0000-4000-8000-000000000001";

/** Shaped like a receipt; signed by nobody. */
export const sign: SignReceipt = (claims) => {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "none" })}.${encode({ iss: SITE, ...claims } satisfies ReceiptClaims)}.${randomUUID()}`;
};

export const agent: Bearer = { id: "00000000-0000-7000-8000-00000000000a", seesAll: false };

export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A capture of `text` at `pathEncoded`. */
export function version(
  pathEncoded: string,
  text: string,
  more: Partial<VersionCapture> = {},
): VersionCapture {
  const versionId = uuidv7();
  return {
    kind: "version",
    client: "acme",
    source: "pos",
    pathEncoded,
    captureId: uuidv7(),
    versionId,
    sealedAt: "2026-01-31T05:00:00Z",
    modifiedAt: "2026-01-31T04:59:00.5Z",
    channel: "push",
    bearer: agent,
    size: Buffer.byteLength(text),
    sha256: digest(text),
    key: `raw/${versionId}/${pathEncoded}`,
    ...more,
  };
}

export function removal(pathEncoded: string, more: Partial<RemovalCapture> = {}): RemovalCapture {
  return {
    kind: "removal",
    client: "acme",
    source: "pos",
    pathEncoded,
    captureId: uuidv7(),
    versionId: uuidv7(),
    sealedAt: null,
    modifiedAt: null,
    channel: "push",
    bearer: agent,
    hearsOfNothing: true,
    ...more,
  };
}

/** The same capture once more, as a retry brings it: with a fresh versionId and key. */
export function again<T extends Capture>(capture: T): T {
  const versionId = uuidv7();
  return { ...capture, versionId, ...(capture.kind === "version" ? { key: `raw/${versionId}` } : {}) };
}

/** `committed`, `unchanged`, … or the code of a refusal. */
export function word(outcome: Outcome | undefined): string | undefined {
  return outcome?.kind === "refused" ? outcome.code : outcome?.kind;
}
