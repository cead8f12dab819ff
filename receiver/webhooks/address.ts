/**
 * Which addresses a webhook may reach. Whoever can name a URL must not make the receiver speak to what only it can
 * reach: its own host, its network, a cloud's metadata. So only global unicast addresses are taken, over TLS, unless
 * `webhooks.allow` names the host, the address or its network. Registries: RFC 6890 with its updates (IANA).
 */
import { BlockList, isIP } from "node:net";

const V4: readonly (readonly [string, string])[] = [
  ["0.0.0.0/8", "an unspecified"],
  ["10.0.0.0/8", "a private"],
  ["100.64.0.0/10", "a shared (carrier-grade NAT)"],
  ["127.0.0.0/8", "a loopback"],
  ["169.254.0.0/16", "a link-local"],
  ["172.16.0.0/12", "a private"],
  ["192.0.0.0/24", "a reserved"],
  ["192.0.2.0/24", "a documentation"],
  ["192.88.99.0/24", "a reserved"],
  ["192.168.0.0/16", "a private"],
  ["198.18.0.0/15", "a benchmarking"],
  ["198.51.100.0/24", "a documentation"],
  ["203.0.113.0/24", "a documentation"],
  ["224.0.0.0/4", "a multicast"],
  ["240.0.0.0/4", "a reserved"],
];

const V6: readonly (readonly [string, string])[] = [
  ["::1/128", "a loopback"],
  ["::/128", "an unspecified"],
  ["::ffff:0:0/96", "an IPv4-mapped"],
  ["64:ff9b::/96", "a NAT64"],
  ["64:ff9b:1::/48", "a NAT64"],
  ["fc00::/7", "a private (unique local)"],
  ["fe80::/10", "a link-local"],
  ["ff00::/8", "a multicast"],
  ["2001::/23", "a reserved"],
  ["2001:db8::/32", "a documentation"],
  ["2002::/16", "a 6to4"],
  ["3fff::/20", "a documentation"],
];

const GLOBAL_V6 = "2000::/3";

/** One list per family: a list of IPv6 networks that holds ::ffff:0:0/96 would match every IPv4 address. */
const lists = [...V4, ...V6].map(([network, kind]) => ({ list: listOf([network]), kind }));
const global = listOf([GLOBAL_V6]);

/** `reserved`: what kind of address it is, as in "a private", when nobody outside should be there. */
function reserved(address: string): string | undefined {
  const family = isIP(address);
  const found = lists.find(({ list }) => list.has(address));
  if (found !== undefined) return found.kind;
  return family === 6 && !global.has(address) ? "a reserved" : undefined;
}

/** `webhooks.allow`: names, addresses and networks, as the configuration has checked them. */
export interface Allowed {
  readonly hosts: ReadonlySet<string>;
  readonly networks: { has(address: string): boolean };
}

export function allowedOf(entries: readonly string[]): Allowed {
  const isHost = (entry: string): boolean => !isNetwork(entry);
  return {
    hosts: new Set(entries.filter(isHost).map((host) => host.toLowerCase())),
    networks: listOf(entries.filter(isNetwork)),
  };
}

/** An address or a network, not a name. */
function isNetwork(entry: string): boolean {
  return isIP(entry.replace(/\/\d+$/, "")) !== 0;
}

/** Why `host`, which has this address, is not reached; undefined: it may be. `plain`: over http, which only the configuration permits. */
export function refusal(host: string, address: string, plain: boolean, allowed: Allowed): string | undefined {
  if (allowed.hosts.has(host.toLowerCase()) || allowed.networks.has(address)) return undefined;
  const kind = isIP(address) === 0 ? "no" : reserved(address);
  const named = host === address ? host : `${host} has the address ${address}, which`;
  const allow = `allow it with webhooks: { allow: [${host}] } in receiver.yaml`;
  if (kind !== undefined) return `${named} is ${kind} address; ${allow}`;
  return plain ? `${host} would be reached without TLS; use https, or ${allow}` : undefined;
}

/** What `allow` names as it stands in the URL, without a look at where a name leads. */
export function isNamed(host: string, allowed: Allowed): boolean {
  return allowed.hosts.has(host.toLowerCase()) || allowed.networks.has(host);
}

/**
 * The same for a host that a proxy will connect to: an address is judged as ever, but where a name leads only the proxy
 * knows, and whether that may be reached is its business. RFC 6761, 6.3: `localhost` is the proxy's own host.
 */
export function refusalBehindProxy(host: string, plain: boolean, allowed: Allowed): string | undefined {
  if (isIP(host) !== 0) return refusal(host, host, plain, allowed);
  const allow = `allow it with webhooks: { allow: [${host}] } in receiver.yaml`;
  if (/(^|\.)localhost\.?$/i.test(host)) return `${host} is the proxy's own host; ${allow}`;
  return plain ? `${host} would be reached without TLS; use https, or ${allow}` : undefined;
}

/** `URL.hostname` without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

function listOf(networks: readonly string[]): { has(address: string): boolean } {
  const families = { 4: new BlockList(), 6: new BlockList() };
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = isIP(address) === 4 ? 4 : 6;
    families[family].addSubnet(address, Number(bits ?? (family === 4 ? 32 : 128)), `ipv${family}`);
  }
  return {
    has(address) {
      const family = isIP(address);
      const bare = address.replace(/%.*$/, "");
      return family !== 0 && families[family as 4 | 6].check(bare, `ipv${family as 4 | 6}`);
    },
  };
}
