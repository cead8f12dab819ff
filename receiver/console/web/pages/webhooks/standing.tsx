/** How a webhook stands, in words. */
import type { WebhookView } from "../../../../webhooks/standing.ts";
import { formatCount } from "../../parts/numbers.tsx";
import { type Severity, State } from "../../parts/state.tsx";
import { Time } from "../../parts/time.tsx";
import { t } from "../../texts.ts";

const SEVERITY: Readonly<Record<WebhookView["state"], Severity>> = {
  failing: "trouble",
  gone: "trouble",
  full: "trouble",
  lost: "trouble",
  suspended: "attention",
  active: "normal",
  revoked: "normal",
};
const RANK: Readonly<Record<Severity, string>> = { trouble: "0", attention: "1", normal: "2", good: "3" };
/** Where the receiver ends to count. */
const MOST_LAG = 10_000;

function severityOf({ state, dead, waiting }: WebhookView): Severity {
  const own = SEVERITY[state];
  return own === "normal" && state !== "revoked" && (dead > 0 || waiting > 0) ? "attention" : own;
}

/** For sorting: the worst first, the revoked last. */
export const rankOf = (webhook: WebhookView): string =>
  webhook.state === "revoked" ? "9" : `${RANK[severityOf(webhook)]} ${webhook.failingSince ?? ""}`;

export const formatLag = (lag: number): string => (lag >= MOST_LAG ? t.webhooks.lagMost : formatCount(lag));

export function Standing({ webhook }: { readonly webhook: WebhookView }) {
  return <State severity={severityOf(webhook)}>{wordsOf(webhook)}</State>;
}

function wordsOf({ state, failingSince, lag, waiting, dead, revokedAt }: WebhookView) {
  switch (state) {
    case "failing":
      return (
        <>
          {failingSince === null ? t.webhooks.states.failing : t.webhooks.states.failingSince}{" "}
          {failingSince !== null && <Time at={failingSince} />}
        </>
      );
    case "revoked":
      return (
        <>
          {t.webhooks.states.revoked} <Time at={revokedAt} />
        </>
      );
    case "active":
      if (dead > 0) return t.webhooks.states.dead(dead);
      if (waiting > 0) return t.webhooks.states.waiting(waiting);
      return lag > 0 ? t.webhooks.states.behind(formatLag(lag)) : t.webhooks.states.active;
    default:
      return t.webhooks.states[state];
  }
}

export const nameOf = ({ name, url }: WebhookView): string => name ?? url;

export function ofWhat({ client, source }: WebhookView): string {
  if (client === null && source === null) return t.webhooks.everything;
  return [client ?? t.webhooks.everything, ...(source === null ? [] : [source])].join(" / ");
}
