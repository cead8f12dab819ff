/** What happened at the login, for log, metrics and audit. */
import type { Database } from "../ledger/schema.ts";
import type { Change, Person } from "./people.ts";
import type { OwnChange } from "./routes.ts";
import type { Ways } from "./ways.ts";

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
      /** In lower case; it may be nobody's. Undefined also where what was typed is none: it may be a password. */
      readonly email: string | undefined;
      readonly address: string;
      /** Of the page: INVALID_EMAIL_OR_PASSWORD and the like. */
      readonly code: string;
    }
  /** A person came to be by a provider. */
  | {
      readonly kind: "PersonJoined";
      readonly person: Person;
      readonly provider: string;
      readonly address: string;
    }
  | {
      readonly kind: "RoleFollowedClaim";
      readonly provider: string;
      readonly change: Change;
      readonly address: string;
    }
  /** A person changed by what he comes in, or came by a provider for the first time. */
  | {
      readonly kind: "OwnLoginChanged";
      /** Its id. */
      readonly person: string;
      readonly changed: OwnChange | "provider";
      readonly before: Ways;
      readonly after: Ways;
      readonly address: string;
    };

/**
 * Waited for: what could not be recorded fails for whoever did it. `db`: where to record it; the transaction of what
 * happened, where it has one of ours.
 */
export type Told = (fact: PeopleFact, db: Database) => Promise<void>;
