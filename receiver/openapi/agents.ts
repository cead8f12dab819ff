/** What agents say. */
import {
  DIAGNOSTICS,
  diagnosticsAnswer,
  enrollAnswer,
  enrollRequest,
  heartbeatAnswer,
  heartbeatRequest,
  leaseAnswer,
  leaseRequest,
  ROUTE,
  uuid,
} from "@tributary/shared/protocol.ts";
import { json } from "./content.ts";
import type { Operation } from "./operation.ts";

const enroll: Operation = {
  id: "enroll",
  group: "Agents",
  method: "POST",
  path: ROUTE.enroll,
  summary: "Become an agent",
  description: [
    "The secret inside the one-time code is the credential. Repeated with the same public key it answers the same.",
  ],
  access: { kind: "everybody" },
  parameters: [],
  body: { description: "The secret, and the key that was made on the host.", content: json(enrollRequest) },
  answers: [
    {
      status: 200,
      description: "Who it is from now on.",
      content: json(enrollAnswer),
      headers: ["cache-control"],
    },
  ],
  problems: [
    ...([
      "json-invalid",
      "body-too-large",
      "length-mismatch",
      "content-encoding-refused",
      "code-unknown",
      "code-used",
      "code-expired",
    ] as const),
    ...(["agent-revoked", "ledger-unavailable"] as const),
  ],
};

const heartbeat: Operation = {
  id: "heartbeat",
  group: "Agents",
  method: "POST",
  path: ROUTE.heartbeat,
  summary: "An agent's state",
  description: ["What it holds and what troubles it. The answer brings the next nonce, trust and commands."],
  access: { kind: "agent" },
  parameters: [],
  body: { description: "The state, with the nonce of the last answer.", content: json(heartbeatRequest) },
  answers: [
    { status: 200, description: "What is new.", content: json(heartbeatAnswer), headers: ["cache-control"] },
  ],
  problems: ["json-invalid", "body-too-large", "length-mismatch", "content-encoding-refused", "forbidden"],
};

const leases: Operation = {
  id: "leases",
  group: "Agents",
  method: "POST",
  path: ROUTE.leases,
  summary: "Share the polling of sources",
  description: [
    "Agents that act for the same clients poll each source once: who holds its lease does. One call asks for all sources that an agent would poll and renews those that it holds. `term` goes with all that it brings, as `Tributary-Lease`.",
    "The receiver shares evenly: `handOver` asks a holder that has more than its part to end what is under way and release the lease. One that is not renewed for `ttlSeconds` goes to whoever asks.",
  ],
  access: { kind: "agent" },
  parameters: [],
  body: { description: "What it would poll, and what it gives back.", content: json(leaseRequest) },
  answers: [
    {
      status: 200,
      description: "How it stands with each.",
      content: json(leaseAnswer),
      headers: ["cache-control"],
    },
  ],
  problems: ["json-invalid", "body-too-large", "length-mismatch", "content-encoding-refused", "forbidden"],
};

const diagnostics: Operation = {
  id: "diagnostics",
  group: "Agents",
  method: "POST",
  path: ROUTE.diagnostics,
  summary: "What an agent tells of itself when it is asked",
  description: [
    `Answers a \`diagnostics\` command of a heartbeat's answer: gzip'd JSON of at most ${DIAGNOSTICS.most} bytes, without secrets and without content of files. The newest of each agent are kept. Sent again for the same command it replaces the one before.`,
  ],
  access: { kind: "agent" },
  parameters: [
    {
      ...{ name: "command", in: "query", required: true, schema: uuid },
      description: "The id of the command that asked for it.",
    },
  ],
  body: { description: "The bundle.", content: [{ kind: "bytes", type: DIAGNOSTICS.type }] },
  answers: [
    {
      status: 200,
      description: "It is kept.",
      content: json(diagnosticsAnswer),
      headers: ["cache-control"],
    },
  ],
  problems: ["body-too-large", "length-mismatch", "content-encoding-refused", "forbidden", "not-found"],
};

export const AGENTS: readonly Operation[] = [enroll, heartbeat, leases, diagnostics];
