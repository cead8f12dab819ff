/**
 * receiver.yaml, checked. The configuration reference is generated from these descriptions. Everything is optional:
 * without a file the embedded defaults under the data folder hold.
 */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { dataFolder, settingsFile } from "@tributary/shared/place.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { byteRate, byteSize, duration, frequency, loadSettings } from "@tributary/shared/settings.ts";
import { parseDuration } from "@tributary/shared/units.ts";
import { z } from "zod";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** "127.0.0.1:8443", "[::1]:8443", "receiver.example.com:443". Port 0: any free one. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) return undefined;
  return { host: (match[1] ?? match[2]) as string, port };
}

const address = z.string().transform((text, context): Address => {
  const parsed = parseAddress(text);
  if (parsed) return parsed;
  context.issues.push({
    code: "custom",
    input: text,
    message: "expected an address with its port such as 127.0.0.1:8443 or [::1]:8443",
  });
  return { host: "", port: 0 };
});

const clamdAddress = z.string().transform((text, context) => {
  const parsed = text.startsWith("/") ? { path: text } : parseAddress(text);
  if (parsed) return parsed;
  context.issues.push({
    code: "custom",
    input: text,
    message: "expected the path of a Unix socket such as /run/clamav/clamd.ctl, or an address with its port",
  });
  return { path: "" };
});

/** Which settings nobody else may read: those whose schema is `secret`, or was made from it. */
export const secretSettings = z.registry<{ readonly secret: true }>();

/** A secret as it stands here, or `env:NAME`, or `file:PATH`. */
const secret = z
  .string()
  .transform((text, context): string => {
    const given = readSecret(text);
    if (given !== undefined && given !== "") return given;
    context.issues.push({
      code: "custom",
      input: undefined,
      message: `there is nothing at ${text.slice(0, 200)}; expected a text, env:NAME or file:PATH`,
    });
    return "";
  })
  .register(secretSettings, { secret: true });

function readSecret(text: string): string | undefined {
  if (text.startsWith("env:")) return process.env[text.slice(4)];
  if (!text.startsWith("file:")) return text;
  try {
    return readFileSync(text.slice(5), "utf8").trim();
  } catch {
    return undefined;
  }
}

/** "hooks.example.com", "10.1.2.3", "10.0.0.0/8", "fd00::/8". */
function isPlace(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIP(address);
  if (family === 0) return bits === undefined && /^(?=.*[a-z])[a-z0-9_.-]{1,253}$/i.test(text);
  const most = family === 4 ? 32 : 128;
  return more.length === 0 && !text.includes("%") && Number(bits ?? 0) <= most && /^\d*$/.test(bits ?? "0");
}

function isProxy(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== "";
}

const listenSettings = z.strictObject({
  ingest: address
    .prefault("127.0.0.1:8443")
    .describe("Where agents, the API and tus arrive; the listener that faces the internet"),
  console: z
    .union([z.literal("off"), address])
    .prefault("127.0.0.1:8444")
    .describe("Where central people work and administer; off: nowhere"),
  portal: address.optional().describe("Where clients' people work; off unless named"),
  sftp: address.optional().describe("Where SFTP clients arrive; off unless named"),
});

/** Such as https://console.example.com:8444, and nothing behind it. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "https:" && [url.origin, `${url.origin}/`].includes(text.toLowerCase());
}

/** A provider tells who somebody is, so what it says must not be altered on its way. */
function isIssuer(text: string): boolean {
  const url = URL.parse(text);
  const local = url !== null && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  return url !== null && (url.protocol === "https:" || (local && url.protocol === "http:"));
}

const claimValues = z.array(z.string().min(1)).default([]);

const oidcSettings = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "expected a short word such as corp")
    // better-auth keeps passwords under this name.
    .refine((id) => id !== "credential", "expected another word")
    .describe("A word for it; the provider calls back `console.url`/api/auth/callback/ID"),
  name: z.string().min(1).describe("What stands on the button"),
  issuer: z
    .string()
    .refine(isIssuer, "expected an address such as https://login.example.com")
    .describe("The provider's address; its /.well-known/openid-configuration is read"),
  clientId: z.string().min(1).describe("What the provider calls this console"),
  clientSecret: secret.describe("The secret that it gave out, or env:NAME, or file:PATH"),
  roles: z
    .strictObject({
      claim: z.string().min(1).describe("The claim, a text or a list of texts, such as groups"),
      admin: claimValues.describe("Its values that make an admin"),
      operator: claimValues.describe("Its values that make an operator"),
      viewer: claimValues.describe("Its values that make a viewer"),
    })
    .optional()
    .describe(
      "People come in whom nobody invited, and their role follows a claim at each login; default: only who was invited",
    ),
});

