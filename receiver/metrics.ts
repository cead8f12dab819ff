/** What Prometheus is told, derived from the facts of ingest and from the doors. One registry per receiver, so that tests may run several. */
import { PROBLEMS } from "@tributary/shared/problems.ts";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { SftpFact } from "./doors/sftp/facts.ts";
import { sftpMetrics } from "./doors/sftp/metrics.ts";
import { inTurn, lookOf } from "./gauges/look.ts";
import { quarantineGauges } from "./gauges/quarantine.ts";
import { type SiteLooks, siteGauges } from "./gauges/site.ts";
import { webhookGauges } from "./gauges/webhooks.ts";
import type { Fact } from "./ingest/facts.ts";
import type { HeldSum } from "./ledger/quarantine.ts";
import { VERSION } from "./version.ts";
import type { WebhookFact } from "./webhooks/facts.ts";
import type { WebhookView } from "./webhooks/standing.ts";

export interface Metrics {
  count(fact: Fact | WebhookFact): void;
  sftp(fact: SftpFact): void;
  problem(code: string): void;
  limited(what: string, of: string): void;
  request(method: string, status: number, ms: number): void;
  render(): Promise<{ readonly type: string; readonly text: string }>;
}

/** What is asked when somebody asks for the metrics. */
export interface MetricLooks {
  readonly inFlight: () => number;
  readonly webhooks: () => Promise<readonly WebhookView[]>;
  readonly quarantine: () => Promise<HeldSum>;
  readonly site: SiteLooks;
}

