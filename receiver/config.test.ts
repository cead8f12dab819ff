import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseSettings } from "@tributary/shared/settings.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { z } from "zod";
import { consoleUrl, parseAddress, readSite, receiverSettings } from "./config.ts";

const parse = (text: string) => parseSettings(text, "receiver.yaml", receiverSettings);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tributary-config-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("without a file the embedded defaults hold", () => {
  const { settings, keys } = readSite({ data: folder });
  expect(settings).toMatchObject({
    listen: { ingest: { host: "127.0.0.1", port: 8443 } },
    lake: { kind: "directory" },
    ledger: { kind: "sqlite" },
    reserve: 2 ** 30,
    heartbeat: 10_000,
    stopWithin: 30_000,
    sweep: { every: 21_600_000, uploads: 604_800_000, spare: 604_800_000 },
    quota: { stored: null, day: null, file: null },
  });
  expect(keys).toBe(join(folder, "keys"));
});

test("what DESIGN.md shows is taken", () => {
  const settings = parse(`
listen: { ingest: "0.0.0.0:443", console: 127.0.0.1:8444, portal: "[::1]:8445", sftp: 127.0.0.1:2222 }
publicUrl: https://receiver.example.com
keys: /etc/keys
tls: { cert: a.pem, key: b.pem }
trustProxy: [10.0.0.1]
lake: { kind: s3, bucket: b, prefix: p/, region: eu-1, endpoint: "http://127.0.0.1:9000", forcePathStyle: true, accessKeyId: a, secretAccessKey: s }
ledger: { kind: postgres, url: "postgres://h/db" }
quota: { file: 5GB }
`);
  expect(settings.listen.portal).toEqual({ host: "::1", port: 8445 });
  expect(settings.quota.file).toBe(5e9);
});

test.for([
  ["lisen: {}", /receiver\.yaml:1:1: unknown key "lisen"; expected one of listen, publicUrl/],
  ["listen:\n  ingest: 8443", /receiver\.yaml:2:/],
  ["listen:\n  ingest: localhost", /receiver\.yaml:2:3: listen\.ingest: expected an address with its port/],
  ["reserve: lots", /receiver\.yaml:1:1: reserve: expected a size/],
  ["lake:\n  kind: tape", /receiver\.yaml:2:3: lake\.kind/],
  ["lake: { kind: s3 }", /lake\.bucket/],
  [
    "limits:\n  idel: 3s",
    /receiver\.yaml:2:3: unknown key "idel"; expected one of idle, minRate, concurrent/,
  ],
  ["publicUrl: http://plain", /publicUrl: expected an address such as https:/],
  [
    "ledger: { kind: postgres, url: 'env:TRIBUTARY_NOT_SET' }",
    /ledger\.url: there is nothing at env:TRIBUTARY_NOT_SET/,
  ],
  ["a: [", /receiver\.yaml:/],
  ["sweep:\n  spare: 0s", /receiver\.yaml:2:\d+: sweep\.spare: expected at least 1d/],
  ["sweep: { spare: 23h }", /sweep\.spare: expected at least 1d/],
  ["sweep: { uploads: 3599s }", /sweep\.uploads: expected at least 1h/],
  ["sweep: { every: 999ms }", /sweep\.every: expected at least 1s/],
  ["sweep: { spare: soon }", /sweep\.spare: expected a duration such as/],
] as const)("a mistake says its line and what was expected: %j", ([text, message]) => {
  expect(() => parse(text)).toThrow(message);
});

test("inspection is off unless it is named; clamd is a socket, or a host and a port", () => {
  expect(parse("{}").inspect).toBeUndefined();
  expect(parse("inspect: { clamd: /run/clamav/clamd.ctl }").inspect).toEqual({
    clamd: { path: "/run/clamav/clamd.ctl" },
    ...{ largest: 25_000_000, larger: "quarantine", sessions: 8, within: 30_000 },
  });
  expect(parse('inspect: { clamd: "[::1]:3310", larger: pass }').inspect).toMatchObject({
    ...{ clamd: { host: "::1", port: 3310 }, larger: "pass" },
  });
  for (const wrong of ["{}", "{ clamd: clamd.ctl }", "{ clamd: localhost }", "{ clamd: /x, larger: drop }"])
    expect(() => parse(`inspect: ${wrong}`)).toThrow(/inspect/);
});

