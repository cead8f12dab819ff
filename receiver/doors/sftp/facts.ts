/** What happens at the SFTP door, past tense: the log, which is its audit, and the metrics derive from it. */
export type SftpFact =
  | { readonly kind: "SftpConnected"; readonly address: string }
  /** Before anybody could log in: as a rule a program that is too old for what is taken here. */
  | {
      readonly kind: "SftpNotAgreed";
      readonly address: string;
      readonly program: string;
      readonly why: string;
    }
  /** `again`: its network was turned away within the last minute, too. */
  | { readonly kind: "SftpTurnedAway"; readonly address: string; readonly again: boolean }
  | {
      readonly kind: "SftpLoggedIn";
      readonly address: string;
      readonly user: string;
      readonly account: string;
      readonly client: string;
      readonly method: string;
      /** Fingerprint of the key, where it was one. */
      readonly key?: string | undefined;
      readonly program: string;
    }
  | {
      readonly kind: "SftpRefused";
      readonly address: string;
      readonly user: string;
      readonly method: string;
      readonly code: string;
      /** For the operator: the client is told nothing of it. */
      readonly why: string;
    }
  | { readonly kind: "SftpEnded"; readonly address: string; readonly user: string; readonly why: string }
  | { readonly kind: "SftpFailed"; readonly address: string; readonly error: unknown }
  /** One request of a session, with the status that answered it. */
  | { readonly kind: "SftpAnswered"; readonly request: string; readonly status: number; readonly ms: number }
  /** Refused, or failed; the client was told. */
  | {
      readonly kind: "SftpProblem";
      readonly user: string;
      /** The account's id. */
      readonly account: string;
      readonly client: string;
      readonly request: string;
      readonly error: unknown;
    };
