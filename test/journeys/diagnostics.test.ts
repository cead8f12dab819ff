/** `diagnostics` with real processes: beside `serve` and without it, of a site that cannot be opened, of none at all. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { caller } from "../site/caller.ts";
import { ok, type Running, run } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

const CANARY = "CaNaRy-0123456789";
let site: Site;
let receiver: Running;
let key: string;
let count = 0;

interface Part {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly value?: any;
  readonly error?: { readonly code: string | null; readonly message: string };
}

async function diagnose(at: readonly string[] = site.at) {
  count += 1;
  const out = join(site.dir, `diagnostics-${count}.json.gz`);
  const { code, stdout, stderr } = await run("receiver", ["diagnostics", "--out", out, ...at]);
  expect(code, stderr).toBe(0);
  expect(stdout).toBe(`${out}\n`);
  const text = gunzipSync(readFileSync(out)).toString("utf8");
  const { parts } = JSON.parse(text) as { parts: Record<string, Part> };
  return { text, parts, stderr, out };
}

beforeAll(async () => {
  site = await makeSite({ receiver: { webhooks: { proxy: `http://me:${CANARY}@127.0.0.1:9` } } });
  await site.command("client", "add", "demo");
  key = await site.command("key", "add", "--client", "demo", "--name", "nightly");
  receiver = await site.serve();
  const api = caller(site, key);
  expect((await api.put("pos", "a.csv", Buffer.from(`content ${CANARY}`))).status).toBe(201);
  const refused = await api.put("Not-A-Source", "a.csv", Buffer.from("x"));
  expect(refused.status).toBe(422);
  await api.close();
});
afterAll(async () => {
  await receiver?.stop();
  site?.remove();
});

test("beside serve: all parts, its own words of what is in it, and no secret", async () => {
  const { parts, text, stderr, out } = await diagnose();
  expect(Object.entries(parts).filter(([, part]) => part.error !== undefined)).toEqual([]);
  expect(parts["settings"]?.value).toMatchObject({
    webhooks: { proxy: "(secret) http://127.0.0.1:9" },
    lake: { kind: "directory" },
  });
  expect(parts["readiness"]?.value).toMatchObject({
    status: 200,
    certificate: { issuer: expect.stringContaining("Tributary"), validTo: expect.any(String) },
  });
  expect(parts["listeners"]?.value).toMatchObject({ ingest: { port: site.port, answers: true } });
  expect(parts["metrics"]?.value).toContain('tributary_deliveries_total{channel="api",status="created"} 1');
  expect(parts["ledger"]?.value).toMatchObject({ kind: "sqlite", lastSeq: 1 });
  expect(parts["lake"]?.value).toMatchObject({ answers: true });
  expect(parts["certificate"]?.value.validTo).toMatch(/^20/);
  expect(stderr).toMatch(/Not in it: passwords, keys, other secrets, contents of files/);
  for (const secret of [
    CANARY,
    key,
    key.slice(5),
    readFileSync(join(site.dir, "keys", "authority.pem"), "utf8").slice(-400, -100),
  ])
    expect(text).not.toContain(secret);
  expect(statSync(out).mode & 0o077).toBe(0);
  const again = await run("receiver", ["diagnostics", "--out", out, ...site.at]);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("exists; name another --out")]);
});

test("while nobody serves it says so, and tells all the rest, refusals of before too", async () => {
  await receiver.stop();
  const { parts } = await diagnose();
  expect(parts["listeners"]?.value.ingest).toMatchObject({
    answers: false,
    error: expect.stringContaining("ECONNREFUSED"),
  });
  for (const name of ["readiness", "metrics"]) expect(parts[name]?.error?.message).toContain("ECONNREFUSED");
  expect(parts["refusals"]?.value).toMatchObject([
    { client: "demo", name: "nightly", code: "source-invalid", count: 1 },
  ]);
  expect(parts["counts"]?.value).toMatchObject({ clients: 1, api_keys: 1 });
});

test("a ledger that cannot be opened is an error in it", async () => {
  const url = `postgres://me:${CANARY}@127.0.0.1:1/ledger`;
  const { parts, text } = await diagnose(site.variant("away", { ledger: { kind: "postgres", url } }));
  expect(parts["ledger"]?.error).toMatchObject({ code: "ledger-unavailable" });
  expect(parts["settings"]?.value.ledger.url).toBe("(secret) postgres://127.0.0.1:1/ledger");
  expect(parts["program"]?.value.version).toMatch(/^\d+\./);
  expect(text).not.toContain(CANARY);
});

test("without a site none is made; with a mistake in its settings that is told", async () => {
  const data = join(site.dir, "nothing");
  mkdirSync(data);
  const none = await diagnose(["--data", data]);
  expect(none.parts["ledger"]?.error).toMatchObject({ code: "not-found" });
  expect(() => statSync(join(data, "ledger.sqlite"))).toThrow("ENOENT");
  writeFileSync(join(data, "receiver.yaml"), stringify({ lsten: {} }));
  const mistaken = await diagnose(["--data", data]);
  expect(mistaken.parts["settings"]?.error).toMatchObject({
    code: "config-invalid",
    message: expect.stringContaining("lsten"),
  });
  expect(await ok("receiver", ["--version"])).not.toBe("");
});
