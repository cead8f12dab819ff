/**
 * The wire between agents, programs and the receiver: every route's body and answer as a zod schema, every
 * header's name. Both sides import this file and nothing else of each other; OpenAPI is made from it.
 * Sizes are bytes, times RFC 3339 in UTC with milliseconds, digests SHA-256 in lower-case hex unless a header says otherwise.
 */
import { z } from "zod";

/** Bytes of a request line and headers together: a path of 4,096 bytes, escaped, stands in both the line and the token. */
export const MOST_HEADER_BYTES = 64 * 2 ** 10;

export const HEADER = {
  client: "tributary-client",
  idempotencyKey: "idempotency-key",
  reprDigest: "repr-digest",
  contentDigest: "content-digest",
  modifiedAt: "tributary-modified-at",
  sealedAt: "tributary-sealed-at",
  lease: "tributary-lease",
  requestId: "x-request-id",
} as const;

export const ROUTE = {
  enroll: "/v1/enroll",
  heartbeat: "/v1/heartbeat",
  leases: "/v1/leases",
  diagnostics: "/v1/diagnostics",
  files: "/v1/files",
  bundles: "/v1/bundles",
  uploads: "/v1/uploads",
  removals: "/v1/removals",
  clients: "/v1/clients",
  versions: "/v1/versions",
  events: "/v1/events",
  jwks: "/.well-known/jwks.json",
  openapi: "/openapi.json",
  docs: "/docs",
  install: "/install",
} as const;

/** A proxy in between caps bodies at 100 MB, so no part is larger; S3 wants at least 5 MiB and at most 10,000. */
export const PARTS = { smallest: 8 * 2 ** 20, largest: 95 * 2 ** 20, most: 10_000 } as const;

/** The part size for a file of this size, or undefined when 10,000 parts cannot hold it. Every part but the last has it. */
export function partSizeFor(size: number): number | undefined {
  const needed = Math.ceil(size / PARTS.most / 2 ** 20) * 2 ** 20;
  const partSize = Math.max(PARTS.smallest, needed);
  return partSize > PARTS.largest ? undefined : partSize;
}

export const slug = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "a slug: a-z, 0-9 and -, at most 63, not beginning with -");
export const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "a UUID in lower case");
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 as 64 lower-case hex digits");
const INSTANT = "an RFC 3339 time such as 2026-01-31T05:00:00Z";
/** Nanoseconds and an offset fit; RFC 3339 itself knows no end of the digits of a fraction. */
export const instant = z.iso.datetime({ offset: true, error: INSTANT }).max(40, INSTANT);
const size = z.int().nonnegative();
/** Any text: what is no path is refused by the codec, under the name that it has in a URL too. */
const pathEncoded = z.string();

