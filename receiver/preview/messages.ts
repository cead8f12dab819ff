/** What the receiver and the process that previews say to each other. Of each question and answer there is one at a time. */
import type { Preview } from "./preview.ts";

export interface Order {
  readonly name: string;
  readonly size: number;
  readonly rows: number;
  readonly columns: number;
}

/** To the process. */
export type ToReader =
  | { readonly kind: "order"; readonly order: Order }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

/** From the process; `end` is behind the last byte. */
export type FromReader =
  | { readonly kind: "read"; readonly start: number; readonly end: number }
  | { readonly kind: "answer"; readonly preview: Preview }
  | { readonly kind: "too-large" };

/** Bytes of one question. */
export const MOST_AT_ONCE = 4 * 2 ** 20;
/** Bytes of the lake for one preview. */
export const MOST_IN_ALL = 40 * 2 ** 20;
