/** Whether two hosts act with one identity: decided by the nonce that every heartbeat brings and every answer renews. */

export interface Nonces {
  /** NULL after a restore: then any is taken. */
  readonly current: string | null;
  readonly previous: string | null;
}

/**
 * What becomes of the nonces. Undefined: a fork.
 *  - the current one: it becomes the previous one, `fresh` the current;
 *  - the previous one (our last answer was lost): `fresh` replaces the answer that was lost, so that whoever holds
 *    that one after all is found out at its next heartbeat;
 *  - any other was given to somebody else.
 */
export function fence(nonces: Nonces, presented: string, fresh: string): Nonces | undefined {
  if (nonces.current === null || presented === nonces.current) return { current: fresh, previous: presented };
  if (presented === nonces.previous) return { current: fresh, previous: presented };
  return undefined;
}
