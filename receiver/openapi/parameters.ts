/** Parameters and headers that several calls share. */
import { captureKey, HEADER, instant, slug, uuid } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import type { Parameter } from "./operation.ts";

/** RFC 9530: SHA-256 in base64 between colons. */
const digestField = z.string().regex(/^sha-256=:[A-Za-z0-9+/]{43}=:$/);
const DIGEST_EXAMPLE = "sha-256=:MeJjcCJcCFWwlm9Ot7CCD+qgfQhvExcjxjYoAeyIBBM=:";

const header = (
  name: string,
  schema: z.ZodType,
  description: string,
  more: Partial<Parameter> = {},
): Parameter => ({ name: headerName(name), in: "header", required: false, schema, description, ...more });

const query = (name: string, schema: z.ZodType, description: string): Parameter => ({
  ...{ name, in: "query", required: false, schema, description },
});

const segment = (name: string, schema: z.ZodType, description: string, example?: string): Parameter => ({
  ...{ name, in: "path", required: true, schema, description },
  ...(example === undefined ? {} : { example }),
});

/** As headers are written for people: `x-request-id` -> `X-Request-Id`. */
export function headerName(name: string): string {
  if (name.startsWith("ratelimit")) return name.replace("ratelimit", "RateLimit").replace("-p", "-P");
  return name === "etag" ? "ETag" : name.replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

export const SOURCE = segment(
  "source",
  slug,
  "The source, unique per client. It needs no setting up: it is there with its first file.",
  "pos",
);

export const FILE_PATH = segment(
  "path",
  z.string().min(1),
  "The file's path inside the source. It may contain slashes, which stay as they are: `2026/01/sales.csv` is one value. Every other byte that is not allowed in a URL is percent-encoded; `a=b` and `a%3Db` mean the same bytes. Refused is only what cannot be a path inside a source: empty, absolute, an empty segment, NUL, `.`, `..` or a drive letter as a segment (split on `/` or on `\\`), longer than 4,096 bytes.",
  "2026/01/sales.csv",
);

export const UPLOAD_ID = segment("id", uuid, "`uploadId` of the create.");
export const VERSION_ID = segment("id", uuid, "`versionId` of the entry.");
export const PART_NUMBER = segment(
  "number",
  z.int().min(1).max(10_000),
  "Which part: the first is 1, the last is `partCount`.",
  "1",
);
export const INSTALL_FILE = segment("file", z.string().min(1), "A name out of the list.");

export const CLIENT = header(
  HEADER.client,
  slug,
  "Which client; needed only when the credentials act for several.",
);

export const IDEMPOTENCY_KEY = header(
  HEADER.idempotencyKey,
  captureKey,
  "One id for this capture of the file, kept for every retry: the same id with the same content gives the same receipt again. Agents must send it; without it each request is a capture of its own. Quotes around it are not part of it.",
  { example: "till-7-42" },
);

export const CONTENT_ENCODING = header(
  "content-encoding",
  z.enum(["identity", "gzip", "zstd"]),
  "How the tar stream is packed; without it the first bytes tell.",
);

export const REPR_DIGEST = header(
  HEADER.reprDigest,
  digestField,
  "SHA-256 of the file (RFC 9530), compared with what arrives. Agents must send it. `Content-Digest` is taken as well.",
  { example: DIGEST_EXAMPLE },
);

export const CONTENT_DIGEST = header(
  HEADER.contentDigest,
  digestField,
  "SHA-256 of this part (RFC 9530). `Repr-Digest` is taken as well.",
  { required: true, example: DIGEST_EXAMPLE },
);

export const MODIFIED_AT = header(
  HEADER.modifiedAt,
  instant,
  "When the file was last changed at the client.",
);
export const SEALED_AT = header(HEADER.sealedAt, instant, "When the sender read it.");

export const LEASE_TERM = header(
  HEADER.lease,
  z.int().positive(),
  "The term of your lease of the source (agents alone have one): once another agent has taken it over, `lease-lost`.",
);

export const EXPECT = header(
  "expect",
  z.literal("100-continue"),
  "The receiver looks at the headers first: what is refused costs no body.",
);

export const RANGE = header(
  "range",
  z.string(),
  "One range of bytes (RFC 9110, 14). Several at once are answered with the whole.",
  {
    example: "bytes=0-1023",
  },
);
export const IF_RANGE = header(
  "if-range",
  z.string(),
  "The ETag of what is there already; another content is sent whole.",
);
export const IF_NONE_MATCH = header(
  "if-none-match",
  z.string(),
  "ETags that are known: 304 when it is one of them.",
);

export const Q_CLIENT = query("client", slug, "Only this client.");
export const Q_SOURCE = query("source", slug, "Only this source.");
export const Q_LIMIT = query("limit", z.int().min(1).max(1000).default(100), "The most entries of a page.");
export const Q_CURSOR = query("cursor", z.string(), "`cursor` of the page before; opaque.");
export const Q_PATH = query("path", z.string(), "Exactly this path, percent-encoded.");
export const Q_AS_OF = query("asOf", instant, "The ledger as it stood then.");
export const Q_LATEST = query(
  "latest",
  z.enum(["true", "false"]),
  "`true`: the newest version of each path that is not removed.",
);
export const Q_REMOVALS = query(
  "removals",
  z.enum(["true", "false"]),
  "`true`, with `latest`: the newest entry of each path, also where it is a removal.",
);
export const LAST_EVENT_ID = header(
  "last-event-id",
  z.string(),
  "A cursor, as browsers send it; wins over `cursor`.",
);
export const ACCEPT_EVENTS = header(
  "accept",
  z.string(),
  "`text/event-stream` for a stream that stays open; anything else gives a page.",
);

/** Headers of answers. `strict-transport-security` is not among them: it is HTTP's own business, as `date` is. */
export const ANSWER_HEADERS: Readonly<
  Record<string, { readonly schema: z.ZodType; readonly description: string }>
> = {
  [HEADER.requestId]: {
    schema: z.string().min(1).max(64),
    description: "Finds this request in the receiver's log. Your own is taken: 1 to 64 of `A-Za-z0-9._-`.",
  },
  "retry-after": {
    schema: z.string().regex(/^\d+$/),
    description: "Seconds after which a retry is sensible, where known.",
  },
  ratelimit: {
    schema: z.string(),
    description:
      'How the limits of requests stand: `"client";r=421;t=37` has 421 left, for 37 s (draft-ietf-httpapi-ratelimit-headers).',
  },
  "ratelimit-policy": {
    schema: z.string(),
    description: 'The limits of requests: `"client";q=600;w=60` are 600 in 60 s.',
  },
  "www-authenticate": { schema: z.literal("Bearer"), description: "With 401." },
  "cache-control": { schema: z.string(), description: "Whether it may be kept." },
  "accept-ranges": { schema: z.literal("bytes"), description: "`Range` is taken." },
  "content-length": { schema: z.string().regex(/^\d+$/), description: "Bytes of this answer." },
  "content-range": {
    schema: z.string().regex(/^bytes (?:\d+-\d+|\*)\/\d+$/),
    description: "Which bytes, of how many; with 416 `bytes */15`: how many there are.",
  },
  "content-disposition": {
    schema: z.literal("attachment"),
    description: "A browser saves it, and never shows it.",
  },
  "content-security-policy": { schema: z.string(), description: "The page runs nothing and loads nothing." },
  "x-content-type-options": { schema: z.literal("nosniff"), description: "The type is what it says." },
  "x-accel-buffering": { schema: z.literal("no"), description: "A proxy passes it on at once." },
  "referrer-policy": {
    schema: z.literal("no-referrer"),
    description: "Links tell nobody where they were followed.",
  },
  "repr-digest": { schema: digestField, description: "SHA-256 of the whole file (RFC 9530)." },
  etag: {
    schema: z.string().regex(/^"[0-9a-f]{64}"$/),
    description: "SHA-256 of the whole content, in hex.",
  },
};
