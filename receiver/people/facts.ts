/** What happened at the login, for log, metrics and audit. */
import type { Change, Role } from "./people.ts";

export type PeopleFact =
  | {
      readonly kind: "PersonLoggedIn";
      /** Its id. */
      readonly person: string;
      readonly how: "password" | "passkey" | "oidc";
      readonly address: string;
    }
  | {
      readonly kind: "LoginRefused";
      readonly route: string;
      /** As it was typed, in lower case; it may be nobody's. */
      readonly email: string | undefined;
      readonly address: string;
      /** Of the page: INVALID_EMAIL_OR_PASSWORD and the like. */
      readonly code: string;
    }
  /** A person came to be by a provider. */
  | {
      readonly kind: "PersonJoined";
      readonly email: string;
      readonly role: Role;
      readonly provider: string;
    }
  | { readonly kind: "RoleFollowedClaim"; readonly provider: string; readonly change: Change }
  /** A person changed what he logs in with: the route says what. */
  | {
      readonly kind: "OwnLoginChanged";
      readonly person: string;
      readonly route: string;
      readonly address: string;
    };

export type Told = (fact: PeopleFact) => void;
