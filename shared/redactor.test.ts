import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Redactor } from "./redactor.ts";

function knowing(...values: string[]): Redactor {
  const redactor = new Redactor();
  for (const value of values) redactor.learn(value);
  return redactor;
}

test.for<[string, string, string]>([
  ["hunter2", "login hunter2 failed", "login [secret] failed"],
  ["hunter2", "hunter2hunter2 and hunter2", "[secret] and [secret]"],
  ["abcabc", "abcabcabc", "[secret]"],
  ["secret", "a secret, twice: secret", "a [secret], twice: [secret]"],
  ["a/b c+d%e", "PUT /?key=a%2Fb%20c%2Bd%25e", "PUT /?key=[secret]"],
  ["a/b c+d%e", "PUT /?key=a%2fb%20c%2bd%25e", "PUT /?key=[secret]"],
  ["a/b c+d%e", "key=a%2Fb+c%2Bd%25e&x", "key=[secret]&x"],
  ["pass word's", "'pass%20word%27s'", "'[secret]'"],
  ['quo"te\\d', JSON.stringify({ password: 'quo"te\\d' }), '{"password":"[secret]"}'],
  ["two\nlines\tof", JSON.stringify({ key: "two\nlines\tof" }), '{"key":"[secret]"}'],
  ["a<b&c", "<Error>a&lt;b&amp;c</Error>", "<Error>[secret]</Error>"],
  ["longer-password", `Basic ${Buffer.from("longer-password").toString("base64")}`, "Basic [secret]"],
  ["abc", "abc or abcd, (abc)", "[secret] or abcd, ([secret])"],
  ["a.c", "abc a.c", "abc [secret]"],
  ["12", "after 12 of 120 ms", "after [secret] of 120 ms"],
])("%s in %s", ([value, text, said]) => {
  expect(knowing(value).redact(text)).toBe(said);
});

test("in the Base64 of something longer nothing of it stands that could be read", () => {
  for (const user of ["", "a", "ab", "abc", "user"]) {
    const header = Buffer.from(`${user}:correct-horse:tail`).toString("base64");
    const said = knowing("correct-horse").redact(`Authorization: Basic ${header}`);
    expect(said).toContain("[secret]");
    expect(Buffer.from(said.split(" ")[2] ?? "", "base64").toString("latin1")).not.toContain("horse");
  }
});

const SAS = "sv=2024-11-04&ss=b&se=2026-01-01T00%3A00%3A00Z&sig=abc%2Bdef%2Fghijkl%3D";

test.for<[string, string]>([
  [`https://acme.blob.core.windows.net/in?${SAS}`, `GET /in/a.csv?${SAS}&x=1`],
  [`https://acme.blob.core.windows.net/in?${SAS}`, "signature abc+def/ghijkl= is wrong"],
  [`?${SAS}`, "sig=abc%2Bdef%2Fghijkl%3D"],
  [SAS, "abc+def/ghijkl="],
  ["https://user:abc%2Bdef@host.example.com/", "user with abc+def was refused"],
  [
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc+def/ghijkl==;x=y",
    "HMAC of abc+def/ghijkl==",
  ],
  ["-----BEGIN KEY-----\nabcdefghabcdefghabcdef\n-----END KEY-----", "cannot parse abcdefghabcdefghabcdef"],
])("the part of it that opens: %s", ([value, text]) => {
  expect(knowing(value).redact(text)).toContain("[secret]");
  expect(knowing(value).redact(text)).not.toMatch(/abc/);
});

test("what surrounds a part stays readable", () => {
  const said = knowing(`https://acme.blob.core.windows.net/in?${SAS}`).redact(
    "403 of acme.blob.core.windows.net",
  );
  expect(said).toBe("403 of acme.blob.core.windows.net");
  expect(knowing("-----BEGIN KEY-----\nabcdefghabcdefghabcdef\n").redact("-----BEGIN KEY-----")).toContain(
    "BEGIN",
  );
});

/** How programs repeat what they were given. */
const dresses: readonly ((value: string) => string)[] = [
  (value) => value,
  encodeURIComponent,
  (value) => encodeURIComponent(value).replace(/%../g, (hex) => hex.toLowerCase()),
  (value) => new URLSearchParams({ a: value }).toString(),
  (value) => `https://${new URL(`https://u:${encodeURIComponent(value)}@h/`).password}@h/`,
  (value) => new URL(`https://h/?a=${encodeURIComponent(value)}`).search,
  (value) => JSON.stringify({ value }),
  (value) => inspect({ value }, { breakLength: Number.POSITIVE_INFINITY }),
  (value) => Buffer.from(value).toString("base64"),
  (value) => Buffer.from(value).toString("base64url"),
];

const value = fc
  .string({ unit: "grapheme", minLength: 8, maxLength: 80 })
  .filter((text) => text.trim().length >= 8 && !"[secret]".includes(text));

test("in every dress, between whatever else, nothing of it is left", () => {
  fc.assert(
    fc.property(
      value,
      fc.string(),
      fc.string(),
      fc.constantFrom(...dresses),
      (secret, before, after, dress) => {
        const worn = dress(secret);
        const said = knowing("other-secret", secret).redact(`${before} ${worn} ${after}`);
        expect(said).toContain("[secret]");
        expect(said.includes(secret)).toBe(false);
        expect(said.length).toBeLessThanOrEqual(before.length + after.length + worn.length + 20);
        if (worn.length > 30) expect(said).not.toContain(worn);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("one of 64 KiB is known too, and nothing to redact costs nothing", () => {
  const large = "0123456789abcdef\n".repeat(3_855);
  expect(knowing(large).redact(`x ${large} y`)).toBe("x [secret] y");
  const text = "nothing";
  expect(new Redactor().redact(text)).toBe(text);
  expect(knowing("").redact(text)).toBe(text);
});

test("one that is read again and again is known for ever, however many others come and go", () => {
  const redactor = knowing("password");
  for (let i = 0; i < 1_200; i += 1) {
    redactor.learn("password");
    redactor.learn(`hourly-token-${i}`);
    expect(redactor.redact("password")).toBe("[secret]");
  }
  expect(redactor.redact("hourly-token-1199 hourly-token-1")).toBe("[secret] hourly-token-1");
});
