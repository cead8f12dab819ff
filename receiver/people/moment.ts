/** What is known of a request while better-auth works on it, for the questions that it asks back without saying of what. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Judging } from "../identity/passwords.ts";
import type { Claims } from "./oidc.ts";

export interface Moment {
  /** Of the closed list. */
  readonly route: string;
  /** Who asks, as the listener knows it. */
  readonly address: string;
  /** What guesses are counted by. */
  readonly place: string;
  readonly judging: Judging;
  /** Of a login by password, in lower case. */
  readonly email: string | undefined;
  /** Of a login by OIDC. */
  readonly provider: string | undefined;
  /** Of the second factor. */
  readonly code: string | undefined;
  /** What a provider said of the person. */
  claims?: Claims;
  /** Whether a provider just made this person. */
  joined?: boolean;
  /** What better-auth would make an unnamed failure of. */
  failure?: unknown;
}

const moments = new AsyncLocalStorage<Moment>();

/** Everything that `work` leads to can ask for the moment. */
export async function during<T>(moment: Moment, work: () => Promise<T>): Promise<T> {
  return await moments.run(moment, work);
}

/** Outside of a request there is nothing that could be logged in or changed. */
export function currentMoment(): Moment {
  const moment = moments.getStore();
  if (moment === undefined) throw new Error("better-auth asked something outside of a request");
  return moment;
}
