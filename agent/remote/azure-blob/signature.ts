/** What a shared access signature says of itself, without what makes it one: "Create a service SAS", "Create an account SAS". */

export interface SasFacts {
  /** As it is sent: without a question mark. */
  readonly query: string;
  readonly starts: Date | undefined;
  readonly expires: Date | undefined;
  /** Letters, as in `rl`; undefined where a stored access policy holds them. */
  readonly permissions: string | undefined;
}

/** From the bare query, one with its question mark, or a whole URL as portals show it. */
export function readSas(text: string): SasFacts {
  const query = text.trim().replace(/^[^?]*\?/, "");
  const fields = new URLSearchParams(query);
  const time = (name: string): Date | undefined => {
    const at = new Date(fields.get(name) ?? "");
    return Number.isNaN(at.getTime()) ? undefined : at;
  };
  return {
    query,
    starts: time("st"),
    expires: time("se"),
    permissions: fields.get("sp") ?? undefined,
  };
}
