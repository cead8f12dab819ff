/** How the pages ask the receiver: every question is a call of `calls.ts`, with the types of `inputs.ts` and `answers.ts`. */

import type { Answers } from "../answers.ts";
import { CALLS, type CallName } from "../calls.ts";
import type { Input } from "../inputs.ts";

/** A refusal as the receiver words it (RFC 9457), or a receiver that cannot be reached. */
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;
  readonly requestId: string | undefined;
  /** Seconds. */
  readonly retryAfter: number | undefined;

  constructor(detail: string, code: string, status: number, requestId?: string, retryAfter?: number) {
    super(detail);
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** The address of a call, with what is not in its path as a query: also for links, downloads and event streams. */
export function addressOf<K extends CallName>(name: K, input: Input<K>): string {
  const { path, rest } = pathOf(name, input as Fields);
  const query = new URLSearchParams();
  for (const [field, value] of Object.entries(rest))
    if (value !== undefined && value !== "") query.set(field, `${value as string | number | boolean}`);
  return query.size === 0 ? path : `${path}?${query}`;
}

/** Throws `Refusal`. */
export async function ask<K extends CallName>(
  name: K,
  input: Input<K>,
  signal?: AbortSignal,
): Promise<Answers[K]> {
  const { method } = CALLS[name];
  if (method === "GET") return await send(addressOf(name, input), { method, signal: signal ?? null });
  const { path, rest } = pathOf(name, input as Fields);
  return await send(path, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(rest),
    signal: signal ?? null,
  });
}

/** Any JSON of this origin; the login's own routes too. Throws `Refusal`. */
export async function send<T>(path: string, init: RequestInit): Promise<T> {
  const response = await fetch(path, init).catch((error: Error) => {
    if (error.name === "AbortError") throw error;
    throw new Refusal("the receiver cannot be reached; this page goes on by itself", "unreachable", 0);
  });
  const text = await response.text();
  const body = parse(text);
  if (response.ok) return body as T;
  const { detail, title, message, code, requestId } = (body ?? {}) as Record<string, string | undefined>;
  const words = detail ?? message ?? title ?? `the receiver answered ${response.status}`;
  throw new Refusal(
    words,
    code ?? "unknown",
    response.status,
    requestId ?? response.headers.get("x-request-id") ?? undefined,
    secondsOf(response.headers.get("retry-after")),
  );
}

/** A date, as a proxy may say it, is as good as nothing said. */
const secondsOf = (text: string | null): number | undefined =>
  text !== null && /^\d{1,5}$/.test(text) ? Number(text) : undefined;

type Fields = Readonly<Record<string, unknown>>;

function pathOf(name: CallName, input: Fields): { readonly path: string; readonly rest: Fields } {
  const rest = { ...input };
  const path = CALLS[name].path.replaceAll(/:(\w+)/g, (_, field: string) => {
    const value = `${rest[field] as string}`;
    delete rest[field];
    return encodeURIComponent(value);
  });
  return { path, rest };
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
