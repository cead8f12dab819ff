/** What is read: history, bytes, events. */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import { clientPage, entry, entryPage, eventPage, ROUTE } from "@tributary/shared/protocol.ts";
import { bytesAnswers, json } from "./content.ts";
import type { Operation } from "./operation.ts";
import * as parameters from "./parameters.ts";

const READ = { kind: "credentials", scope: "read" } as const;
const MAY_NOT: readonly ProblemCode[] = ["forbidden", "client-not-allowed", "source-not-allowed"];

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
    "An agent that holds the lease of a source reads its whole history, whoever brought it, with `Tributary-Lease`, `client` and `source`.",
  ],
  access: READ,
  parameters: [
    ...[parameters.Q_CLIENT, parameters.Q_SOURCE, parameters.Q_PATH, parameters.Q_AS_OF, parameters.Q_LATEST],
    ...[parameters.Q_REMOVALS, parameters.Q_LIMIT, parameters.Q_CURSOR, parameters.CLIENT],
    parameters.LEASE_TERM,
  ],
  answers: [{ status: 200, description: "A page.", content: json(entryPage) }],
  problems: [...MAY_NOT, "client-required", "lease-lost", "cursor-invalid", "cursor-gone", "path-invalid"],
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

const getReceipt: Operation = {
  id: "getReceipt",
  group: "Reading",
  method: "GET",
  path: `${ROUTE.versions}/{id}/receipt`,
  summary: "The receipt of an entry",
  description: [
    "The text that was given for it, whichever way it came: a compact JWS that anybody can verify with the keys of `/.well-known/jwks.json`, such as `tributary-agent receipt verify`.",
  ],
  access: READ,
  parameters: [parameters.VERSION_ID],
  answers: [
    { status: 200, description: "The receipt.", content: [{ kind: "bytes", type: "application/jose" }] },
  ],
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
  answers: bytesAnswers("The whole.", ["application/octet-stream"], ["content-disposition"]),
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
    "A reader of a stream that takes nothing for a minute loses its connection, and goes on from its last `id`. One key or agent has at most 16 streams.",
    "After a rebuild an old cursor gets `cursor-gone`: begin again without one and skip the `versionId`s that you have.",
  ],
  access: READ,
  parameters: [
    ...[parameters.Q_CURSOR, parameters.Q_LIMIT, parameters.Q_CLIENT, parameters.Q_SOURCE],
    ...[parameters.LAST_EVENT_ID, parameters.ACCEPT_EVENTS, parameters.CLIENT],
  ],
  answers: [
    {
      status: 200,
      description: "A page, or the stream.",
      content: [...json(eventPage), { kind: "events", type: "text/event-stream", schema: entry }],
      optionalHeaders: ["cache-control", "x-accel-buffering"],
    },
  ],
  problems: [...MAY_NOT, "cursor-invalid", "cursor-gone", "busy"],
};

export const READING: readonly Operation[] = [
  listClients,
  listVersions,
  getVersion,
  getReceipt,
  getContent,
  listEvents,
];
