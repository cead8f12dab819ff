/** What Prometheus is told of the SFTP door, derived from its facts. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { SftpFact } from "./facts.ts";

/** `buckets` in seconds. */
export function sftpMetrics(registers: Registry[], buckets: number[]): (fact: SftpFact) => void {
  const connections = new Counter({
    name: "tributary_sftp_connections_total",
    help: "SFTP connections: taken, or turned_away because there are as many as may be",
    labelNames: ["outcome"],
    registers,
  });
  const logins = new Counter({
    name: "tributary_sftp_logins_total",
    help: "Attempts to log in by SFTP, by method and outcome (in, or the problem's code)",
    labelNames: ["method", "outcome"],
    registers,
  });
  const open = new Gauge({
    name: "tributary_sftp_clients",
    help: "SFTP clients that are logged in now",
    registers,
  });
  const answers = new Histogram({
    name: "tributary_sftp_request_seconds",
    help: "Duration of SFTP requests, by request and status (0 ok, 1 end, 2 absent, 3 denied, 4 failed, 8 unsupported)",
    labelNames: ["request", "status"],
    buckets,
    registers,
  });
  return (fact) => {
    switch (fact.kind) {
      case "SftpConnected":
        connections.inc({ outcome: "taken" });
        return;
      case "SftpTurnedAway":
        connections.inc({ outcome: "turned_away" });
        return;
      case "SftpLoggedIn":
        logins.inc({ method: fact.method, outcome: "in" });
        open.inc();
        return;
      case "SftpRefused":
        logins.inc({ method: fact.method, outcome: fact.code });
        return;
      case "SftpEnded":
        open.dec();
        return;
      case "SftpAnswered":
        answers.observe({ request: fact.request, status: String(fact.status) }, fact.ms / 1000);
        return;
      case "SftpNotAgreed":
      case "SftpFailed":
      case "SftpProblem":
        return;
    }
  };
}
