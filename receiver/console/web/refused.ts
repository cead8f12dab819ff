/** Refusals of the login in words: the library's codes, ours, a provider's and the browser's are keys of one table. */
import { Refusal } from "./api.ts";
import { t } from "./texts.ts";

/** What a person can do with; what the table does not know stays as it came. */
export function inWords(error: Error): string {
  const code = error instanceof Refusal ? error.code : error.name;
  return t.refusals[code.toLowerCase()] ?? sentence(error.message);
}

/** The receiver's words begin small, since they follow a code elsewhere. */
export function sentence(words: string): string {
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
}

export interface Returned {
  readonly words: string;
  /** As the provider worded it; undefined where the code says it all. */
  readonly said: string | undefined;
}

const CODE = /^[\w.-]{1,60}$/;
const LONGEST = 300;

/**
 * Of `?error=…&error_description=…`, with which a provider's page leads back. Anybody can make such an address, so what
 * our own codes mean is never taken from it, and what it says besides is shown as what somebody else said.
 */
export function returned(params: URLSearchParams): Returned | undefined {
  const error = params.get("error");
  if (error === null) return undefined;
  const known = t.refusals[error.toLowerCase()];
  // A provider has codes of its own beneath this one, and its words tell which.
  if (known !== undefined && error !== "access_denied") return { words: known, said: undefined };
  const said = params.get("error_description")?.slice(0, LONGEST);
  return {
    words: known ?? t.refusedByProvider(CODE.test(error) ? ` (${error})` : ""),
    said: said || undefined,
  };
}
