/** Which way leads to the receiver: a proxy of agent.yaml or of the environment, or none. */
import { proxyFor } from "../identity/proxy.ts";
import type { Address } from "./address.ts";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

export interface ProxyFound {
  readonly finding: Finding;
  /** Undefined: the direct way, or nothing usable is named. */
  readonly proxy: URL | undefined;
}

export function checkProxy(
  url: URL,
  configured: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ProxyFound {
  try {
    const proxy = proxyFor(url, configured, env);
    if (proxy === undefined) return { finding: ok("proxy", "none: this host connects directly"), proxy };
    const where = configured === undefined ? "HTTPS_PROXY" : "proxy: in agent.yaml";
    return { finding: ok("proxy", `${proxy.host}, named by ${where}`), proxy };
  } catch (error) {
    return {
      finding: fail("proxy", reasonOf(error), "correct it, or remove it if this host connects directly"),
      proxy: undefined,
    };
  }
}

/** Where the first TCP connection goes to. */
export function proxyAddress(proxy: URL): Address {
  const standard = proxy.protocol === "https:" ? 443 : 80;
  return {
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port === "" ? standard : Number(proxy.port),
  };
}
