/** Single sign-on: whom a provider may bring in, and as what. */
import type { Role } from "./people.ts";

export interface OidcSettings {
  /** In the address that the provider calls back: console.url/api/auth/callback/ID. */
  readonly id: string;
  /** On the button. */
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Which values of a claim make which role; without it only people who were invited come in. */
  readonly roles?: RoleClaim | undefined;
}

export interface RoleClaim {
  readonly claim: string;
  readonly admin: readonly string[];
  readonly operator: readonly string[];
  readonly viewer: readonly string[];
}

/** What a provider says of a person: claims of the ID token, or of its userinfo. */
export type Claims = Readonly<Record<string, unknown>>;

/** The most that the claim gives; undefined: none. A claim is a text, or a list of texts. */
export function roleOf(
  { claim, ...values }: RoleClaim,
  claims: Claims,
): Exclude<Role, "uploader"> | undefined {
  const said = [claims[claim]].flat();
  return (["admin", "operator", "viewer"] as const).find((role) =>
    values[role].some((value) => said.includes(value)),
  );
}

export const discoveryOf = ({ issuer }: OidcSettings): string =>
  `${issuer.replace(/\/+$/, "")}/.well-known/openid-configuration`;
