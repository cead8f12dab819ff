/** What this agent takes for the receiver's certificate. The trust moves with the heartbeats: what they name is trusted at once, what they no longer name for 90 more days. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { getCACertificates, rootCertificates, setDefaultCACertificates } from "node:tls";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { TrustSet } from "@tributary/shared/protocol.ts";
import { z } from "zod";

export const trust = z.object({
  /** Authorities in PEM, each with the time (ms since 1970) at which the receiver last named it. */
  authorities: z.array(z.object({ pem: z.string(), lastNamedAt: z.number() })),
  /** The same for the authorities of the system; null: not trusted. */
  systemNamedAt: z.number().nullable(),
});
export type Trust = z.infer<typeof trust>;

const KEPT_MS = 90 * 86_400_000;

/**
 * The trust after an answer that named this set. Only an answer over a trusted line can retire anything, so an
 * agent that slept for a year still trusts what it knew. A set that names nothing changes nothing.
 */
export function mergeTrust(known: Trust, named: TrustSet, now: number): Trust {
  if (named.authorities.length === 0 && !named.system) return known;
  const fresh = new Set(named.authorities.map((pem) => pem.trim()));
  const kept = known.authorities.filter(
    (one) => !fresh.has(one.pem.trim()) && now - one.lastNamedAt <= KEPT_MS,
  );
  const systemNamedAt = named.system ? now : known.systemNamedAt;
  return {
    authorities: [...[...fresh].map((pem) => ({ pem, lastNamedAt: now })), ...kept],
    systemNamedAt: systemNamedAt !== null && now - systemNamedAt <= KEPT_MS ? systemNamedAt : null,
  };
}

/** The certificates that a line verifies against; never empty, so nothing falls back to a default unseen. */
export function authoritiesOf(known: Trust, extra: string | undefined): string[] {
  return [
    ...known.authorities.map((one) => one.pem),
    ...(extra === undefined ? [] : [extra]),
    ...(known.systemNamedAt === null ? [] : systemAuthorities()),
  ];
}

/** Content (PEM) of the file that `tls.ca` of agent.yaml names. Throws `config-invalid`: TLS itself would pass over a file without a certificate. */
export function readAuthority(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const pem = readFileSync(file, "utf8");
    new X509Certificate(pem);
    return pem;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const what = code?.startsWith("ERR_OSSL") ? "it holds no certificate in PEM" : message;
    throw new ProblemError(
      "config-invalid",
      `tls.ca: cannot read the authority ${file}: ${what}; name a PEM file that this account may read, or take tls.ca out of agent.yaml`,
      { cause },
    );
  }
}

/**
 * From now on servers of sources are verified against the host's authorities and this one (content of the file that
 * `tls.ca` names) beside the public ones: their libraries ask Node's default. The way to the receiver has its own. A
 * host's store takes some megabytes of memory: only for who has such sources.
 */
export function trustByDefault(extra: string | undefined): void {
  const all = [...rootCertificates, ...systemAuthorities(), ...(extra === undefined ? [] : [extra])];
  setDefaultCACertificates([...new Set(all)]);
}

/** The system's store, with what NODE_EXTRA_CA_CERTS adds; where there is no store (bare containers), Node's own list. */
export function systemAuthorities(): string[] {
  const system = getCACertificates("system");
  return [...(system.length > 0 ? system : rootCertificates), ...getCACertificates("extra")];
}
