import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Redactor } from "@tributary/shared/redactor.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { agentSettings } from "../config.ts";
import type { Identity } from "../identity/identity.ts";
import { type BundleParts, makeBundle } from "./bundle.ts";

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "tributary-bundle-"));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const { privateKey } = generateKeyPairSync("ed25519");
const identity: Identity = {
  ...{ publicKey: "x", clients: ["acme"], jwks: { keys: [] }, nonce: "the-nonce", heartbeatSeconds: 10 },
  ...{ trust: { authorities: [], systemNamedAt: null }, agentId: "a", name: "till", site: "s" },
  ...{ url: "https://127.0.0.1:1", codeSha256: "the-code", key: privateKey },
};

function partsWith(more: Partial<BundleParts> = {}): BundleParts {
  const redactor = new Redactor();
  const settings = agentSettings.parse({
    proxy: "http://me:proxy-secret@127.0.0.1:1",
    sources: [
      { name: "pos", kind: "folder", path: data },
      {
        ...{ name: "bank", kind: "sftp", host: "127.0.0.1", user: "u", path: "/" },
        ...{ hostKey: [`SHA256:${"x".repeat(43)}`], password: { secret: "bank" }, every: "1h" },
      },
    ],
  });
  return {
    ...{ data, env: {}, identity, settings, live: { sources: [] } },
    queue: {
      depth: () => ({ depth: 1, bytes: 2, oldestSealedAt: undefined, aside: 0 }),
      sources: () => [],
      problemCount: () => 1,
      problems: () => [
        {
          ...{ client: "acme", source: "bank", path: Buffer.from("a.csv"), code: "source-unreachable" },
          ...{ detail: "login with stored-secret failed", since: "2026-01-01T00:00:00Z", aside: false },
          ...{ captureId: undefined, until: undefined },
        },
      ],
      waiting: () => [],
      deliveries: () => [
        {
          ...{ seq: 1, captureId: "c", kind: "version", client: "acme", source: "pos", size: 1 },
          ...{ path: Buffer.from("b.csv"), sealedAt: "", versionId: "v", status: "created", receivedAt: "" },
          ...{ deliveredAt: 1, receipt: "the-receipt" },
        },
      ],
    },
    log: [
      '{"msg":"GET https://user:url-secret@files.test/x with Authorization: Bearer abcdefghijkl.mnop"}',
      '{"msg":"stored%2Dsecret in a query, proxy-secret by itself, and trb1_AAAABBBBCCCCDDDD"}',
    ],
    secrets: {
      read: async () => {
        redactor.learn("stored-secret");
        return await Promise.resolve("stored-secret");
      },
    },
    redactor,
    now: () => new Date(0),
    ...more,
  };
}

test("it says how the agent is, and none of its secrets in any place", async () => {
  const { text, gzip } = await makeBundle(partsWith());
  expect(gunzipSync(gzip).toString()).toBe(text);
  const content = JSON.parse(text);
  expect(content).toMatchObject({
    format: "tributary-agent-diagnostics",
    takenAt: "1970-01-01T00:00:00.000Z",
    whole: true,
    identity: { agentId: "a", clients: ["acme"], pause: null },
    configuration: { proxy: "http://me:[secret]@127.0.0.1:1", allow: { diagnostics: true } },
    queue: { depth: 1, problems: [{ path: "a.csv", detail: "login with [secret] failed" }] },
  });
  expect(content.configuration.sources[1].password).toEqual({ secret: "bank" });
  expect(content.doctor.map(({ check }: { check: string }) => check)).toContain("data folder");
  expect(content.log[0]).toContain("//user:[secret]@files.test/x");
  const secrets = [
    "proxy-secret",
    "stored-secret",
    "stored%2Dsecret",
    "url-secret",
    "abcdefghijkl",
    "AAAABBBB",
  ];
  for (const one of [...secrets, "the-nonce", "the-code", "the-receipt", "PRIVATE KEY"])
    expect(text, one).not.toContain(one);
});

test("what is too much is cut, the newest lines of the log stay, and it says that it is not whole", async () => {
  const log = Array.from({ length: 300 }, (_, i) => `${i} ${crypto.randomUUID().repeat(20)}`);
  const { text, gzip } = await makeBundle(partsWith({ log, most: 8_000 }));
  expect(gzip.length).toBeLessThanOrEqual(8_000);
  const content = JSON.parse(text);
  expect(content.whole).toBe(false);
  expect(content.log.length).toBeLessThan(300);
  expect(content.log.at(-1)).toMatch(/^299 /);
});