test("secrets may come from a file", () => {
  writeFileSync(join(folder, "secret"), "postgres://h/db\n");
  const settings = parse(`ledger: { kind: postgres, url: "file:${join(folder, "secret")}" }`);
  expect(settings.ledger).toEqual({ kind: "postgres", url: "postgres://h/db" });
});

test("--config must exist, receiver.yaml in the data folder need not", () => {
  expect(() => readSite({ data: folder, config: join(folder, "none.yaml") })).toThrow(/cannot read/);
  writeFileSync(join(folder, "receiver.yaml"), "log: debug\n");
  expect(readSite({ data: folder }).settings.log).toBe("debug");
});

describe("the reference", () => {
  /** Every key with its description, depth first. */
  function undescribed(schema: z.ZodType, path: string): string[] {
    const def = schema.def as {
      innerType?: z.ZodType;
      in?: z.ZodType;
      options?: z.ZodType[];
      shape?: Record<string, z.ZodType>;
    };
    const inner = def.innerType ?? def.in;
    if (def.shape) {
      return Object.entries(def.shape).flatMap(([key, value]) => {
        const own = value.description === undefined ? [`${path}${key}`] : [];
        return [...own, ...undescribed(value, `${path}${key}.`)];
      });
    }
    if (inner) return undescribed(inner, path);
    return (def.options ?? []).flatMap((option) => undescribed(option, path));
  }

  test("every key says what it is for", () => {
    expect(undescribed(receiverSettings, "")).toEqual([]);
  });
});

test.for([
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["[::1]:8443", { host: "::1", port: 8443 }],
  ["a.example:65535", { host: "a.example", port: 65_535 }],
  ["a:65536", undefined],
  ["::1:80", undefined],
  ["8443", undefined],
  ["a b:1", undefined],
] as const)("the address %s", ([text, address]) => {
  expect(parseAddress(text)).toEqual(address);
});

test.for<[string, string | undefined]>([
  ["{}", "https://localhost:8444"],
  ["listen: { console: off }", undefined],
  ["listen: { console: 127.0.0.1:8444 }", "https://localhost:8444"],
  ["listen: { console: '[::1]:8444' }", "https://localhost:8444"],
  ["listen: { console: 0.0.0.0:443 }", "https://localhost"],
  [
    "publicUrl: https://receiver.example.com:8443\nlisten: { console: 0.0.0.0:8444 }",
    "https://receiver.example.com:8444",
  ],
  ["listen: { console: '[fd00::1]:8444' }", "https://[fd00::1]:8444"],
  ["console: { url: 'https://Console.example.com/' }", "https://console.example.com"],
])("the console of %j is at %s", ([text, url]) => {
  expect(consoleUrl(parse(text))).toBe(url);
});

test.for([
  ["console: { url: 'http://console.example.com' }", /console\.url: expected an address such as https:/],
  ["console: { url: 'https://console.example.com/x' }", /without a path/],
  ["console: { sessions: 5s }", /console\.sessions: expected at least 1m/],
  ["console: { secondFactor: maybe }", /console\.secondFactor/],
  [
    "console: { oidc: [{ id: Corp, name: C, issuer: 'https://i', clientId: c, clientSecret: s }] }",
    /a short word/,
  ],
  [
    "console: { oidc: [{ id: c, name: C, issuer: 'http://i', clientId: c, clientSecret: s }] }",
    /issuer: expected/,
  ],
  [
    "console: { oidc: [{ id: c, name: C, issuer: 'https://i', clientId: c, clientSecret: 'env:TRIBUTARY_NOT_SET' }] }",
    /nothing at env:TRIBUTARY_NOT_SET/,
  ],
] as const)("%j is refused", ([text, why]) => {
  expect(() => parse(text)).toThrow(why);
});

test("a provider with roles is taken", () => {
  const { console: settings } = parse(`
console:
  secondFactor: required
  oidc:
    - { id: corp, name: Corp, issuer: "https://login.example.com", clientId: c, clientSecret: s, roles: { claim: groups, admin: [root] } }
`);
  expect(settings).toMatchObject({ sessions: 43_200_000, secondFactor: "required" });
  expect(settings.oidc[0]?.roles).toEqual({ claim: "groups", admin: ["root"], operator: [], viewer: [] });
});