const consoleSettings = z.strictObject({
  url: z
    .string()
    .refine(isOrigin, "expected an address such as https://console.example.com, without a path")
    .transform((text) => new URL(text).origin)
    .optional()
    .describe("Where browsers reach it, which links carry and passkeys belong to; default: `listen.console`"),
  oidc: z
    .array(oidcSettings)
    .refine(
      (all) => new Set(all.map(({ id }) => id)).size === all.length,
      "expected another id for each provider",
    )
    .default([])
    .describe("OpenID Connect providers by which people may log in"),
  sessions: duration
    .refine((ms) => ms >= 60_000, "expected at least 1m")
    .prefault("12h")
    .describe("How long a session is good that is not used; at least 1m"),
  secondFactor: z
    .enum(["optional", "required"])
    .default("optional")
    .describe("Whether whoever logs in by password needs a code, or a passkey, too"),
});

const lakeSettings = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("directory").describe("A folder of this host"),
    path: z.string().optional().describe("The folder; default: lake/ under the data folder"),
  }),
  z.strictObject({
    kind: z.literal("s3").describe("Any S3 store"),
    bucket: z.string().describe("The bucket; it must exist"),
    prefix: z.string().default("").describe("What all keys begin with"),
    region: z.string().default("us-east-1").describe("The region"),
    endpoint: z.url().optional().describe("The store's address when it is not AWS"),
    forcePathStyle: z.boolean().default(false).describe("The bucket in the path instead of the host name"),
    accessKeyId: secret
      .optional()
      .describe(
        "The key's id, or env:NAME, or file:PATH; default: the AWS provider chain (AWS_ACCESS_KEY_ID, profiles, roles)",
      ),
    secretAccessKey: secret.optional().describe("The key's secret, or env:NAME, or file:PATH"),
  }),
]);

const ledgerSettings = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("sqlite").describe("A file of this host; one receiver"),
    path: z.string().optional().describe("The file; default: ledger.sqlite under the data folder"),
  }),
  z.strictObject({
    kind: z.literal("postgres").describe("A PostgreSQL database; any number of receivers"),
    url: secret.describe("postgres://user:password@host/database, or env:NAME, or file:PATH"),
  }),
]);

/** A duration of at least this; the text is part of the message. */
const atLeast = (text: string) =>
  duration.refine((ms) => ms >= (parseDuration(text) as number), `expected at least ${text}`);

const optionalSize = byteSize.nullable().default(null);

