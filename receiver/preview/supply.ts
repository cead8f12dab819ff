/** The bytes that a preview asks for, out of the lake: bounded, and never more than was asked for. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { MOST_AT_ONCE, MOST_IN_ALL } from "./messages.ts";
import type { PreviewFile } from "./preview.ts";

export interface Supply {
  /** `end` is behind the last byte. Rejects with `lake-unavailable`, and when the bounds do not allow it. */
  bytes(start: number, end: number, signal: AbortSignal): Promise<Uint8Array>;
}

export function supplyOf(file: PreviewFile): Supply {
  let left = MOST_IN_ALL;
  return {
    bytes: async (start, end, signal) => {
      const length = end - start;
      const inside = Number.isSafeInteger(start) && start >= 0 && end > start && end <= file.size;
      if (!inside || length > MOST_AT_ONCE || length > left)
        throw new Error(`bytes ${start} to ${end} of ${file.size} are beyond what a preview reads`);
      left -= length;
      const body = await file.read({ start, end: end - 1 });
      if (body === undefined)
        throw new ProblemError("lake-unavailable", `${file.name} is not in the lake any more`);
      const bytes = new Uint8Array(length);
      let at = 0;
      const stop = (): void => void body.destroy(signal.reason as Error);
      signal.addEventListener("abort", stop, { once: true });
      try {
        signal.throwIfAborted();
        for await (const chunk of body as AsyncIterable<Uint8Array>) {
          bytes.set(chunk.subarray(0, length - at), at);
          at = Math.min(length, at + chunk.length);
          if (at === length) break;
        }
      } finally {
        signal.removeEventListener("abort", stop);
        body.destroy();
      }
      if (at < length)
        throw new ProblemError("lake-unavailable", `${file.name} ends at byte ${start + at} in the lake`);
      return bytes;
    },
  };
}
