import { expect, test } from "vitest";
import { proxyFor } from "./proxy.ts";

const url = new URL("https://receiver.example.com:8443");
const seen = (env: Record<string, string>, configured?: string, at = url) =>
  proxyFor(at, configured, env)?.host;

test.for([
  [{}, undefined],
  [{ HTTPS_PROXY: "http://p:1" }, "p:1"],
  [{ https_proxy: "http://lower:1", HTTPS_PROXY: "http://upper:1" }, "lower:1"],
  [{ HTTPS_PROXY: "p:3128" }, "p:3128"],
  [{ HTTP_PROXY: "http://p:1" }, undefined],
  [{ HTTPS_PROXY: "" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "receiver.example.com" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", no_proxy: ".example.com" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "example.com" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "a, EXAMPLE.com" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "*.example.com" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "*" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "receiver.example.com:8443" }, undefined],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "receiver.example.com:443" }, "p:1"],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "ample.com" }, "p:1"],
  [{ HTTPS_PROXY: "http://p:1", NO_PROXY: "other.example.com" }, "p:1"],
] as const)("%j -> %s", ([env, proxy]) => {
  expect(seen(env)).toBe(proxy);
});

test("addresses", () => {
  const v6 = new URL("https://[::1]:8443");
  expect(seen({ HTTPS_PROXY: "http://p:1", NO_PROXY: "::1" }, undefined, v6)).toBeUndefined();
  expect(seen({ HTTPS_PROXY: "http://p:1", NO_PROXY: "[::1]:8443" }, undefined, v6)).toBeUndefined();
  expect(
    seen({ HTTPS_PROXY: "http://p:1", NO_PROXY: "127.0.0.1" }, undefined, new URL("https://127.0.0.1")),
  ).toBeUndefined();
});

test.for([
  ["10.1.2.3", "10.0.0.0/8", undefined],
  ["10.1.2.3", "192.168.0.0/16 10.1.2.0/24", undefined],
  ["11.1.2.3", "10.0.0.0/8", "p:1"],
  ["10.1.2.3", "10.0.0.0/33", "p:1"],
  ["10.1.2.3", "10.0.0.0/", "p:1"],
  ["10.1.2.3", "ten/8", "p:1"],
  ["10.1.2.3", "fd00::/8", "p:1"],
  ["[fd12::1]", "fd00::/8", undefined],
  ["[fd12::1]", "[fd00::]/8", undefined],
  ["[fe12::1]", "fd00::/8", "p:1"],
  ["receiver.example.com", "10.0.0.0/8", "p:1"],
] as const)("%s with NO_PROXY=%s: %s", ([host, list, proxy]) => {
  const at = new URL(`https://${host}:8443`);
  expect(seen({ HTTPS_PROXY: "http://p:1", NO_PROXY: list }, undefined, at)).toBe(proxy);
});

test("the configuration wins over the environment, and NO_PROXY does not concern it", () => {
  expect(seen({ HTTPS_PROXY: "http://p:1", NO_PROXY: "*" }, "http://own:8080")).toBe("own:8080");
});

test("what is no proxy is refused with an example", () => {
  expect(() => seen({}, "socks5://p:1")).toThrow(/http:\/\/proxy.local:3128/);
  expect(() => seen({ HTTPS_PROXY: "socks5://me:secret@p:1" })).toThrow(/^(?!.*secret).*socks5.*@?p:1/);
});
