import { describe, expect, test } from "vitest";
import { allowedOf, refusal } from "./address.ts";

const none = allowedOf([]);

describe("without a configuration", () => {
  test.for<[string, string]>([
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["0.0.0.0", "unspecified"],
    ["10.0.0.1", "private"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.168.1.1", "private"],
    ["100.64.0.1", "carrier-grade NAT"],
    ["169.254.169.254", "link-local"],
    ["224.0.0.1", "multicast"],
    ["255.255.255.255", "reserved"],
    ["198.18.0.1", "benchmarking"],
    ["192.0.2.1", "documentation"],
    ["::1", "loopback"],
    ["::", "unspecified"],
    ["::ffff:8.8.8.8", "IPv4-mapped"],
    ["::ffff:7f00:1", "IPv4-mapped"],
    ["::7f00:1", "reserved"],
    ["64:ff9b::7f00:1", "NAT64"],
    ["64:ff9b:1::1", "NAT64"],
    ["fd12:3456::1", "unique local"],
    ["fe80::1", "link-local"],
    ["fe80::1%eth0", "link-local"],
    ["fec0::1", "reserved"],
    ["ff02::1", "multicast"],
    ["2002:7f00:1::", "6to4"],
    ["2001::1", "reserved"],
    ["2001:db8::1", "documentation"],
    ["not an address", "no address"],
  ])("%s is refused: %s", ([address, kind]) => {
    const why = refusal("hooks.example.com", address, false, none);
    expect(why).toContain(kind);
    expect(why).toContain("allow it with webhooks: { allow: [hooks.example.com] } in receiver.yaml");
  });

  test.for(["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00:1450::1"])(
    "%s is reached, over TLS",
    (address) => {
      expect(refusal("hooks.example.com", address, false, none)).toBeUndefined();
      expect(refusal("hooks.example.com", address, true, none)).toContain("without TLS");
    },
  );
});

describe("what the configuration allows", () => {
  const allowed = allowedOf(["Intern.example.com", "10.1.0.0/16", "192.168.1.7", "fd00::/8"]);

  test.for<[string, string, boolean]>([
    ["intern.example.com", "10.9.9.9", true],
    ["INTERN.example.com", "::1", true],
    ["other.example.com", "10.1.2.3", true],
    ["other.example.com", "10.2.0.1", false],
    ["192.168.1.7", "192.168.1.7", true],
    ["192.168.1.8", "192.168.1.8", false],
    ["other.example.com", "fd12::1", true],
    ["other.example.com", "::ffff:10.1.2.3", false],
  ])("%s at %s: %s", ([host, address, reached]) => {
    for (const plain of [false, true])
      expect(refusal(host, address, plain, allowed) === undefined).toBe(reached);
  });
});
