/**
 * Sends with undici. Nothing is believed about the endpoint: redirects are not followed, and time and bytes of an answer
 * are bounded.
 */
import { type Dispatcher, request } from "undici";
import { openWays, type WaySettings } from "./ways.ts";
import type { Outcome, Send } from "./webhook.ts";

export type HttpsSettings = Omit<WaySettings, "connectMs" | "answerMs"> &
  Partial<Pick<WaySettings, "connectMs" | "answerMs">>;

const MOST_ANSWER_BYTES = 64 * 1024;

export interface Sender {
  readonly send: Send;
  close(): Promise<void>;
}

export function createSender({ connectMs = 10_000, answerMs = 15_000, ...more }: HttpsSettings): Sender {
  const ways = openWays({ ...more, connectMs, answerMs });
  return {
    async send({ url: text, headers, body }, signal) {
      const url = new URL(text);
      const way = ways.to(url);
      if ("refused" in way) return { kind: "failed", why: way.refused };
      const late = AbortSignal.timeout(answerMs);
      try {
        const answer = await request(url, {
          method: "POST",
          dispatcher: way.through,
          headers,
          body,
          signal: AbortSignal.any([signal, late]),
        });
        await throwAway(answer);
        return outcomeOf(answer);
      } catch (error) {
        if (signal.aborted) return { kind: "cut" };
        return {
          kind: "failed",
          why: late.aborted ? `no answer within ${answerMs / 1000} s` : reason(error),
        };
      }
    },
    close: () => ways.close(),
  };
}

/** So that the connection can be used again; whoever sends more than that, or slowly, loses it. The status counts all the same. */
async function throwAway(answer: Dispatcher.ResponseData): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of answer.body) {
      bytes += (chunk as Buffer).length;
      if (bytes > MOST_ANSWER_BYTES) break;
    }
  } catch {
    // Cut or late: the status was said before.
  }
}

function outcomeOf({ statusCode, headers }: Dispatcher.ResponseData): Outcome {
  if (statusCode >= 200 && statusCode < 300) return { kind: "delivered" };
  if (statusCode === 410) return { kind: "gone", why: "it answered 410 (Gone): it wants nothing more" };
  if (statusCode >= 300 && statusCode < 400)
    return {
      kind: "failed",
      why: `it answered ${statusCode}, a redirect to ${String(headers.location ?? "nowhere").slice(0, 200)}; redirects are not followed: add a webhook for the address where it is now`,
    };
  const retryAfter =
    statusCode === 429 || statusCode === 503 ? retryAfterOf(String(headers["retry-after"] ?? "")) : undefined;
  const why = `it answered ${statusCode}`;
  return { kind: "failed", why, ...(retryAfter === undefined ? {} : { retryAfter }) };
}

/** RFC 9110, 10.2.3: seconds or a date. In ms. */
function retryAfterOf(text: string, now = Date.now()): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** An AggregateError (several addresses tried) has an empty message of its own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  return ((error as Error).message || String(error)).slice(0, 300);
}
