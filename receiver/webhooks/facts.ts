/** What happened to webhooks, past tense: the log and the metrics derive from it. `event` is the entry's versionId. */
interface Attempted {
  readonly webhook: string;
  readonly event: string;
  /** With this one. */
  readonly tries: number;
}

export type WebhookFact =
  | ({ readonly kind: "WebhookDelivered"; readonly ms: number } & Attempted)
  | ({ readonly kind: "WebhookFailed"; readonly why: string } & Attempted)
  /** It is not told of this any more, until somebody asks for it. */
  | ({ readonly kind: "WebhookDeadLetter"; readonly why: string } & Attempted)
  /** So many failures in a row that one event at a time asks whether the endpoint is there again. */
  | { readonly kind: "WebhookDown"; readonly webhook: string; readonly why: string }
  | { readonly kind: "WebhookRecovered"; readonly webhook: string; readonly ms: number }
  /** It answered 410: it is told nothing until somebody asks for it. */
  | { readonly kind: "WebhookGone"; readonly webhook: string; readonly why: string }
  /** The keys folder of this receiver cannot open its secret. */
  | { readonly kind: "WebhookSecretClosed"; readonly webhook: string }
  /** Ledger or lake did not do what telling needs; it is tried again. */
  | { readonly kind: "WebhookHeldUp"; readonly webhook: string | null; readonly error: unknown };

export type ReportWebhook = (fact: WebhookFact) => void;
