/** What brings files: one, many, in parts; and what tells that one vanished. */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import {
  bundleLine,
  deliveryAnswer,
  PAX,
  partAnswer,
  ROUTE,
  removalRequest,
  uploadCreated,
  uploadRequest,
  uploadState,
} from "@tributary/shared/protocol.ts";
import { json } from "./content.ts";
import type { Content, Operation } from "./operation.ts";
import * as parameters from "./parameters.ts";

const { CLIENT, IDEMPOTENCY_KEY, LEASE_TERM, MODIFIED_AT, SEALED_AT, SOURCE, UPLOAD_ID } = parameters;

const BYTES: readonly Content[] = [{ kind: "bytes", type: "application/octet-stream" }];

const WHO: readonly ProblemCode[] = [
  "forbidden",
  "client-required",
  "client-not-allowed",
  "source-not-allowed",
];
const JSON_BODY: readonly ProblemCode[] = [
  ...(["json-invalid", "body-too-large", "length-mismatch", "content-encoding-refused"] as const),
];
const ROOM: readonly ProblemCode[] = ["quota-file", "quota-day", "quota-stored", "disk-reserve"];
const COMMIT: readonly ProblemCode[] = [
  "capture-conflict",
  "lease-lost",
  "lake-unavailable",
  "quarantined",
  "discarded",
  "inspection-unavailable",
];
const BYTES_IN: readonly ProblemCode[] = [
  ...(["content-encoding-refused", "digest-invalid", "digest-mismatch", "length-mismatch"] as const),
  ...(["busy", "limit-concurrent"] as const),
];

const created = (more = "") => ({
  status: 201,
  description: `A new version: its bytes are durable, its entry is in the ledger, its line in the manifest.${more}`,
  content: json(deliveryAnswer),
});
const unchanged = {
  status: 200,
  description:
    "`unchanged`: the newest version of this path has these bytes, and you brought it or may read it.",
  content: json(deliveryAnswer),
};

const putFile: Operation = {
  id: "putFile",
  group: "Sending",
  method: "PUT",
  path: `${ROUTE.files}/{source}/{path}`,
  routes: [`${ROUTE.files}/*`, ROUTE.files],
  summary: "Send one file",
  description: [
    "One file in one request, of known or unknown length: what `curl -T` does. The bytes are stored as they come. The answer has a signed receipt; without it nothing was promised: send again, with the same `Idempotency-Key`.",
  ],
  access: { kind: "credentials", scope: "write" },
  parameters: [
    SOURCE,
    parameters.FILE_PATH,
    ...[CLIENT, IDEMPOTENCY_KEY, parameters.REPR_DIGEST, MODIFIED_AT, SEALED_AT, parameters.EXPECT],
    LEASE_TERM,
  ],
  body: { description: "The file, as it is; `Content-Encoding` is refused.", content: BYTES },
  answers: [created(), unchanged],
  problems: [...WHO, ...BYTES_IN, ...ROOM, ...COMMIT, "source-invalid", "path-invalid", "digest-required"],
};

const bundle = (id: string, method: "POST" | "PUT", summary: string): Operation => ({
  id,
  group: "Sending",
  method,
  path: `${ROUTE.bundles}/{source}`,
  routes: [`${ROUTE.bundles}/:source`],
  summary,
  description: [
    "A tar stream, plain, gzip or zstd (seen from its first bytes): each file in it becomes a version, as if it had been sent alone. Folders are passed over; links and devices are refused, each with its own line.",
    `Records that an entry may carry in its PAX header: \`${PAX.captureId}\` (its idempotency key), \`${PAX.sha256}\`, \`${PAX.sealedAt}\`; \`${PAX.client}\` and \`${PAX.source}\` are only compared. What has no captureId gets one that is used once, or, where the request has an \`Idempotency-Key\`, one that follows from that and the path: the same bundle sent again is the same captures.`,
    "The answer begins before the tar has ended: a line for each entry as it becomes durable, `bundleEnd` as the last. An answer without that line was cut: what it did not name is to be sent again.",
  ],
  access: { kind: "credentials", scope: "write" },
  parameters: [
    ...[SOURCE, CLIENT, IDEMPOTENCY_KEY, parameters.CONTENT_ENCODING, LEASE_TERM, parameters.EXPECT],
  ],
  body: {
    description: "The tar stream.",
    content: ["application/x-tar", "application/gzip", "application/zstd", "application/octet-stream"].map(
      (type) => ({ kind: "bytes", type }) as const,
    ),
  },
  answers: [
    {
      status: 200,
      description: "A line for each entry: its receipt, or its problem.",
      content: [{ kind: "lines", type: "application/x-ndjson", schema: bundleLine }],
      headers: ["cache-control", "x-accel-buffering"],
    },
  ],
  problems: [
    ...WHO,
    ...BYTES_IN,
    ...ROOM,
    ...COMMIT,
    ...(["source-invalid", "path-invalid", "bundle-invalid", "bundle-inflated", "entry-refused"] as const),
    "digest-required",
  ],
});

const postBundle = bundle("postBundle", "POST", "Send many small files in one request");
const putBundle = bundle("putBundle", "PUT", "The same, as curl -T sends it");