export function createMetrics({ inFlight, webhooks, quarantine, site }: MetricLooks): Metrics {
  const registers = [new Registry()];
  const registry = registers[0] as Registry;
  collectDefaultMetrics({ register: registry });
  const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];
  const deliveries = new Counter({
    name: "tributary_deliveries_total",
    help: "Receipts given, by channel and status",
    labelNames: ["channel", "status"],
    registers,
  });
  const bytes = new Counter({
    name: "tributary_delivered_bytes_total",
    help: "Bytes of new versions, by channel",
    labelNames: ["channel"],
    registers,
  });
  const deliverySeconds = new Histogram({
    name: "tributary_delivery_seconds",
    help: "From a delivery's headers to its receipt, by channel",
    labelNames: ["channel"],
    buckets: seconds,
    registers,
  });
  const inspections = new Histogram({
    name: "tributary_inspection_seconds",
    help: "Duration of inspections, by verdict (larger: nobody looked into it)",
    labelNames: ["verdict"],
    buckets: seconds,
    registers,
  });
  const inspectionFailures = new Counter({
    name: "tributary_inspection_failures_total",
    help: "Files for which the inspector gave no verdict; their senders keep them",
    registers,
  });
  const quarantined = new Counter({
    name: "tributary_quarantined_total",
    help: "Files put into quarantine",
    registers,
  });
  const commitSize = new Histogram({
    name: "tributary_commit_captures",
    help: "Captures in one commit",
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
    registers,
  });
  const commitSeconds = new Histogram({
    name: "tributary_commit_seconds",
    help: "Duration of ledger commits",
    buckets: seconds,
    registers,
  });
  const segmentSeconds = new Histogram({
    name: "tributary_segment_seconds",
    help: "Duration of manifest segment writes",
    buckets: seconds,
    registers,
  });
  const segmentFailures = new Counter({
    name: "tributary_segment_failures_total",
    help: "Manifest segments that the lake did not take at once",
    registers,
  });
  const swept = new Counter({
    name: "tributary_swept_total",
    help: "Abandoned uploads, multiparts and spare objects taken away",
    labelNames: ["what"],
    registers,
  });
  const sweepFailures = new Counter({
    name: "tributary_sweep_failures_total",
    help: "What a sweep could not take away (thing), or that a whole sweep did not take place (sweep)",
    labelNames: ["what"],
    registers,
  });
  const problems = new Counter({
    name: "tributary_problems_total",
    help: "Requests refused or failed, by code",
    labelNames: ["code"],
    registers,
  });
  const limited = new Counter({
    name: "tributary_limited_total",
    help: "Requests refused by a limit: what of (requests, uploads, guesses), and whose (client, agent, key, address)",
    labelNames: ["limit", "of"],
    registers,
  });
  const requestSeconds = new Histogram({
    name: "tributary_request_seconds",
    help: "Duration of requests, by method and status",
    labelNames: ["method", "status"],
    buckets: seconds,
    registers,
  });
  new Gauge({
    name: "tributary_bodies_in_flight",
    help: "Files and parts on their way in",
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  const webhookAttempts = new Counter({
    name: "tributary_webhook_attempts_total",
    help: "Events told to webhooks, by webhook and outcome (delivered, failed, dead)",
    labelNames: ["webhook", "outcome"],
    registers,
  });
  const webhookSeconds = new Histogram({
    name: "tributary_webhook_seconds",
    help: "From a webhook's request to its good answer",
    buckets: seconds,
    registers,
  });
  const sftp = sftpMetrics(registers, seconds);
  const turn = inTurn();
  // An operator who has just released a file sees it.
  const atOnce = { forMs: 0, turn };
  const looks = [
    webhookGauges(lookOf(webhooks, atOnce), registers),
    quarantineGauges(lookOf(quarantine, atOnce), registers),
    siteGauges(site, registers, { turn }),
  ];
  new Gauge({
    name: "tributary_info",
    help: "1; what runs here",
    labelNames: ["version", "node"],
    registers,
  }).set({ version: VERSION, node: process.version }, 1);
  // The first of its kind is an increase too: a counter that appears with 1 would be none.
  for (const [code, { status }] of Object.entries(PROBLEMS)) if (status > 0) problems.inc({ code }, 0);
  for (const what of ["thing", "sweep"]) sweepFailures.inc({ what }, 0);
  return {
    count(fact) {
      switch (fact.kind) {
        case "WebhookDelivered":
          webhookAttempts.inc({ webhook: fact.webhook, outcome: "delivered" });
          webhookSeconds.observe(fact.ms / 1000);
          return;
        case "WebhookFailed":
          webhookAttempts.inc({ webhook: fact.webhook, outcome: "failed" });
          return;
        case "WebhookDeadLetter":
          webhookAttempts.inc({ webhook: fact.webhook, outcome: "dead" });
          return;
        case "WebhookDown":
        case "WebhookRecovered":
        case "WebhookGone":
        case "WebhookSecretClosed":
        case "WebhookHeldUp":
          return;
        case "Delivered":
          deliveries.inc({ channel: fact.channel, status: fact.status });
          if (fact.status === "created") bytes.inc({ channel: fact.channel }, fact.bytes);
          deliverySeconds.observe({ channel: fact.channel }, fact.ms / 1000);
          return;
        case "Inspected":
          inspections.observe({ verdict: fact.verdict }, fact.ms / 1000);
          return;
        case "InspectionFailed":
          inspectionFailures.inc();
          return;
        case "Quarantined":
          quarantined.inc();
          return;
        case "Committed":
          commitSize.observe(fact.captures);
          commitSeconds.observe(fact.ms / 1000);
          return;
        case "SegmentWritten":
          segmentSeconds.observe(fact.ms / 1000);
          return;
        case "SegmentFailed":
          segmentFailures.inc();
          return;
        case "Swept":
          swept.inc({ what: "upload" }, fact.uploads);
          swept.inc({ what: "multipart" }, fact.multiparts);
          swept.inc({ what: "object" }, fact.objects);
          return;
        case "SweepSkipped":
          sweepFailures.inc({ what: "thing" });
          return;
        case "SweepFailed":
          sweepFailures.inc({ what: "sweep" });
          return;
        case "SpareLeft":
          return;
      }
    },
    sftp,
    problem: (code) => problems.inc({ code }),
    limited: (limit, of) => limited.inc({ limit, of }),
    request: (method, status, ms) => requestSeconds.observe({ method, status: String(status) }, ms / 1000),
    async render() {
      await Promise.all(looks.map((look) => look()));
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}
