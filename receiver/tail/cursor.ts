/** A reader's place in the ledger, opaque to it: base64url of the ledger's epoch and the last seq it has seen. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { z } from "zod";

export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

const position = z.strictObject({ epoch: z.string(), seq: z.int().nonnegative() });

export function formatCursor(at: Position): string {
  return Buffer.from(JSON.stringify({ epoch: at.epoch, seq: at.seq })).toString("base64url");
}

/**
 * The seq after which to read on. Throws `cursor-invalid`; `cursor-gone` when the ledger was rebuilt since, or lost
 * entries that this reader has already seen: never a silent gap.
 */
export function parseCursor(text: string, now: Position): number {
  const at = decode(text);
  if (at === undefined)
    throw new ProblemError("cursor-invalid", `"${text.slice(0, 100)}" is not a cursor of this receiver`);
  if (at.epoch !== now.epoch || at.seq > now.seq)
    throw new ProblemError(
      "cursor-gone",
      "the ledger was rebuilt since this cursor was given; read from the beginning, without a cursor",
    );
  return at.seq;
}

function decode(text: string): Position | undefined {
  try {
    const parsed = position.safeParse(JSON.parse(Buffer.from(text, "base64url").toString("utf8")));
    return parsed.success && formatCursor(parsed.data) === text ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
