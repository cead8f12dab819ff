/** How long a server may take: a parameter, as time is everywhere. ms. */
export interface Patience {
  /** Until it is connected and logged in, and until a data connection is there. */
  readonly connect: number;
  /** Without a byte, while one is waited for. */
  readonly silent: number;
  /** An unused connection is kept for so long. */
  readonly idle: number;
}
