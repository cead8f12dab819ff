/**
 * The way to an endpoint: directly, to an address that was judged, or through a proxy. Names are resolved here and the
 * very address that was judged is connected to; behind a proxy only the proxy knows where a name leads.
 */
import { lookup } from "node:dns";
import { isIP } from "node:net";
import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, Pool, ProxyAgent } from "undici";
import { type Allowed, hostOf, isNamed, refusal, refusalBehindProxy } from "./address.ts";
import { judging, type Resolve, sharing } from "./lookup.ts";

export interface WaySettings {
  readonly allowed: Allowed;
  /** PEM of authorities that are trusted besides the system's. */
  readonly ca?: string | undefined;
  /** An HTTP proxy, through which everything goes that `allowed` does not name. */
  readonly proxy?: string | undefined;
  readonly resolve?: Resolve;
  readonly connectMs: number;
  /** Whoever asks gives up after this; then nothing goes on for much longer. */
  readonly answerMs: number;
}

/** `refused`: why there is none. */
export type Way = { readonly through: Dispatcher } | { readonly refused: string };

export interface Ways {
  to(url: URL): Way;
  close(): Promise<void>;
}

export function openWays(settings: WaySettings): Ways {
  const { allowed, ca, proxy, resolve = lookup, connectMs, answerMs } = settings;
  const patience = { headersTimeout: 2 * answerMs, bodyTimeout: 2 * answerMs };
  const options = {
    ...patience,
    allowH2: false,
    pipelining: 1,
    // Shorter than most servers': what they close in the same moment would count as a failure.
    keepAliveTimeout: 4000,
    // A long-lived connection would outlive a change of the name's address.
    clientTtl: 60_000,
  };
  const tls = {
    timeout: connectMs,
    ...(ca === undefined ? {} : { ca: [...getCACertificates("default"), ca] }),
  };
  const shared = sharing(resolve);
  const direct = (plain: boolean): Agent =>
    new Agent({ ...options, connect: { ...tls, lookup: judging(shared, plain, allowed) } });
  const [secure, open] = [direct(false), direct(true)];
  const proxied =
    proxy === undefined
      ? undefined
      : new ProxyAgent({
          ...{ ...options, uri: proxy, proxyTls: tls, requestTls: tls },
          // A proxy that never answers to CONNECT would hold a connection for each attempt.
          clientFactory: (origin, more) => new Pool(origin, { ...more, ...patience }),
        });
  return {
    to(url) {
      const plain = url.protocol === "http:";
      const host = hostOf(url);
      if (proxied !== undefined && !isNamed(host, allowed)) {
        const refused = refusalBehindProxy(host, plain, allowed);
        return refused === undefined ? { through: proxied } : { refused };
      }
      // An address in the URL is connected to without a lookup.
      const refused = isIP(host) === 0 ? undefined : refusal(host, host, plain, allowed);
      return refused === undefined ? { through: plain ? open : secure } : { refused };
    },
    async close() {
      const all = [secure, open, ...(proxied === undefined ? [] : [proxied])];
      await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
    },
  };
}
