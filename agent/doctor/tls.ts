/** Whether what answers proves to be the receiver, and who issued the certificate that this host really sees. */
import type { X509Certificate } from "node:crypto";
import { formatDuration } from "@tributary/shared/units.ts";
import { issuerSeen, openLine, presentedChain, secureContext, type Way } from "../identity/line.ts";
import { type Finding, fail, ok, reasonOf, warn } from "./finding.ts";

const SOON_MS = 14 * 86_400_000;

/** `authorities`: PEM, what this agent trusts. */
export async function checkTls(way: Way, authorities: readonly string[], now: number): Promise<Finding> {
  try {
    (await openLine(way, secureContext(authorities))).destroy();
  } catch (error) {
    return fail(
      "tls",
      reasonOf(error),
      "if that is your company's proxy, name its authority in agent.yaml (tls: { ca: FILE }); if the receiver moved, ask for a new code",
    );
  }
  const chain = await presentedChain(way).catch((): X509Certificate[] => []);
  return validity(issuerSeen(chain), chain[0]?.validToDate.getTime(), now);
}

/** `until`: when the certificate ends, ms since 1970; undefined when it could not be seen a second time. */
export function validity(issuer: string, until: number | undefined, now: number): Finding {
  const says = `the certificate is trusted; issued by "${issuer}"`;
  if (until === undefined || until - now > SOON_MS) return ok("tls", says);
  return warn(
    "tls",
    `${says}; it ends in ${formatDuration(Math.max(0, until - now))}`,
    "tell the receiver's operator to renew it",
  );
}
