/** What is read: history, bytes, events; what agents say; what everybody may ask. */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import {
  clientPage,
  enrollAnswer,
  enrollRequest,
  entry,
  entryPage,
  eventPage,
  heartbeatAnswer,
  heartbeatRequest,
  jwks,
  ROUTE,
} from "@tributary/shared/protocol.ts";
import { z } from "zod";
import type { Answer, Content, Operation } from "./operation.ts";
import * as parameters from "./parameters.ts";

const json = (schema: z.ZodType): readonly Content[] => [{ kind: "json", type: "application/json", schema }];
const READ = { kind: "credentials", scope: "read" } as const;
const MAY_NOT: readonly ProblemCode[] = ["forbidden", "client-not-allowed", "source-not-allowed"];

/** Whole, a range, or nothing that is known already. */
function bytes(what: string, types: readonly string[], own: readonly string[]): readonly Answer[] {
  const always = ["accept-ranges", "cache-control", "etag", "repr-digest", "x-content-type-options", ...own];
  const content = types.map((type) => ({ kind: "bytes", type }) as const);
  return [
    { status: 200, description: what, content, headers: [...always, "content-length"] },
    {
      status: 206,
      description: "The range that was asked for.",
      content,
      headers: [...always, "content-length", "content-range"],
    },
    { status: 304, description: "It is what you have.", content: [], headers: always },
  ];
}

const listClients: Operation = {
  id: "listClients",
  group: "Reading",
  method: "GET",
  path: ROUTE.clients,
  summary: "Which clients these credentials act for",
  description: ["Needs no scope: a good first call, to see whether a key works."],
  access: { kind: "credentials", scope: undefined },
  parameters: [],
  answers: [{ status: 200, description: "The clients.", content: json(clientPage) }],
  problems: [],
};

const listVersions: Operation = {
  id: "listVersions",
  group: "Reading",
  method: "GET",
  path: ROUTE.versions,
  summary: "The history, in pages",
  description: [
    "Entries in the ledger's order, every filter as you like. Ask again with `cursor` until it is `null`. `kind` is `version` or `removal`; more kinds may come, so skip those that you do not know.",
  ],
  access: READ,
  parameters: [
    ...[parameters.Q_CLIENT, parameters.Q_SOURCE, parameters.Q_PATH, parameters.Q_AS_OF, parameters.Q_LATEST],
    ...[parameters.Q_LIMIT, parameters.Q_CURSOR, parameters.CLIENT],
  ],
  answers: [{ status: 200, description: "A page.", content: json(entryPage) }],
  problems: [...MAY_NOT, "cursor-invalid", "cursor-gone", "path-invalid"],
};

const getVersion: Operation = {
  id: "getVersion",
  group: "Reading",
  method: "GET",
  path: `${ROUTE.versions}/{id}`,
  summary: "One entry",
  description: ["What is another's answers exactly like what does not exist: 404."],
  access: READ,
  parameters: [parameters.VERSION_ID],
  answers: [{ status: 200, description: "The entry.", content: json(entry) }],
  problems: [...MAY_NOT, "not-found"],
};

const getContent: Operation = {
  id: "getContent",
  group: "Reading",
  method: "GET",
  path: `${ROUTE.versions}/{id}/content`,
  summary: "The bytes of a version",
  description: [
    "Exactly as they were sent. `HEAD` answers the headers alone. A removal has no content: 404.",
  ],
  access: READ,
  parameters: [parameters.VERSION_ID, parameters.RANGE, parameters.IF_RANGE, parameters.IF_NONE_MATCH],
  answers: bytes("The whole.", ["application/octet-stream"], ["content-disposition"]),
  problems: [...MAY_NOT, "not-found", "range-invalid", "lake-unavailable"],
};

const listEvents: Operation = {
  id: "listEvents",
  group: "Reading",
  method: "GET",
  path: ROUTE.events,
  summary: "Follow what arrives",
  description: [
    "Entries in commit order. Keep `cursor` and ask again; it is there also when the list is empty. A reader that follows its cursor misses nothing, also with several receivers.",
    "With `Accept: text/event-stream` the same comes as server-sent events over a connection that stays open: `id` is the cursor, `event` the entry's kind, `data` the entry.",
    "After a rebuild an old cursor gets `cursor-gone`: begin again without one and skip the `versionId`s that you have.",
  ],
  access: READ,
  parameters: [
    ...[parameters.Q_CURSOR, parameters.Q_LIMIT, parameters.Q_CLIENT, parameters.Q_SOURCE],
    ...[parameters.LAST_EVENT_ID, parameters.ACCEPT_EVENTS],
  ],
  answers: [
    {
      status: 200,
      description: "A page, or the stream.",
      content: [...json(eventPage), { kind: "events", type: "text/event-stream", schema: entry }],
      optionalHeaders: ["cache-control", "x-accel-buffering"],
    },
  ],
  problems: [...MAY_NOT, "cursor-invalid", "cursor-gone"],
};

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
  problems: ["json-invalid", "body-too-large", "length-mismatch", "forbidden"],
};