/** Idempotency-Key: an agent sends its captureId (UUIDv7); a program may send any token of this shape. */
export const captureKey = z.string().regex(/^[A-Za-z0-9._~:-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 . _ ~ : -");

/** created: a new version. unchanged: the newest version of this path has these bytes. removed: a removal entry. */
export const deliveryStatus = z.enum(["created", "unchanged", "removed"]);

/** The answer of every door that takes a file or a removal. */
export const deliveryAnswer = z.object({
  status: deliveryStatus.describe(
    "a new version; the newest version of this path has these bytes; or a removal",
  ),
  versionId: uuid.describe("the entry in the ledger that the receipt is for"),
  client: slug,
  source: slug,
  path: z.string().describe("for reading: bytes that are not UTF-8 are shown as U+FFFD"),
  pathEncoded: pathEncoded.describe("the identity of the path"),
  size: size.nullable().describe("bytes, as the receiver counted them; null for a removal"),
  sha256: sha256Hex.nullable().describe("as the receiver found it; null for a removal"),
  captureId: captureKey.describe("the Idempotency-Key"),
  receivedAt: instant.describe("when it was committed, by the ledger's clock"),
  receipt: z.string().describe("the signed receipt, a compact JWS"),
});
export type DeliveryAnswer = z.infer<typeof deliveryAnswer>;

/** RFC 9457, as every failure looks on the wire; `code` is one of `problems.ts`, `retryAfter` in seconds. */
export const wireProblem = z.object({
  type: z.string().describe("urn:tributary:problem: and the code"),
  title: z.string().describe("what the code means"),
  status: z.int(),
  code: z.string().describe("stable: what programs match on"),
  detail: z.string().optional().describe("for people: what happened, to what, what to do"),
  requestId: z.string().optional().describe("finds it in the receiver's log"),
  retryAfter: z.number().optional().describe("seconds"),
});

/** Records that a tar entry of a bundle may carry in its PAX header, beside the standard ones. */
export const PAX = {
  captureId: "TRIBUTARY.captureId",
  sha256: "TRIBUTARY.sha256",
  sealedAt: "TRIBUTARY.sealedAt",
  /** Only compared: an entry for another client or source than the request is for is refused. */
  client: "TRIBUTARY.client",
  source: "TRIBUTARY.source",
} as const;

const entryNumber = z.int().positive().describe("which entry of the tar stream, the first is 1");

/** A line of a bundle's answer: this entry is durable, with the receipt that a PUT would have had. */
export const bundleReceipt = deliveryAnswer.extend({ entry: entryNumber });
/** This entry was not taken; or, with `entry` null, the rest of the bundle was not. */
export const bundleProblem = z.object({
  entry: entryNumber.nullable(),
  path: z.string().optional().describe("the entry's name, for reading"),
  captureId: captureKey.optional(),
  problem: wireProblem,
});
/** The last line. An answer without it was cut: what it did not name is to be sent again. */
export const bundleEnd = z.object({
  end: z.literal(true),
  complete: z.boolean().describe("whether the tar stream was read to its end"),
  delivered: size.describe("lines with a receipt"),
  refused: size.describe("lines with a problem"),
});
/** What `POST /v1/bundles/{source}` answers, one JSON object a line (NDJSON), as the entries become durable. */
export const bundleLine = z.union([bundleReceipt, bundleProblem, bundleEnd]);
export type BundleLine = z.infer<typeof bundleLine>;

export const enrollRequest = z.object({
  secret: z.string().min(16).max(200),
  publicKey: z.object({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  }),
  host: z.string().max(255),
  platform: z.string().max(100),
  version: z.string().max(50),
});
export type EnrollRequest = z.infer<typeof enrollRequest>;

export const jwks = z.object({
  keys: z.array(
    z.object({
      kty: z.literal("OKP"),
      crv: z.literal("Ed25519"),
      x: z.string(),
      kid: z.string(),
      alg: z.literal("EdDSA"),
      use: z.literal("sig"),
    }),
  ),
});
export type Jwks = z.infer<typeof jwks>;

/** What an agent trusts as the receiver's certificate: these authorities, and the system's own when `system`. */
export const trustSet = z.object({ authorities: z.array(z.string()), system: z.boolean() });
export type TrustSet = z.infer<typeof trustSet>;

export const enrollAnswer = z.object({
  agentId: uuid,
  name: z.string(),
  site: uuid,
  clients: z.array(slug).min(1),
  jwks,
  trust: trustSet,
  nonce: z.string(),
  heartbeatSeconds: z.number().positive(),
});
export type EnrollAnswer = z.infer<typeof enrollAnswer>;

/** Characters of what an agent says in words. Its sender cuts them: a hundred problems fit a JSON body in any script. */
export const WORDS_MOST = 500;
const words = z.string().max(WORDS_MOST);

/** Where a file waits on its way from a source to the receiver. */
export const stage = z.enum(["settling", "sealing", "queued", "sending"]);
export type Stage = z.infer<typeof stage>;

/** The closed list of what holds files up. A receiver that meets another one, of a newer agent, reads it as `other`. */
export const HELD_REASONS = [
  "still-changing",
  "locked",
  "unreadable",
  "source-unreachable",
  "root-changed",
  "spool-full",
  "disk-full",
  "paused",
  "outside-schedule",
  "bandwidth",
  "receiver-unreachable",
  "receiver-refuses",
  "retry-after",
  "quota",
  "client-suspended",
  "lease-elsewhere",
  "agent-stopped",
  "other",
] as const;
export type HeldReason = (typeof HELD_REASONS)[number];

/** So many files wait at this stage for this reason. */
export const held = z.object({
  stage,
  reason: z.enum(HELD_REASONS).catch("other"),
  count: size.describe("files; of a folder or source that cannot be read 1, whatever is in it"),
  since: instant.optional(),
  path: words.optional().describe("one of them, for reading"),
});
export type Held = z.infer<typeof held>;

/** Entries of `held`: of one source, of the agent, and of all in one heartbeat. */
export const HELD = { source: 5, agent: 20, all: 100 } as const;

/** Sources whose pipe is told in one heartbeat: those with most in it. */
export const MOST_PIPES = 1_000;

const amount = z.object({ files: size, bytes: size });

/** What is in the pipe between a source, or all of an agent's, and the receiver. */
export const pipe = z.object({
  settling: size.describe("files that are waited for, those that are being sealed among them"),
  sealing: size.describe("files that are being read, or are about to be"),
  queued: amount.extend({ oldestSealedAt: instant.optional() }),
  sending: amount.extend({
    files: size.describe("of those that are queued: on their way now"),
    bytes: size.describe("that left of them so far"),
    bytesPerSecond: size.describe("that left, over the last 10 s"),
  }),
  aside: size.describe("files that are set aside: not sent again by themselves"),
  delivered: amount.extend({
    day: z.iso.date().describe("the UTC day of which files and bytes were delivered, by the agent's clock"),
  }),
  held: z.array(held).max(HELD.agent).describe("why things wait; what is not named here is on its way"),
});
export type Pipe = z.infer<typeof pipe>;

export const sourceState = z.object({
  name: slug,
  client: slug,
  kind: z.string().max(100),
  reachable: z.boolean(),
  reason: words.optional(),
  files: size,
  settling: size,
  lastScanAt: instant.optional(),
  nextScanAt: instant.optional(),
  problems: size,
  pipe: pipe.optional().describe("left out: nothing is in it, or others have more"),
});

/** The closed list of what the centre may ask of an agent. */
export const COMMANDS = ["scan", "diagnostics"] as const;
export type CommandKind = (typeof COMMANDS)[number];

/** What became of a command. */
export const commandOutcome = z.object({
  id: uuid,
  ok: z.boolean(),
  detail: words.describe("for people"),
});
export type CommandOutcome = z.infer<typeof commandOutcome>;

/** Outcomes told in one heartbeat; those that do not fit are told in the next. */
export const MOST_OUTCOMES = 50;

/** Agents of before say none of what is optional here. */
export const heartbeatRequest = z.object({
  nonce: z.string().max(200),
  version: z.string().max(50),
  host: z.string().max(255),
  clock: instant,
  skewMs: z.number(),
  queue: z.object({ depth: size, bytes: size, oldestSealedAt: instant.optional(), aside: size }),
  sources: z.array(sourceState).max(10_000),
  problems: z
    .array(
      z.object({
        source: z.string().max(100),
        path: words,
        code: z.string().max(100),
        detail: words,
        since: instant,
      }),
    )
    .max(100),
  configurationRevision: size,
  knows: z
    .array(z.string().max(50))
    .max(50)
    .optional()
    .describe("the commands, and `pause`, that this version of the agent can carry out"),
  denies: z
    .array(z.string().max(50))
    .max(50)
    .optional()
    .describe("those of them that agent.yaml of its host does not allow"),
  paused: z.boolean().optional().describe("nothing leaves, as the centre wished; capturing goes on"),
  done: z.array(commandOutcome).max(MOST_OUTCOMES).optional().describe("told until an answer comes"),
  pipe: pipe.optional().describe("of all sources together"),
});
export type HeartbeatRequest = z.infer<typeof heartbeatRequest>;
export type SourceState = z.infer<typeof sourceState>;

/**
 * What the centre asks of an agent. An agent that says what it `knows` is asked for nothing else, with an `id` under which
 * it tells what became of it; it may be asked twice. One of before is asked for scans alone, once, without an id.
 */
export const command = z.object({
  id: uuid.optional(),
  kind: z
    .string()
    .max(50)
    .describe("scan, diagnostics; one that the agent does not know it tells as not done"),
  source: slug.optional().describe("of a scan: this source alone"),
  by: words.optional().describe("who asked"),
});
export type Command = z.infer<typeof command>;

export const heartbeatAnswer = z.object({
  nonce: z.string(),
  heartbeatSeconds: z.number().positive().describe("fewer than usual while somebody waits for an answer"),
  configurationRevision: size,
  clients: z.array(slug),
  trust: trustSet,
  jwks,
  commands: z.array(command),
  paused: z.boolean().optional().describe("nothing shall leave; left out: it may"),
  pausedBy: words.optional(),
});
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswer>;

/** A diagnostics bundle is gzip'd JSON; `most` bytes of it, and unpacked, are taken. */
export const DIAGNOSTICS = { most: 2 ** 20, mostUnpacked: 16 * 2 ** 20, type: "application/gzip" } as const;

export const diagnosticsAnswer = z.object({ id: uuid.describe("of the bundle, as it is kept now") });

/** A lease is good for `ttlSeconds` after it was last asked for, and asked for again every `renewSeconds`. `most` in one call. */
export const LEASE = { ttlSeconds: 30, renewSeconds: 10, most: 10_000 } as const;

const term = z
  .int()
  .positive()
  .describe("names one holding of a lease: another at each change of holder, and always a greater one");

/** One call asks for all, and renews all that is held. What is not asked for runs out; what is released is free at once. */
export const leaseRequest = z.object({
  wants: z
    .array(z.object({ client: slug, source: slug }))
    .max(LEASE.most)
    .describe("all that it would poll"),
  releases: z
    .array(z.object({ client: slug, source: slug, term }))
    .max(LEASE.most)
    .describe("what it gives back"),
});
export type LeaseRequest = z.infer<typeof leaseRequest>;

const leased = z.object({ client: slug, source: slug });

/** How it stands with one lease that was asked for. */
export const leaseState = z.discriminatedUnion("held", [
  leased.extend({
    held: z.literal(true),
    term,
    handOver: z.boolean().describe("another shall have it: end what is under way, then release it"),
  }),
  leased.extend({
    held: z.literal(false),
    holder: z.string().nullable().describe("the name of the agent that has it; null: nobody"),
    refused: z
      .enum(["client-not-allowed", "client-suspended"])
      .optional()
      .describe("why it cannot be had whoever has it: the code of a problem"),
  }),
]);
export type LeaseState = z.infer<typeof leaseState>;

export const leaseAnswer = z.object({
  ttlSeconds: z.number().positive().describe("how long a lease is good without being asked for again"),
  renewSeconds: z.number().positive().describe("how often to ask, at the least"),
  leases: z.array(leaseState).describe("one for each that was asked for, in their order"),
});
export type LeaseAnswer = z.infer<typeof leaseAnswer>;

/** `partDigests`, when given, lets the receiver answer which parts it does not need (kept for delta transfer). */
export const uploadRequest = z.object({
  source: slug,
  pathEncoded: pathEncoded.describe("the path, percent-encoded; slashes stay as they are"),
  size: size.describe("bytes of the whole file"),
  sha256: sha256Hex.describe("of the whole file"),
  captureId: captureKey.describe("the Idempotency-Key of this capture"),
  modifiedAt: instant.optional().describe("when the file was last changed at the client"),
  sealedAt: instant.optional().describe("when the sender read it"),
  partDigests: z
    .array(sha256Hex)
    .max(PARTS.most)
    .optional()
    .describe("of each part, in order; may be left out"),
});
export type UploadRequest = z.infer<typeof uploadRequest>;

export const uploadState = z.object({
  uploadId: uuid,
  partSize: size.describe("bytes of every part but the last"),
  partCount: size,
  parts: z
    .array(z.object({ number: z.int().positive(), size, sha256: sha256Hex }))
    .describe("those that arrived"),
  expiresAt: instant.describe("when it is swept, unless it is touched before"),
});
export type UploadState = z.infer<typeof uploadState>;

/** Answer to a create: either an upload to fill, or the receipt at once (the capture is known, or the bytes are). */
export const uploadCreated = z.union([uploadState, deliveryAnswer]);
export type UploadCreated = z.infer<typeof uploadCreated>;

export const partAnswer = z.object({ number: z.int().positive(), size, sha256: sha256Hex });
export type PartAnswer = z.infer<typeof partAnswer>;

export const removalRequest = z.object({
  source: slug,
  pathEncoded: pathEncoded.describe("the path, percent-encoded; slashes stay as they are"),
  captureId: captureKey.describe("an id of this removal, the same for every retry"),
  sealedAt: instant.optional().describe("when the sender decided that the file is gone"),
  modifiedAt: instant.optional().describe("when the file vanished, where its source tells"),
});
export type RemovalRequest = z.infer<typeof removalRequest>;

/** One line of the ledger as everybody sees it: `history --json`, `/v1/versions`, events, manifest. */
export const entry = z.object({
  versionId: uuid,
  kind: z.enum(["version", "removal"]).describe("more kinds may come: skip those that you do not know"),
  client: slug,
  source: slug,
  path: z.string().describe("for reading: bytes that are not UTF-8 are shown as U+FFFD"),
  pathEncoded: pathEncoded.describe("the identity of the path"),
  size: size.nullable().describe("bytes; null for a removal"),
  sha256: sha256Hex.nullable().describe("null for a removal"),
  captureId: captureKey.describe("the sender's Idempotency-Key"),
  modifiedAt: instant
    .nullable()
    .describe("when the file was last changed at the client, or vanished there, as the sender said"),
  sealedAt: instant.nullable().describe("when the sender read it, as it said"),
  receivedAt: instant.describe("when it was committed, by the ledger's clock"),
  channel: z.string().describe("push (an agent), api (a key), sftp (an SFTP account), parts, …"),
  agentId: z
    .string()
    .nullable()
    .describe("the agent, or the id of the API key or SFTP account, that brought it"),
  key: z.string().nullable().describe("the object in the lake; null for a removal"),
});
export type Entry = z.infer<typeof entry>;

/** A line of a manifest segment: the entry, its place in the ledger and its receipt. */
export const manifestLine = entry.extend({ seq: z.int().positive(), receipt: z.string() });
export type ManifestLine = z.infer<typeof manifestLine>;

export const entryPage = z.object({
  entries: z.array(entry),
  cursor: z.string().nullable().describe("for the next page; null: this was the last"),
});
export type EntryPage = z.infer<typeof entryPage>;

/** Events: entries in commit order; `cursor` continues after the last of them, also when the list is empty. */
export const eventPage = z.object({
  events: z.array(entry),
  cursor: z.string().describe("where to go on, also when the list is empty"),
});
export type EventPage = z.infer<typeof eventPage>;

export const clientPage = z.object({ clients: z.array(z.object({ name: slug, suspended: z.boolean() })) });
