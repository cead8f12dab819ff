/** Whether what failed is asked again by itself, and when. */
import { Refusal } from "./api.ts";

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** What is being prepared is there sooner or later: that is no failure. */
export function isPreparing(error: unknown): error is Refusal {
  return error instanceof Refusal && error.code === "preparing";
}

/** What is refused stays refused; what cannot be reached is asked again. */
export function mayRetry(count: number, error: Error): boolean {
  if (isPreparing(error)) return true;
  return count < 3 && !(error instanceof Refusal && error.status >= 400 && error.status < 500);
}

export function retryDelay(count: number, error: Error): number {
  if (isPreparing(error)) return (error.retryAfter ?? 1) * 1000;
  return Math.min(FIRST_MS * 2 ** count, LONGEST_MS);
}