/** Every key of receiver.yaml. */
export const receiverSettings = z.strictObject({
  listen: listenSettings.prefault({}).describe("The listeners, each host:port"),
  publicUrl: z
    .url({ protocol: /^https$/, error: "expected an address such as https://receiver.example.com" })
    .optional()
    .describe("What invitations carry; default: the ingest address"),
  keys: z.string().optional().describe("The folder of the site's keys; default: keys/ under the data folder"),
  tls: z
    .strictObject({
      cert: z.string().describe("The certificate chain, a PEM file"),
      key: z.string().describe("Its private key, a PEM file"),
    })
    .optional()
    .describe("A certificate of your own; default: the site's own authority issues one"),
  install: z
    .string()
    .optional()
    .describe(
      "The folder of the agent's packages, which invitations install; default: install/ under the data folder, or /usr/share/tributary-receiver/install where that is not there",
    ),
  trustProxy: z
    .array(z.string())
    .default([])
    .describe("Addresses of proxies whose X-Forwarded-For is believed"),
  lake: lakeSettings.prefault({ kind: "directory" }).describe("Where the bytes are kept"),
  ledger: ledgerSettings.prefault({ kind: "sqlite" }).describe("Where the record is kept"),
  inspect: z
    .strictObject({
      clamd: clamdAddress.describe(
        "Where ClamAV's daemon listens: the path of its Unix socket, or host:port",
      ),
      largest: byteSize
        .prefault("25MB")
        .describe("The largest file that it gets; not above its own StreamMaxLength and MaxFileSize"),
      larger: z
        .enum(["quarantine", "pass"])
        .default("quarantine")
        .describe("What becomes of larger files, into which nobody looks"),
      sessions: z
        .int()
        .positive()
        .default(8)
        .describe("Files that it looks into at once; not above its own MaxThreads"),
      within: duration
        .prefault("30s")
        .describe("How long it may take for one file; agents take 45s of silence for a line that broke"),
    })
    .optional()
    .describe("Every file is looked into before it is published; off unless named"),
  limits: z
    .strictObject({
      idle: duration.prefault("30s").describe("The longest silence of a sender inside a body"),
      minRate: byteRate.prefault("1KB/s").describe("The slowest that a body may come, over 30 s of waiting"),
      concurrent: z
        .int()
        .positive()
        .default(512)
        .describe("Files, parts and bundles on their way in at once; more are told to come again"),
      streams: z
        .int()
        .positive()
        .default(256)
        .describe("Streams of events open at once, 16 of one key or agent; more are told to come again"),
      bundle: z
        .strictObject({
          bytes: byteSize.prefault("1TiB").describe("Most bytes that one bundle may unpack to"),
          ratio: z
            .number()
            .min(1)
            .default(200)
            .describe(
              "How many times as large as what was sent a bundle may unpack to, beyond its first 64 MiB",
            ),
        })
        .prefault({})
        .describe("Bundles: tar streams of many files"),
      requests: frequency
        .nullable()
        .default(null)
        .describe("Requests of one client, such as 600/m or 10/s; null: no limit"),
      uploads: z
        .int()
        .positive()
        .nullable()
        .default(null)
        .describe("Uploads of one client at once, over all receivers; null: no limit"),
    })
    .prefault({})
    .describe(
      "What a sender may ask of the receiver; `requests` and `uploads` are for every client that has no limit of its own",
    ),
  sftp: z
    .strictObject({
      temporary: z
        .array(z.string().min(1))
        .default(["*.filepart", "*.part", "*.partial", "*.tmp", ".*", "_*"])
        .describe(
          "File names under which nothing is recorded before the file is renamed; upper and lower case alike",
        ),
      connections: z.int().positive().default(512).describe("Connections at once; more are turned away"),
      perAddress: z
        .int()
        .positive()
        .default(64)
        .describe("Connections of one address at once; a /64 of IPv6 counts as one"),
      sessions: z.int().positive().default(8).describe("Sessions of one connection at once"),
      handles: z.int().positive().default(128).describe("Files and folders that one session may have open"),
      uploads: z
        .int()
        .positive()
        .default(64)
        .describe("Files that one account may have open to write at once, over all its sessions"),
      waiting: z
        .int()
        .positive()
        .default(10_000)
        .describe("Files of one account that may be unfinished, or wait under a temporary name"),
      folders: z
        .int()
        .positive()
        .default(64)
        .describe("Folders that one account may have open to list at once, over all its sessions"),
      idle: atLeast("1s").prefault("10m").describe("How long a session may be silent; at least 1s"),
      login: atLeast("1s").prefault("30s").describe("How long logging in may take; at least 1s"),
    })
    .prefault({})
    .describe("The SFTP door, where `listen.sftp` opens it"),
  console: consoleSettings.prefault({}).describe("The console, where `listen.console` opens it"),
  reserve: byteSize
    .prefault("1GiB")
    .describe(
      "Disk that is never used up, of the lake (or with S3 of spool/) and of an SQLite ledger: files are refused before",
    ),
  quota: z
    .strictObject({
      stored: optionalSize.describe("Bytes that a client may have stored; null: no bound"),
      day: optionalSize.describe("Bytes that a client may bring on one UTC day; null: no bound"),
      file: optionalSize.describe("The largest file of a client; null: no bound"),
    })
    .prefault({})
    .describe("For every client that has no quota of its own"),
  sweep: z
    .strictObject({
      every: atLeast("1s")
        .prefault("6h")
        .describe("How often is looked for what nobody will come back for; at least 1s"),
      uploads: atLeast("1h").prefault("7d").describe("Age of an upload that nobody touched; at least 1h"),
      // An object is spare from its publishing to its commit; a receiver that was suspended in between may wake up hours later.
      spare: atLeast("1d").prefault("7d").describe("Age of an object that no entry names; at least 1d"),
    })
    .prefault({})
    .describe("What is taken away, and when"),
  webhooks: z
    .strictObject({
      allow: z
        .array(z.string().refine(isPlace, "expected a host, an address, or a network such as 10.0.0.0/8"))
        .default([])
        .describe(
          "Hosts, addresses and networks that webhooks may reach though they are private, and by http",
        ),
      proxy: secret
        .refine(isProxy, "expected the address of an HTTP proxy, such as http://proxy.local:3128")
        .optional()
        .describe(
          "HTTP proxy to webhooks that `allow` does not name, such as http://user:password@proxy.local:3128, or env:NAME, or file:PATH; where their names lead is then its business",
        ),
      ca: z.string().optional().describe("Authorities that webhooks trust besides the system's, a PEM file"),
    })
    .prefault({})
    .describe("Where webhooks may lead"),
  heartbeat: duration.prefault("10s").describe("How often agents report"),
  stopWithin: duration.prefault("30s").describe("How long what has begun may take when the receiver stops"),
  metricsFrom: z.array(z.string()).default(["127.0.0.1", "::1"]).describe("Addresses that may read /metrics"),
  log: z
    .enum(["silent", "error", "warn", "info", "debug", "trace"])
    .default("info")
    .describe("What is logged on stderr"),
});

