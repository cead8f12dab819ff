import { expect, test } from "vitest";
import { z } from "zod";
import { receiverSettings, secretSettings } from "../config.ts";
import { withoutSecrets } from "./settings.ts";

/** Every leaf of the schema: its path, and whether it is a secret. */
function leaves(
  schema: z.ZodType,
  path: readonly string[] = [],
  secret = false,
): [string, boolean, string][] {
  const isSecret = secret || secretSettings.get(schema) !== undefined;
  const { def } = (schema as unknown as { _zod: { def: Record<string, never> } })._zod;
  const { innerType, shape, element, options, in: inner } = def as Record<string, never>;
  const words = schema.description ?? "";
  if (innerType) return leaves(innerType, path, isSecret).map(([at, is, said]) => [at, is, words || said]);
  if (shape)
    return Object.entries(shape).flatMap(([key, one]) => leaves(one as z.ZodType, [...path, key], isSecret));
  if (options && def["discriminator"])
    return (options as z.ZodType[]).flatMap((one) => leaves(one, path, isSecret));
  if (element) return leaves(element, path, isSecret);
  return [
    [
      path.join("."),
      isSecret || (inner ? secretSettings.get(inner as z.ZodType) !== undefined : false),
      words,
    ],
  ];
}

const SECRETS = [
  "console.oidc.clientSecret",
  "lake.accessKeyId",
  "lake.secretAccessKey",
  "ledger.url",
  "webhooks.proxy",
];
/** Of keys and secrets they have the word alone: paths, and whether a path is shown. */
const NO_SECRETS = ["keys", "tls.key", "tls.cert"];

test("the secrets of the schema are these", () => {
  const found = leaves(receiverSettings).flatMap(([path, secret]) => (secret ? [path] : []));
  expect([...new Set(found)].toSorted()).toEqual(SECRETS);
});

test("a setting that sounds like a secret is one, or is known to be none", () => {
  const sounding = leaves(receiverSettings).flatMap(([path, secret, words]) =>
    !secret && /secret|passw|token|credential|key/i.test(`${path} ${words}`) ? [path] : [],
  );
  const known = [...NO_SECRETS, ...["limits.streams", "webhooks.ca"]];
  expect(sounding.filter((path) => !known.includes(path))).toEqual([]);
});

const CANARY = "CaNaRy";
const base = { lake: { kind: "directory" }, ledger: { kind: "sqlite" } } as const;
const provider = { id: "corp", name: "Corp", issuer: "https://id.test", clientId: "c" };
const cases: [string, unknown][] = [
  ["console.oidc.clientSecret", { console: { oidc: [{ ...provider, clientSecret: `${CANARY}x` }] } }],
  ["lake.accessKeyId", { lake: { kind: "s3", bucket: "b", accessKeyId: `id-${CANARY}` } }],
  ["lake.secretAccessKey", { lake: { kind: "s3", bucket: "b", secretAccessKey: `${CANARY}/+=` } }],
  [
    "lake.endpoint with a login",
    { lake: { kind: "s3", bucket: "b", endpoint: `https://me:${CANARY}@store.test` } },
  ],
  ["ledger.url", { ledger: { kind: "postgres", url: `postgres://me:${CANARY}@db.test:5432/ledger` } }],
  [
    "ledger.url with options",
    { ledger: { kind: "postgres", url: `postgres://db.test/l?password=${CANARY}` } },
  ],
  ["ledger.url, / in it", { ledger: { kind: "postgres", url: `postgres://me:12/${CANARY}@db.test/l` } }],
  ["ledger.url, @ in it", { ledger: { kind: "postgres", url: `postgres://me:1@${CANARY}@db.test/l` } }],
  ["ledger.url, ? in it", { ledger: { kind: "postgres", url: `postgres://me:1?${CANARY}@db.test/l` } }],
  ["ledger.url, # in it", { ledger: { kind: "postgres", url: `postgres://me:1#${CANARY}@db.test/l` } }],
  ["ledger.url that is none", { ledger: { kind: "postgres", url: `host=db password=${CANARY}` } }],
  ["ledger.url, a socket", { ledger: { kind: "postgres", url: `postgres:///l?host=/run/${CANARY}` } }],
  ["webhooks.proxy", { webhooks: { proxy: `http://me:${CANARY}@proxy.test:3128` } }],
];

test("each secret is tried", () => {
  expect(SECRETS.filter((secret) => !cases.some(([name]) => name.startsWith(secret)))).toEqual([]);
});

test.for(cases)("%s is hidden", ([, given]) => {
  const { settings, secrets } = withoutSecrets(
    receiverSettings,
    receiverSettings.parse({ ...base, ...(given as object) }),
  );
  expect(JSON.stringify(settings)).not.toContain(CANARY);
  expect(secrets.join(" ")).toContain(CANARY);
});

test("where it leads to is shown, and all that is no secret as it counts", () => {
  const parsed = receiverSettings.parse({
    ledger: { kind: "postgres", url: "postgres://me:pass@db.test:5432/ledger?sslmode=require" },
    trustProxy: ["10.0.0.1"],
    limits: { requests: "600/m" },
  });
  const { settings } = withoutSecrets(receiverSettings, parsed);
  expect(settings).toMatchObject({
    listen: { ingest: { host: "127.0.0.1", port: 8443 } },
    ledger: { kind: "postgres", url: "(secret) postgres://db.test:5432/ledger" },
    lake: { kind: "directory" },
    trustProxy: ["10.0.0.1"],
    limits: { requests: { count: 600, perMs: 60_000 }, uploads: null },
    reserve: 2 ** 30,
    heartbeat: 10_000,
  });
});

test("what no schema names is left out; a secret in a list, behind a default and a check is one", () => {
  const secret = z.string().register(secretSettings, { secret: true });
  const schema = z.object({
    providers: z.array(z.object({ issuer: z.string(), clientSecret: secret.min(1) })),
    other: secret.default("from-the-default").refine(() => true),
  });
  const value = {
    providers: [{ issuer: "https://id.test", clientSecret: "hidden-1" }],
    other: "hidden-2",
    stray: "hidden-3",
  };
  const { settings, secrets } = withoutSecrets(schema, value);
  expect(settings).toEqual({
    providers: [{ issuer: "https://id.test", clientSecret: "(secret)" }],
    other: "(secret)",
  });
  expect(secrets).toEqual(["hidden-1", "hidden-2"]);
});
