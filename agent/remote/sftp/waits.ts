/** How long is waited for what, in ms. */
export interface Waits {
  /** For the server's host to take a connection. */
  readonly connect: number;
  /** From then until files can be asked for: some servers take their time over a login. */
  readonly login: number;
  /** A line on which nothing comes is asked for a sign of life this often; after three without one it is cut. */
  readonly keepalive: number;
  /** For an answer, while nothing at all comes. */
  readonly silence: number;
  /** For one answer, while others come: on a slow line they wait for each other. */
  readonly answer: number;
  /** Until a connection that nobody uses is closed: servers count them. */
  readonly idle: number;
}

export const WAITS: Waits = {
  connect: 20_000,
  login: 30_000,
  keepalive: 8_000,
  silence: 60_000,
  answer: 600_000,
  idle: 60_000,
};
