import { gunzipSync } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import { describe, expect, onTestFinished, test } from "vitest";
import { receiverSettings } from "../config.ts";
import { addClient } from "../ledger/clients.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { openPostgres } from "../ledger/postgres.ts";
import { addRefusals } from "../refusals/refusals.ts";
import { type DiagnosticOptions, type DiagnosticParts, makeDiagnostics } from "./diagnostics.ts";
import { ledgerParts } from "./ledger.ts";
import { withoutSecrets } from "./settings.ts";

const SETTINGS = receiverSettings.parse({
  ledger: { kind: "postgres", url: "postgres://h/db?user=u&password=hunter22x" },
  console: {
    oidc: [{ id: "corp", name: "n", issuer: "https://i", clientId: "c", clientSecret: "topsecret+/=" }],
  },
});

async function bundle(parts: DiagnosticParts, options: Partial<DiagnosticOptions> = {}) {
  const text = gunzipSync(await makeDiagnostics(parts, { secrets: [], ...options })).toString("utf8");
  return {
    text,
    ...(JSON.parse(text) as { format: string; takenAt: string; parts: Record<string, unknown> }),
  };
}

test("a part that fails or hangs is in it as its error, and keeps out no other", async () => {
  const { parts, format } = await bundle(
    {
      well: async () => ({ a: 1 }),
      none: async () => undefined,
      broken: () => Promise.reject(new ProblemError("ledger-unavailable", "the ledger did not answer")),
      worse: () => {
        throw new Error("at once");
      },
      hangs: () => new Promise(() => {}),
    },
    { withinMs: 50 },
  );
  expect(format).toBe("tributary-diagnostics");
  expect(parts).toEqual({
    well: { value: { a: 1 } },
    none: { value: null },
    broken: { error: { code: "ledger-unavailable", message: "the ledger did not answer" } },
    worse: { error: { code: null, message: "at once" } },
    hangs: { error: { code: null, message: "no answer within 0.05 s" } },
  });
});

test("a secret is nowhere in it: not in a value, a name, an error, or a line of the log", async () => {
  const secret = 'pa"ss/wörd\\1';
  const { text } = await bundle(
    {
      deep: async () => ({ list: [{ [`x ${secret}`]: `y ${secret} z` }] }),
      lines: async () => [JSON.stringify({ msg: secret }), `plain ${secret}`],
      broken: () => Promise.reject(new Error(`no login with ${secret}`)),
    },
    { secrets: [secret, JSON.stringify(secret).slice(1, -1), "abc"] },
  );
  for (const spelt of [secret, JSON.stringify(secret).slice(1, -1)]) expect(text).not.toContain(spelt);
  expect(text.match(/\(secret\)/g)).toHaveLength(5);
});

test("a secret in another dress, and what has the form of one, is nowhere either", async () => {
  const { text } = await bundle(
    {
      lines: async () => [
        "error: hunter22x failed",
        `basic ${Buffer.from("client:topsecret+/=").toString("base64")}`,
        encodeURIComponent("topsecret+/="),
        "https://console/welcome#trbp_abcdefghijklmnop",
        `Bearer trbk_0123456789abcdef_${"x".repeat(43)}`,
        "https://user:pa/55word@files.test/x?sig=signed12",
      ],
    },
    { secrets: withoutSecrets(receiverSettings, SETTINGS).secrets },
  );
  const base64 = Buffer.from("topsecret+/=").toString("base64").slice(2, 12);
  for (const one of ["hunter22x", "topsecret", base64, "abcdefghijklmnop", "xxxx", "55word", "signed12"])
    expect(text, one).not.toContain(one);
});

test("a part that is too large is its error", async () => {
  const { parts } = await bundle({ large: async () => "x".repeat(17 * 2 ** 20) });
  expect(parts["large"]).toMatchObject({ error: { message: expect.stringContaining("more than fits") } });
});

function ledgerContract(kind: "sqlite" | "postgres", open: () => Promise<LedgerDatabase>): void {
  test("the ledger tells of itself, and none of the secrets that it holds", async () => {
    const database = await open();
    const { db } = database;
    const now = Date.now();
    await addClient(db, "acme");
    const canary = "CaNaRy";
    await db
      .insertInto("agents")
      .values({
        ...{ id: "a1", name: "hq", public_key: canary, state: "active", created_at: now, host: "h" },
        ...{ platform: "linux", version: "1", nonce: canary, nonce_previous: canary, last_seen_at: now },
        status: "{}",
      })
      .execute();
    await db
      .insertInto("api_keys")
      .values({
        ...{ id: "k1", client: "acme", name: "nightly", secret_hash: canary, source: null, scopes: "write" },
        ...{ created_at: now, revoked_at: null },
      })
      .execute();
    await db
      .insertInto("webhooks")
      .values({
        ...{ id: "w1", url: `https://hooks.test/services/${canary}?t=${canary}`, name: null, client: null },
        ...{ source: null, secret: canary, created_at: now, revoked_at: null, gone_at: null, epoch: "e" },
        ...{
          begins_after: 0,
          cursor_seq: 0,
          generation: 0,
          failures: 0,
          failing_since: null,
          paused_until: 0,
        },
        ...{ last_success_at: null, last_failure_at: null, last_failure: null, lease: null, leased_until: 0 },
      })
      .execute();
    const refusal = {
      client: "acme",
      bearer: "k1",
      bearerKind: "key",
      code: "quota-day",
      count: 120,
    } as const;
    await addRefusals(db, [
      { ...refusal, firstAt: now, lastAt: now, lastDetail: "no", lastPath: "/v1", lastRequestId: "r" },
    ]);
    const { parts, text } = await bundle(ledgerParts({ database, kind, heartbeat: 10_000 }));
    expect(text).not.toContain(canary);
    expect(parts).toMatchObject({
      ledger: { value: { kind, schema: expect.any(Number), lastSeq: 0, bytes: expect.any(Number) } },
      counts: { value: { clients: 1, agents: 1, api_keys: 1, uploads: 0 } },
      clock: { value: { differenceMs: expect.any(Number) } },
      fleet: { value: { agents: { seen: 1 } } },
      agents: { value: [{ id: "a1", status: null }] },
      refusals: { value: [{ name: "nightly", count: 120, code: "quota-day" }] },
      webhooks: { value: [{ id: "w1", host: "hooks.test" }] },
    });
  });
}

describe("sqlite", () => ledgerContract("sqlite", async () => await (await sqlitePlace()).open()));

describeWithPostgres("diagnostics of PostgreSQL", (server) => {
  ledgerContract("postgres", async () => {
    const database = await openPostgres(await freshDatabase(server));
    onTestFinished(() => database.close());
    return database;
  });
});
