/** Names are resolved here, and judged before they are connected to. */
import { type LookupAddress, type LookupAllOptions, lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { type Allowed, hostOf, isNamed, refusal, refusalBehindProxy } from "./address.ts";

type Found = (error: Error | null, addresses: readonly LookupAddress[]) => void;
/** `dns.lookup` for all addresses of a name. */
export type Resolve = (name: string, options: LookupAllOptions, found: Found) => void;

/** An address that is not to be reached; its message is told to the operator. */
class Refused extends Error {}

/** Gives only addresses that may be reached, so that what is connected to is what was judged: a name that answers otherwise the next time gains nothing. */
export function judging(resolve: Resolve, plain: boolean, allowed: Allowed): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, "");
      const reasons = addresses.map(({ address }) => refusal(host, address, plain, allowed));
      const open = addresses.filter((_, i) => reasons[i] === undefined);
      const first = open[0];
      if (first === undefined) return done(new Refused(reasons[0] ?? `${host} has no address`), "");
      if (options.all) done(null, open);
      else done(null, first.address, first.family);
    });
  };
}

/**
 * Asks once for all who want the same name at the same time. The system's resolver works for the whole receiver, two
 * names at a time: those of one endpoint whose name server is silent must not keep others' waiting.
 */
export function sharing(resolve: Resolve): Resolve {
  const asked = new Map<string, Found[]>();
  return (name, options, found) => {
    const question = JSON.stringify([name, options.family, options.hints, options.order, options.verbatim]);
    const waiting = asked.get(question);
    if (waiting !== undefined) return void waiting.push(found);
    const all = [found];
    asked.set(question, all);
    resolve(name, options, (error, addresses) => {
      asked.delete(question);
      for (const one of all) one(error, addresses);
    });
  };
}

/** Resolves the name, unless a proxy will, and says why it must not be reached; undefined when it may be. */
export async function refusalOf(
  url: URL,
  allowed: Allowed,
  proxied: boolean,
  resolve: Resolve = lookup,
): Promise<string | undefined> {
  const host = hostOf(url);
  const plain = url.protocol === "http:";
  if (proxied && !isNamed(host, allowed)) return refusalBehindProxy(host, plain, allowed);
  if (isIP(host) !== 0) return refusal(host, host, plain, allowed);
  return await new Promise((done) => {
    judging(resolve, plain, allowed)(host, { all: true }, (error) => {
      if (error === null) done(undefined);
      else done(error instanceof Refused ? error.message : `${host} cannot be resolved: ${error.message}`);
    });
  });
}
