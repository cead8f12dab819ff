/** Names that better-auth and what stands before it agree on. */

/** The header by which better-auth is told the address; what a client says under that name is dropped. */
export const ADDRESS_HEADER = "x-tributary-address";

/** No Domain, Path=/ and Secure, or the browser refuses it (RFC 6265bis, 4.1.3.2). */
export const COOKIE_PREFIX = "__Host-tributary";
export const SESSION_COOKIE = `${COOKIE_PREFIX}.session_token`;