const PUBLIC = { group: "For everybody", method: "GET", access: { kind: "everybody" } } as const;

const getJwks: Operation = {
  ...PUBLIC,
  id: "getJwks",
  path: ROUTE.jwks,
  summary: "The keys that receipts are signed with",
  description: ["Retired ones too. Any JOSE library verifies a receipt with them."],
  parameters: [],
  answers: [{ status: 200, description: "A JWK set.", content: json(jwks), headers: ["cache-control"] }],
  problems: [],
};

const getOpenapi: Operation = {
  ...PUBLIC,
  id: "getOpenapi",
  path: ROUTE.openapi,
  summary: "This document",
  description: ["OpenAPI 3.1, with the address that you asked as its server."],
  parameters: [parameters.IF_NONE_MATCH],
  answers: [
    {
      status: 200,
      description: "The document.",
      content: json(z.looseObject({ openapi: z.string().regex(/^3\.1\./) })),
      headers: ["cache-control", "etag"],
    },
    { status: 304, description: "It is what you have.", content: [], headers: ["cache-control", "etag"] },
  ],
  problems: [],
};

const PAGE_HEADERS = [
  ...["cache-control", "etag", "content-security-policy", "referrer-policy", "x-content-type-options"],
];

const getDocs: Operation = {
  ...PUBLIC,
  id: "getDocs",
  path: ROUTE.docs,
  summary: "The page for people",
  description: ["The same as this document, to read."],
  parameters: [parameters.IF_NONE_MATCH],
  answers: [
    {
      status: 200,
      description: "HTML.",
      content: [{ kind: "text", type: "text/html" }],
      headers: PAGE_HEADERS,
    },
    { status: 304, description: "It is what you have.", content: [], headers: PAGE_HEADERS },
  ],
  problems: [],
};

const listInstall: Operation = {
  ...PUBLIC,
  id: "listInstall",
  path: `${ROUTE.install}/`,
  summary: "The agent's packages",
  description: ["A line each: SHA-256, two blanks, name; as `sha256sum --check` reads it."],
  parameters: [],
  answers: [
    {
      status: 200,
      description: "The list.",
      content: [{ kind: "text", type: "text/plain" }],
      headers: ["cache-control"],
    },
  ],
  problems: [],
};

const getInstall: Operation = {
  ...PUBLIC,
  id: "getInstall",
  path: `${ROUTE.install}/{file}`,
  summary: "One of the packages, or the script that installs it",
  description: ["`HEAD` answers the headers alone."],
  parameters: [parameters.INSTALL_FILE, parameters.RANGE, parameters.IF_RANGE, parameters.IF_NONE_MATCH],
  answers: bytes("The whole.", ["*/*"], []),
  problems: ["not-found", "range-invalid", "busy"],
};

const status = (text: string): readonly Content[] => json(z.object({ status: z.literal(text) }));

const healthz: Operation = {
  ...PUBLIC,
  id: "healthz",
  path: "/healthz",
  summary: "Whether the process lives",
  description: [],
  parameters: [],
  answers: [{ status: 200, description: "It lives.", content: status("alive") }],
  problems: [],
};

const readyz: Operation = {
  ...PUBLIC,
  id: "readyz",
  path: "/readyz",
  summary: "Whether lake and ledger answer",
  description: ["What a load balancer asks. 503 as soon as the receiver is told to stop."],
  parameters: [],
  answers: [{ status: 200, description: "It takes files.", content: status("ready") }],
  problems: ["stopping", "lake-unavailable", "ledger-unavailable"],
};

const metrics: Operation = {
  ...PUBLIC,
  id: "metrics",
  path: "/metrics",
  summary: "Prometheus",
  description: ["Only for the addresses in `metricsFrom`; for all others there is nothing."],
  parameters: [],
  answers: [{ status: 200, description: "The metrics.", content: [{ kind: "text", type: "text/plain" }] }],
  problems: ["not-found"],
};

export const READING: readonly Operation[] = [listClients, listVersions, getVersion, getContent, listEvents];
export const AGENTS: readonly Operation[] = [enroll, heartbeat];
export const EVERYBODY: readonly Operation[] = [
  ...[getJwks, getOpenapi, getDocs, listInstall, getInstall, healthz, readyz, metrics],
];
