/** What goes into each call of `calls.ts`, checked at the door. Sizes in bytes, times RFC 3339. */
import { slug } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import type { CallName } from "./calls.ts";

const nothing = z.strictObject({});
const client = z.strictObject({ client: slug });
/** Of a UUID, an API key or a webhook. */
const id = z.string().regex(/^[0-9a-f-]{8,64}$/, "an id of hex digits");
const user = z.string().min(1).max(63);
/** From a query all comes as text. */
const limit = z.coerce.number().int().min(1).max(500).default(100);
const cursor = z.string().max(200).optional();
const size = z.int().nonnegative();
const frequency = z.strictObject({ count: z.int().positive(), perMs: z.int().positive() });
const reason = z.string().trim().min(1, "say why: it is kept").max(500);

/** Null takes it back: the default holds again. What is not named stays. */
const limits = {
  requests: frequency.nullable().optional(),
  uploads: z.int().positive().nullable().optional(),
};
const bearerBounds = z.strictObject({
  ...limits,
  day: size.nullable().optional(),
  file: size.nullable().optional(),
});

const secret = z.string().max(200);
const seq = z.coerce.number().int().nonnegative();
const instant = z.iso.datetime({ offset: true });
/** The identity of a path; as long as one may be when every byte is escaped. */
const pathEncoded = z.string().max(12_288);
const deliveryFilter = {
  client: slug.optional(),
  source: slug.optional(),
  channel: z.string().max(20).optional(),
  bearer: z.string().max(64).optional(),
  kind: z.enum(["version", "removal"]).optional(),
  from: instant.optional(),
  to: instant.optional(),
  digest: z
    .string()
    .regex(/^[0-9a-f]{8,64}$/, "8 to 64 lower-case hex digits")
    .optional(),
};
const role = z.enum(["viewer", "operator", "admin", "uploader"]);
const email = z.string().trim().min(3).max(254);

