/** Which HTTP proxy stands between this host and the receiver: `proxy:` of agent.yaml, else HTTPS_PROXY unless NO_PROXY names the receiver. */
import { BlockList, isIP } from "node:net";
import { ProblemError } from "@tributary/shared/problems.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy for this address, or undefined for the direct way. Lower-case variables win, as in curl. Throws `config-invalid`. */
export function proxyFor(url: URL, configured: string | undefined, env: Environment): URL | undefined {
  if (configured !== undefined) return readProxy(configured, "proxy: in agent.yaml");
  const named = env["https_proxy"] || env["HTTPS_PROXY"] || env["all_proxy"] || env["ALL_PROXY"];
  if (!named || bypassed(url, env["no_proxy"] || env["NO_PROXY"] || "")) return undefined;
  return readProxy(named.includes("://") ? named : `http://${named}`, "HTTPS_PROXY");
}

function readProxy(text: string, where: string): URL {
  const proxy = URL.parse(text);
  if (proxy !== null && /^https?:$/.test(proxy.protocol)) return proxy;
  throw new ProblemError(
    "config-invalid",
    `${where} is "${text.replace(/\/\/.*@/s, "//…@")}"; expected the address of an HTTP proxy, such as http://proxy.local:3128`,
  );
}

/**
 * NO_PROXY: hosts or `host:port` separated by commas or spaces; a name also stands for all below it; `10.0.0.0/8` for
 * addresses, when the receiver is named by one; `*` for everything.
 */
function bypassed(url: URL, list: string): boolean {
  const host = bare(url.hostname);
  const port = url.port || "443";
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === "") return false;
    if (entry === "*") return true;
    if (entry.includes("/")) return inNetwork(host, entry);
    const [, name = "", onlyPort] = /^(\[[^\]]*\]|[^:]*|[^:]*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? [];
    if (onlyPort !== undefined && onlyPort !== port) return false;
    const wanted = bare(name.replace(/^\*?\./, ""));
    return wanted !== "" && (host === wanted || host.endsWith(`.${wanted}`));
  });
}

/** Only where the address itself is given: names are not looked up to find a way. */
function inNetwork(host: string, network: string): boolean {
  const [address = "", length = ""] = network.split("/");
  const family = isIP(bare(address));
  if (family === 0 || family !== isIP(host) || !/^\d{1,3}$/.test(length)) return false;
  if (Number(length) > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(bare(address), Number(length), kind);
  return list.check(host, kind);
}

const bare = (name: string): string =>
  name
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