const postRemoval: Operation = {
  id: "postRemoval",
  group: "Sending",
  method: "POST",
  path: ROUTE.removals,
  summary: "Say that a file vanished",
  description: ["Adds a removal to the history. Nothing in the lake is deleted."],
  access: { kind: "credentials", scope: "remove" },
  parameters: [CLIENT, LEASE_TERM],
  body: { description: "Which file, and the id of this sighting.", content: json(removalRequest) },
  answers: [
    { status: 201, description: "The removal is in the ledger.", content: json(deliveryAnswer) },
    {
      status: 200,
      description: "`unchanged`: there was nothing to remove, or it was removed already.",
      content: json(deliveryAnswer),
    },
  ],
  problems: [
    ...WHO,
    ...JSON_BODY,
    "path-invalid",
    "capture-conflict",
    "lease-lost",
    "disk-reserve",
    "lake-unavailable",
  ],
};

const createUpload: Operation = {
  id: "createUpload",
  group: "Large files in parts",
  method: "POST",
  path: ROUTE.uploads,
  summary: "Begin an upload",
  description: [
    "For files of any size. The answer says the part size; all parts but the last have it. The same create again gives the same upload.",
  ],
  access: { kind: "credentials", scope: "write" },
  parameters: [CLIENT, LEASE_TERM],
  body: {
    description: "The file, with its whole SHA-256 and its capture's id.",
    content: json(uploadRequest),
  },
  answers: [
    {
      status: 201,
      description: "An upload to fill; or, where the capture was delivered before, its receipt.",
      content: json(uploadCreated),
    },
    { ...unchanged, description: `${unchanged.description} No part needs to be sent.` },
  ],
  problems: [
    ...[...WHO, ...JSON_BODY, ...ROOM, ...COMMIT],
    ...(["path-invalid", "upload-too-many-parts", "limit-concurrent"] as const),
  ],
};

const getUpload: Operation = {
  id: "getUpload",
  group: "Large files in parts",
  method: "GET",
  path: `${ROUTE.uploads}/{id}`,
  summary: "Ask which parts are there",
  description: ["After a break: send the parts that are not listed. Only who created an upload sees it."],
  access: { kind: "credentials", scope: "write" },
  parameters: [UPLOAD_ID, CLIENT],
  answers: [{ status: 200, description: "The upload and its parts.", content: json(uploadState) }],
  problems: [...WHO, "upload-unknown", "upload-closed"],
};

const putPart: Operation = {
  id: "putPart",
  group: "Large files in parts",
  method: "PUT",
  path: `${ROUTE.uploads}/{id}/parts/{number}`,
  summary: "Send one part",
  description: [
    "Parts may come in parallel, in any order, through different receivers of the site, and again after any failure.",
  ],
  access: { kind: "credentials", scope: "write" },
  parameters: [UPLOAD_ID, parameters.PART_NUMBER, CLIENT, parameters.CONTENT_DIGEST, parameters.EXPECT],
  body: { description: "The part's bytes.", content: BYTES },
  answers: [{ status: 200, description: "The part is durable.", content: json(partAnswer) }],
  problems: [
    ...[...WHO, ...BYTES_IN, ...ROOM],
    ...([
      "upload-unknown",
      "upload-closed",
      "upload-busy",
      "part-invalid",
      "part-size",
      "part-conflict",
    ] as const),
    ...(["digest-required", "lake-unavailable"] as const),
  ],
};

const completeUpload: Operation = {
  id: "completeUpload",
  group: "Large files in parts",
  method: "POST",
  path: `${ROUTE.uploads}/{id}/complete`,
  summary: "Complete an upload",
  description: [
    "Once all parts are there. The whole SHA-256 is the receiver's own finding; where it differs from the declared one, nothing is recorded and the upload is over. Complete again gives the same answer.",
  ],
  access: { kind: "credentials", scope: "write" },
  parameters: [UPLOAD_ID, CLIENT, LEASE_TERM],
  answers: [created(), unchanged],
  problems: [
    ...[...WHO, ...ROOM, ...COMMIT],
    ...(["upload-unknown", "upload-closed", "upload-busy", "parts-missing", "digest-mismatch"] as const),
    ...(["busy", "limit-concurrent"] as const),
  ],
};

const abortUpload: Operation = {
  id: "abortUpload",
  group: "Large files in parts",
  method: "DELETE",
  path: `${ROUTE.uploads}/{id}`,
  summary: "Give an upload up",
  description: ["Its parts are thrown away. Uploads that nobody touches for 7 days are swept without it."],
  access: { kind: "credentials", scope: "write" },
  parameters: [UPLOAD_ID, CLIENT],
  answers: [{ status: 204, description: "It is gone.", content: [] }],
  problems: [...WHO, "upload-unknown", "upload-closed", "upload-busy", "lake-unavailable"],
};

export const SENDING: readonly Operation[] = [putFile, postBundle, putBundle, postRemoval];
export const PARTS: readonly Operation[] = [createUpload, putPart, getUpload, completeUpload, abortUpload];