export const INPUTS = {
  "sign-in": nothing,
  "welcome.look": z.strictObject({ secret }),
  "welcome.accept": z.strictObject({
    secret,
    /** Where the link leaves it open. */
    email: email.optional(),
    name: z.string().trim().max(200).optional(),
    password: z.string().max(1024),
  }),
  me: nothing,
  live: nothing,

  "overview.get": z.strictObject({ only: z.enum(["late"]).optional() }),
  "overview.troubled": nothing,
  "overview.punctuality": z.strictObject({
    client: slug.optional(),
    after: z.string().max(500).optional(),
    limit,
  }),
  "overview.client": client,

  "clients.list": nothing,
  "clients.get": client,
  "clients.add": z.strictObject({ name: slug }),
  "clients.suspend": client,
  "clients.resume": client,
  "clients.offboarding": client,
  "clients.offboard": client,
  "clients.bound": client.extend({
    ...limits,
    stored: size.nullable().optional(),
    day: size.nullable().optional(),
    file: size.nullable().optional(),
  }),

  "agents.list": z.strictObject({ client: slug.optional() }),
  "agents.get": z.strictObject({ id }),
  "agents.commands": z.strictObject({ id }),
  "agents.scan": z.strictObject({ id, source: slug.optional() }),
  "agents.pause": z.strictObject({ id }),
  "agents.resume": z.strictObject({ id }),
  "agents.diagnose": z.strictObject({ id }),
  "agents.bundle": z.strictObject({ id }),
  "agents.revoke": z.strictObject({ id }),
  "agents.bound": bearerBounds.extend({ id }),

  "invitations.list": client,
  "invitations.add": client.extend({
    name: z.string().trim().min(1).max(100).optional(),
    /** Of hours; the code is good so long. */
    hours: z.int().min(1).max(720).default(24),
    replaces: id.optional(),
  }),
  "invitations.cancel": z.strictObject({ id }),

  "keys.list": client,
  "keys.add": client.extend({
    name: z.string().trim().min(1).max(100).optional(),
    source: slug.optional(),
    scopes: z
      .array(z.enum(["write", "read", "remove"]))
      .min(1)
      .default(["write"]),
  }),
  "keys.bound": bearerBounds.extend({ id }),
  "keys.revoke": z.strictObject({ id }),

  "accounts.list": client,
  "accounts.add": client.extend({
    user,
    source: slug.optional(),
    access: z.enum(["write", "read-write"]).default("write"),
    removals: z.enum(["record", "refuse"]).default("record"),
    history: z.boolean().default(false),
    receipts: z.boolean().default(false),
    publicKeys: z.string().max(65_536).optional(),
    /** True: one is made, and shown once. */
    password: z.boolean().default(false),
  }),
  "accounts.bound": bearerBounds.extend({ user }),
  "accounts.credentials": z.strictObject({
    user,
    addKeys: z.string().max(65_536).optional(),
    removeKey: z.string().max(200).optional(),
    password: z.enum(["new", "none"]).optional(),
  }),
  "accounts.revoke": z.strictObject({ user }),

  "webhooks.list": z.strictObject({ client: slug.optional() }),
  "webhooks.add": z.strictObject({
    url: z.string().max(2000),
    client: slug.optional(),
    source: slug.optional(),
    name: z.string().trim().min(1).max(100).optional(),
    from: z.string().max(200).optional(),
  }),
  "webhooks.replay": z.strictObject({
    id,
    from: z.string().max(200).optional(),
    /** Empty: all. */
    dead: z.array(id).max(1000).optional(),
  }),
  "webhooks.revoke": z.strictObject({ id }),
  "deadletters.list": z.strictObject({ webhook: id.optional(), after: cursor, limit }),

  "deliveries.list": z.strictObject({ ...deliveryFilter, before: seq.optional(), limit }),
  "newer.count": z.strictObject({ ...deliveryFilter, after: seq }),

  "files.bounds": client,
  "files.sources": client.extend({ at: instant.optional() }),
  "files.list": client.extend({
    source: slug,
    /** Encoded; empty: the source itself. */
    folder: pathEncoded.default(""),
    /** As the tree was then; without: as it is. */
    at: instant.optional(),
    /** What was removed, too; without `at`. */
    removed: z.stringbool().default(false),
    after: z.string().max(5000).optional(),
    only: z.enum(["folders"]).optional(),
    limit,
  }),
  "files.versions": client.extend({
    source: slug,
    path: pathEncoded,
    before: seq.optional(),
    /** A version of this path: the first of the page. */
    from: id.optional(),
    limit,
  }),
  "files.version": z.strictObject({ id }),
  "files.receipt": z.strictObject({ id }),
  "files.download": z.strictObject({ id }),
  "files.preview": z.strictObject({ id }),

  /** A receipt is longer than anything else that somebody looks for; that of the longest path has 17,500 characters. */
  "search.all": z.strictObject({
    q: z.string().max(24_000),
    limit: z.coerce.number().int().min(1).max(50).default(20),
  }),
  "search.files": z.strictObject({
    q: z.string().max(500),
    client: slug.optional(),
    source: slug.optional(),
    after: z.string().max(500).optional(),
    limit: z.coerce.number().int().min(1).max(100).default(50),
  }),

  "quarantine.list": z.strictObject({
    client: slug.optional(),
    all: z.stringbool().default(false),
    after: cursor,
    limit,
  }),
  "quarantine.release": z.strictObject({ id, reason, overNewer: z.boolean().default(false) }),
  "quarantine.discard": z.strictObject({ id, reason }),

  "audit.list": z.strictObject({
    client: slug.optional(),
    /** An email, or the id of a person; of what was done by command the account on the host. */
    who: z.string().max(254).optional(),
    act: z.string().max(50).optional(),
    subjectKind: z.string().max(50).optional(),
    subject: z.string().max(200).optional(),
    from: instant.optional(),
    until: instant.optional(),
    before: cursor,
    limit,
  }),

  "refusals.list": z.strictObject({
    client: slug.optional(),
    code: z.string().max(60).optional(),
    days: z.coerce.number().int().min(1).max(30).default(7),
  }),
  "log.lines": z.strictObject({
    requestId: z.string().max(64).optional(),
    level: z.enum(["info", "warn", "error", "fatal"]).optional(),
    text: z.string().max(200).optional(),
    before: seq.optional(),
    limit,
  }),
  "site.diagnostics": nothing,
  "site.jwks": nothing,

  "people.list": nothing,
  "people.invite": z.strictObject({
    email,
    role,
    client: slug.optional(),
    name: z.string().trim().min(1).max(200).optional(),
  }),
  "people.withdraw": z.strictObject({ email }),
  "people.role": z.strictObject({ id, role, client: slug.optional() }),
  "people.disable": z.strictObject({ id }),
  "people.enable": z.strictObject({ id }),
  "people.reset": z.strictObject({ id, alsoSecondFactor: z.boolean().default(false) }),
  "people.sessions": z.strictObject({ id }),
  "people.signout": z.strictObject({ id }),

  "account.get": nothing,
  "account.rename": z.strictObject({ name: z.string().trim().min(1).max(200) }),
  "account.revoke": z.strictObject({ id: z.string().max(100) }),
} as const satisfies Readonly<Record<CallName, z.ZodObject>>;

export type Input<K extends CallName> = z.input<(typeof INPUTS)[K]>;
export type Checked<K extends CallName> = z.output<(typeof INPUTS)[K]>;
