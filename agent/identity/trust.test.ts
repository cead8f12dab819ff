import { expect, test } from "vitest";
import { readAnswer, readRetryAfter } from "./answer.ts";
import { authoritiesOf, mergeTrust, readAuthority, type Trust } from "./trust.ts";

const DAY = 86_400_000;
const only = (pem: string, lastNamedAt = 0): Trust => ({
  authorities: [{ pem, lastNamedAt }],
  systemNamedAt: null,
});
const pems = (trust: Trust) => trust.authorities.map((one) => one.pem).sort();
const named = (...authorities: string[]) => ({ authorities, system: false });

test("a new authority counts at once, the old one for 90 days more", () => {
  const both = mergeTrust(only("old"), named("old", "new"), 0);
  expect(pems(both)).toEqual(["new", "old"]);
  const kept = mergeTrust(both, named("new"), 90 * DAY);
  expect(pems(kept)).toEqual(["new", "old"]);
  expect(pems(mergeTrust(kept, named("new"), 90 * DAY + 1))).toEqual(["new"]);
});

test("an agent that slept for a year still trusts what it knew until it hears better", () => {
  expect(authoritiesOf(only("old"), undefined)).toEqual(["old"]);
  expect(pems(mergeTrust(only("old"), named("old"), 365 * DAY))).toEqual(["old"]);
});

test("a set that names nothing changes nothing", () => {
  expect(mergeTrust(only("old"), named(), 365 * DAY)).toEqual(only("old"));
});

test("from the own authority to a public certificate and back", () => {
  const moved = mergeTrust(only("own"), { authorities: [], system: true }, DAY);
  expect(moved).toEqual({ authorities: [{ pem: "own", lastNamedAt: 0 }], systemNamedAt: DAY });
  expect(authoritiesOf(moved, "extra").length).toBeGreaterThan(10);
  expect(mergeTrust(moved, named("own"), 80 * DAY).systemNamedAt).toBe(DAY);
  expect(mergeTrust(moved, named("own"), 92 * DAY).systemNamedAt).toBeNull();
});

test("the authority of tls.ca is added, never stored", () => {
  expect(authoritiesOf(only("own"), "extra")).toEqual(["own", "extra"]);
});

test.for([
  ["7", 7],
  [" 0 ", 0],
  ["Thu, 01 Jan 2026 00:01:00 GMT", 60],
  ["Thu, 01 Jan 2020 00:00:00 GMT", 0],
  ["99999999999", 86_400],
  ["Fri, 31 Dec 2199 00:00:00 GMT", 86_400],
  ["soon", undefined],
  [undefined, undefined],
] as const)("Retry-After %j: %s s", ([field, seconds]) => {
  expect(readRetryAfter(field, Date.UTC(2026, 0, 1))).toBe(seconds);
});

test("a problem keeps its name, its time and its request; a stranger's page is no problem of the parcel", () => {
  const body = JSON.stringify({ code: "quota-day", detail: "full", requestId: "r1" });
  expect(() => readAnswer(429, { "retry-after": "9" }, body, 0)).toThrow(
    expect.objectContaining({ code: "quota-day", retryAfter: 9, message: expect.stringContaining("r1") }),
  );
  for (const status of [301, 404, 502])
    expect(() => readAnswer(status, { "content-type": "text/html" }, "<html>", 0)).toThrow(
      expect.objectContaining({ code: "receiver-unreachable" }),
    );
});

test.for([414, 431])(
  "%i of a proxy concerns the one path that is too long for it, and is tried again",
  (status) => {
    expect(() => readAnswer(status, { "content-type": "text/html" }, "<html>", 0)).toThrow(
      expect.objectContaining({ code: "headers-too-large", message: expect.stringContaining("64 KiB") }),
    );
  },
);

test("tls.ca that is not there, or holds no certificate, is refused by name", () => {
  expect(() => readAuthority("/no/ca.pem")).toThrow(
    /^tls.ca: cannot read the authority \/no\/ca.pem: ENOENT/,
  );
  expect(() => readAuthority(import.meta.filename)).toThrow(/trust.test.ts: it holds no certificate in PEM;/);
  expect(readAuthority(undefined)).toBeUndefined();
});
