/** What the line of an invitation is made of. */
export interface Line {
  /** Where scripts and packages are fetched, without a slash at the end. */
  readonly url: string;
  /** The receiver's certificate is its own authority's, which the agent knows by its code alone; otherwise the system's authorities know it. */
  readonly pinned: boolean;
  /** Of the script. */
  readonly sha256: string;
  /** base64url after its prefix: nothing in it means anything to a shell. */
  readonly code: string;
}
