/**
 * A webhook tells somebody outside of every arrival, by one POST for each entry, after Standard Webhooks
 * (https://www.standardwebhooks.com). It is a tail of the ledger: what it has to tell follows from its cursor, and only
 * what was told in vain has rows of its own. Invariants:
 *  - an entry is told when it was committed and its manifest segment is in the lake, never before;
 *  - everything up to the cursor is delivered, or waits to be told again, or is a dead letter: at least once, no gap;
 *  - the id of an event is its entry's versionId, whenever and however often it is told.
 */

/** How an endpoint has answered lately. Times in ms since 1970. */
export interface Health {
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** Since when, while the endpoint counts as down. */
  readonly failingSince: number | null;
  /** Nothing is sent before. */
  readonly pausedUntil: number;
}

export interface Webhook {
  readonly id: string;
  readonly url: string;
  /** Null: of every client, of every source. */
  readonly client: string | null;
  readonly source: string | null;
  /** Closed; see `identity/secretskey.ts`. */
  readonly secret: string;
  readonly cursor: number;
  /** Changes whenever somebody else has changed its course: who began before must begin anew. */
  readonly generation: number;
  readonly health: Health;
}

/** For whom a webhook's secret is closed. */
export const ownerOf = (id: string): string => `webhook:${id}`;

/** An entry that was told in vain and is to be told again. */
export interface WaitingEvent {
  readonly versionId: string;
  readonly seq: number;
  readonly tries: number;
  readonly dueAt: number;
}

/**
 * What became of one attempt.
 *  - `failed`: told again later, not before `retryAfter` ms;
 *  - `gone`: the endpoint wants nothing more, ever (410);
 *  - `cut`: we ended it ourselves, which says nothing of the endpoint.
 */
export type Outcome =
  | { readonly kind: "delivered" }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfter?: number }
  | { readonly kind: "gone"; readonly why: string }
  | { readonly kind: "cut" };

export interface Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Carries one request. Never rejects: every failure is an outcome. */
export type Send = (request: Request, signal: AbortSignal) => Promise<Outcome>;
