/** Whether this host can turn the receiver's name into an address. Behind a proxy only the proxy needs to. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Finding, fail, ok, reasonOf } from "./finding.ts";

export type Resolve = (host: string) => Promise<readonly string[]>;

const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

export async function checkDns(host: string, resolve: Resolve = systemResolve): Promise<Finding> {
  if (isIP(host) !== 0) return ok("dns", `${host} is an address already`);
  try {
    return ok("dns", `${host} is ${(await resolve(host)).join(", ")}`);
  } catch (error) {
    return fail(
      "dns",
      `the name ${host} cannot be resolved: ${reasonOf(error)}`,
      "check the name server of this host, or name a proxy in agent.yaml (proxy:) if only the proxy reaches the internet",
    );
  }
}