export type ReceiverSettings = z.output<typeof receiverSettings>;

/** What every command takes. */
export interface SiteOptions {
  readonly data?: string | undefined;
  readonly config?: string | undefined;
}

/** Where browsers reach the console; undefined where there is none. Loopback goes by its name, which passkeys need. */
export function consoleUrl({ console, listen, publicUrl }: ReceiverSettings): string | undefined {
  if (listen.console === "off") return undefined;
  if (console.url !== undefined) return console.url;
  const { host, port } = listen.console;
  const known: Readonly<Record<string, string>> = { "127.0.0.1": "localhost", "::1": "localhost" };
  const everywhere = publicUrl === undefined ? "localhost" : new URL(publicUrl).hostname;
  const name = ["0.0.0.0", "::"].includes(host) ? everywhere : (known[host] ?? host);
  return new URL(`https://${name.includes(":") && !name.startsWith("[") ? `[${name}]` : name}:${port}`)
    .origin;
}

/** The settings with every path made whole: relative ones count from the data folder. */
export interface Site {
  readonly data: string;
  readonly settings: ReceiverSettings;
  readonly keys: string;
  /** Where the agent's packages may be: the first that is there counts. */
  readonly install: readonly [string, ...string[]];
}

/** Where a package puts them that brings the agent's packages with the receiver. */
const PACKAGED_INSTALL = "/usr/share/tributary-receiver/install";

/** Reads `--config`, or receiver.yaml in its place when there is one. Throws `config-invalid`. */
export function readSite(options: SiteOptions): Site {
  const data = dataFolder("receiver", options.data);
  const settings =
    options.config === undefined
      ? loadSettings(settingsFile("receiver", options), receiverSettings, true)
      : loadSettings(resolve(options.config), receiverSettings);
  return {
    data,
    settings,
    keys: resolve(data, settings.keys ?? "keys"),
    install:
      settings.install === undefined
        ? [join(data, "install"), PACKAGED_INSTALL]
        : [resolve(data, settings.install)],
  };
}

/** What a code tells the agent to connect to. An address that only means "every address of this host" is replaced by its name. */
export function addressOf({ publicUrl, listen }: Pick<ReceiverSettings, "publicUrl" | "listen">): string {
  if (publicUrl !== undefined) return publicUrl;
  const { host, port } = listen.ingest;
  if (port === 0)
    throw new ProblemError(
      "config-invalid",
      "listen.ingest has port 0, so nobody knows the address before serve runs: name a port, or publicUrl",
    );
  const reached = host === "0.0.0.0" || host === "::" ? hostname() : host;
  return `https://${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
}
