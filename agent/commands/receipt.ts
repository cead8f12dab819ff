/** `receipt`: the receiver's signed promises, verified without asking anybody. */
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type ReceiptClaims, verifyReceipt } from "@tributary/shared/receipt.ts";
import { printable, result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { requireIdentity } from "../identity/identity.ts";
import type { QueueStatus } from "../queue/status.ts";
import { type PlaceOptions, placeOf, withPlace } from "./place.ts";

/** Calls `read` with the queue's state. */
export type ReadQueue = <T>(data: string, read: (status: QueueStatus) => T) => T;

interface VerifyOptions extends PlaceOptions {
  readonly content?: string;
}

interface ShowOptions extends PlaceOptions {
  readonly source?: string;
  readonly client?: string;
}

export function addReceipt(program: Command, readQueue: ReadQueue): void {
  const receipt = program
    .command("receipt")
    .description("The receiver's signed promises that files arrived.");
  withPlace(
    receipt
      .command("verify")
      .description(
        "Verifies a receipt offline with the keys that enrolment and heartbeats brought, and prints what it promises.",
      )
      .argument("<file>", "the receipt (a JWS), or an answer of the API that holds one; - for standard input")
      .option("--content <file>", "also compare this file's size and SHA-256 with the receipt"),
  ).action(verify);
  withPlace(
    receipt
      .command("show")
      .description("Prints the stored receipts of a delivered path, newest first, one a line.")
      .argument("<path>", "the path inside its source, as `history` shows it")
      .option("--source <source>", "only of this source")
      .option("--client <client>", "only of this client"),
  ).action((path: string, options: ShowOptions) => show(path, options, readQueue));
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  const identity = requireIdentity(placeOf(options).data);
  const claims = verifyReceipt(receiptIn(readText(file)), identity.jwks);
  if (claims.iss !== identity.site)
    throw new ProblemError(
      "receipt-invalid",
      `the receipt is of the site ${claims.iss}, this agent's is ${identity.site}`,
    );
  if (options.content !== undefined) await compare(options.content, claims);
  result(JSON.stringify(claims, undefined, 2));
  say(
    options.content === undefined
      ? "the receipt is genuine"
      : "the receipt is genuine, and the content is what it promises",
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    throw new ProblemError("usage", `cannot read the receipt ${file}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** The JWS in the text: alone, or as `receipt` of a JSON answer. */
function receiptIn(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.startsWith("{")) return trimmed;
  try {
    const { receipt } = JSON.parse(trimmed) as { receipt?: unknown };
    if (typeof receipt === "string") return receipt;
  } catch (cause) {
    throw new ProblemError("receipt-invalid", "the file is neither a receipt nor valid JSON", { cause });
  }
  throw new ProblemError(
    "receipt-invalid",
    'the JSON holds no "receipt"; a problem has none: nothing was stored',
  );
}

async function compare(file: string, claims: ReceiptClaims): Promise<void> {
  if (claims.sha256 === null)
    throw new ProblemError("receipt-invalid", "the receipt is of a removal: it promises no content");
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (cause) {
    throw new ProblemError("file-unreadable", `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
  if (size !== claims.size)
    throw new ProblemError(
      "receipt-invalid",
      `${file} has ${size} bytes, the receipt is for ${claims.size}: it is other content`,
    );
  const sha256 = hash.digest("hex");
  if (sha256 !== claims.sha256)
    throw new ProblemError(
      "receipt-invalid",
      `${file} has the SHA-256 ${sha256}, the receipt is for ${claims.sha256}: it is other content`,
    );
}

const PAGE = 1000;

function show(path: string, options: ShowOptions, readQueue: ReadQueue): void {
  const wanted = Buffer.from(path);
  const { data } = placeOf(options);
  requireIdentity(data);
  const found = readQueue(data, (status) => {
    let before: number | undefined;
    let count = 0;
    for (;;) {
      const page = status.deliveries(PAGE, before);
      for (const delivery of page) {
        if (!delivery.path.equals(wanted) && encodePath(delivery.path) !== path) continue;
        if (options.source !== undefined && delivery.source !== options.source) continue;
        if (options.client !== undefined && delivery.client !== options.client) continue;
        result(delivery.receipt);
        count += 1;
      }
      if (page.length < PAGE) return count;
      before = page.at(-1)?.seq;
    }
  });
  if (found === 0)
    throw new ProblemError(
      "not-found",
      `no delivery of ${printable(path)} is in this agent's log; see: tributary-agent status`,
    );
}
