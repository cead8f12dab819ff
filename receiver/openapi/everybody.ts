/** What everybody may ask. */
import { jwks, ROUTE } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import { bytesAnswers, json } from "./content.ts";
import type { Content, Operation } from "./operation.ts";
import * as parameters from "./parameters.ts";

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
  answers: bytesAnswers("The whole.", ["*/*"], []),
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
  summary: "Whether lake, ledger and inspection answer",
  description: ["What a load balancer asks. 503 as soon as the receiver is told to stop."],
  parameters: [],
  answers: [{ status: 200, description: "It takes files.", content: status("ready") }],
  problems: ["stopping", "lake-unavailable", "ledger-unavailable", "inspection-unavailable"],
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

export const EVERYBODY: readonly Operation[] = [
  ...[getJwks, getOpenapi, getDocs, listInstall, getInstall, healthz, readyz, metrics],
];
