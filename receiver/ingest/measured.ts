/** A body whose bytes are counted against what was declared of it, and against the room that there is. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Body } from "./ingest.ts";

/** Ends with `length-mismatch` when fewer or more bytes come than declared; with whatever `arrived` throws. */
export async function* measured(
  body: Body,
  arrived: (bytes: number) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of body.bytes) {
    total += chunk.byteLength;
    if (body.size !== undefined && total > body.size)
      throw lengthProblem(body.size, `more than ${body.size}`);
    await arrived(chunk.byteLength);
    yield chunk;
  }
  if (body.size !== undefined && total < body.size) throw lengthProblem(body.size, String(total));
}

function lengthProblem(declared: number, came: string): ProblemError {
  return new ProblemError(
    "length-mismatch",
    `${declared} bytes were declared and ${came} came; nothing was recorded`,
  );
}
