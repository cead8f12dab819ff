/**
 * The line to the receiver: TCP, or a CONNECT tunnel through a proxy, and TLS on top, always verified against the
 * authorities given (host name included). When it does not verify, a second look without verification, over
 * which nothing is sent, finds out who answered: an intercepting proxy is the usual reason.
 */
import type { X509Certificate } from "node:crypto";
import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { ProblemError } from "@tributary/shared/problems.ts";
import { systemAuthorities } from "./trust.ts";

export interface Way {
  readonly url: URL;
  readonly proxy: URL | undefined;
  /** Content (PEM) of `tls.ca`: it vouches for an https:// proxy too, beside the system's authorities. */
  readonly ca?: string | undefined;
}

const CONNECT_MS = 15_000;
/** A peer that vanished without a word is noticed on an idle line after this and ten probes of a second. */
const KEEP_ALIVE_MS = 15_000;

export const secureContext = (authorities: readonly string[]): SecureContext =>
  createSecureContext({ ca: [...authorities], minVersion: "TLSv1.2" });

/** A verified connection. Throws `receiver-unreachable` or `receiver-untrusted`, saying what to do. */
export async function openLine(way: Way, context: SecureContext): Promise<TLSSocket> {
  try {
    return await handshake(way, { secureContext: context });
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause;
    if (!isTrustFailure(cause)) throw unreachable(way, cause);
    const seen = await presentedChain(way).catch(() => []);
    throw new ProblemError("receiver-untrusted", untrusted(way, cause as Error, seen), { cause });
  }
}

/** The certificates that whoever answers presents, leaf first. Nothing is verified and nothing is sent. */
export async function presentedChain(way: Way): Promise<X509Certificate[]> {
  let socket: TLSSocket;
  try {
    socket = await handshake(way, { rejectUnauthorized: false });
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause;
    throw unreachable(way, cause);
  }
  const chain: X509Certificate[] = [];
  let at = socket.getPeerX509Certificate();
  socket.destroy();
  while (at !== undefined && !chain.some((one) => one.fingerprint256 === at?.fingerprint256)) {
    chain.push(at);
    at = at.issuerCertificate;
  }
  return chain;
}

/** The issuer of what was presented, on one line. */
export const issuerSeen = (chain: readonly X509Certificate[]): string =>
  (chain[0]?.issuer ?? "unknown").replaceAll("\n", ", ");

async function handshake(
  way: Way,
  trust: { secureContext: SecureContext } | { rejectUnauthorized: false },
): Promise<TLSSocket> {
  const host = way.url.hostname.replace(/^\[|\]$/g, "");
  const deadline = AbortSignal.timeout(CONNECT_MS);
  const raw =
    way.proxy === undefined ? await dial(way.url, deadline) : await tunnel(way, way.proxy, deadline);
  return await new Promise((resolve, reject) => {
    const socket = connectTls({
      ...trust,
      socket: raw,
      host,
      // RFC 6066, 3: an IP address is no server name.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["http/1.1"],
    });
    const expired = (): void => void socket.destroy(timedOut("TLS was not agreed"));
    const cut = (): void =>
      reject(Object.assign(new Error("closed during the TLS handshake"), { code: "ECONNRESET" }));
    deadline.addEventListener("abort", expired);
    socket.once("error", reject).once("close", cut);
    socket.once("secureConnect", () => {
      deadline.removeEventListener("abort", expired);
      socket.off("error", reject).off("close", cut);
      resolve(socket);
    });
  });
}

function dial(url: URL, deadline: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || "443"),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    const expired = (): void => void socket.destroy(timedOut("no answer"));
    deadline.addEventListener("abort", expired);
    socket.once("error", reject);
    socket.once("connect", () => {
      deadline.removeEventListener("abort", expired);
      socket.removeListener("error", reject);
      resolve(socket);
    });
  });
}

/** RFC 9110, 9.3.6: CONNECT host:port through the proxy; its password travels as Basic. */
function tunnel(way: Way, proxy: URL, signal: AbortSignal): Promise<Socket> {
  const target = `${way.url.hostname}:${way.url.port || "443"}`;
  const secret = proxy.username && `${decoded(proxy.username)}:${decoded(proxy.password)}`;
  const secure = proxy.protocol === "https:";
  const send = secure ? secureRequest : request;
  const ca = secure ? [...systemAuthorities(), ...(way.ca === undefined ? [] : [way.ca])] : undefined;
  const host = proxy.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const asked = send({
      host,
      port: proxy.port || (secure ? "443" : "80"),
      // Named, or Node takes the name of the Host header, which is the receiver's. RFC 6066, 3: an address is no name.
      ...(ca === undefined ? {} : { ca, minVersion: "TLSv1.2", servername: isIP(host) === 0 ? host : "" }),
      method: "CONNECT",
      path: target,
      agent: false,
      signal,
      headers: {
        host: target,
        ...(secret ? { "proxy-authorization": `Basic ${Buffer.from(secret).toString("base64")}` } : {}),
      },
    });
    asked.once("error", (cause) => {
      if (signal.aborted) reject(timedOut("the proxy did not answer"));
      else reject(isTrustFailure(cause) ? untrustedProxy(proxy, cause) : cause);
    });
    asked.once("connect", (response, socket: Socket) => {
      if (response.statusCode === 200) {
        socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(
        new Error(
          `the proxy answered ${response.statusCode} ${response.statusMessage ?? ""} to CONNECT ${target}`,
        ),
      );
    });
    asked.end();
  });
}

/** A `%` that begins no escape stands for itself, as whoever typed the password means it. */
const decoded = (text: string): string =>
  text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll("%", ""), "hex").toString(),
  );

const timedOut = (what: string): Error =>
  Object.assign(new Error(`${what} within ${CONNECT_MS / 1000} s`), { code: "ETIMEDOUT" });

function isTrustFailure(cause: unknown): boolean {
  const code = String((cause as { code?: unknown }).code);
  return /CERT|SELF_SIGNED|UNABLE_TO_|INVALID_CA|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ALTNAME|CRL_/.test(
    code,
  );
}

const ADVICE: Record<string, string> = {
  ENOTFOUND: "the name does not resolve; check the address and this host's DNS",
  EAI_AGAIN: "the name server does not answer; check this host's DNS",
  ECONNREFUSED: "nothing listens there; check the address and that the receiver runs",
  ETIMEDOUT: "no answer; a firewall may stand between",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "this host has no network",
  ECONNRESET: "the connection was cut",
};

function unreachable(way: Way, cause: unknown): ProblemError {
  const failures = cause instanceof AggregateError ? cause.errors : [cause];
  const first = failures[0] as NodeJS.ErrnoException;
  const advice = ADVICE[String(first?.code)];
  const through = way.proxy === undefined ? "" : ` through the proxy ${way.proxy.host}`;
  return new ProblemError(
    "receiver-unreachable",
    `cannot reach ${way.url.origin}${through}: ${first?.message ?? String(cause)}${advice ? ` (${advice})` : ""}`,
    { cause },
  );
}

function untrustedProxy(proxy: URL, cause: Error): ProblemError {
  return new ProblemError(
    "receiver-untrusted",
    `the certificate of the proxy ${proxy.host} is not trusted here (${cause.message}); name its authority in agent.yaml: tls: { ca: FILE }. Nothing was sent`,
    { cause },
  );
}

function untrusted(way: Way, cause: Error, seen: readonly X509Certificate[]): string {
  const code = (cause as NodeJS.ErrnoException).code;
  const who = `the certificate presented for ${way.url.host} is issued by "${issuerSeen(seen)}"`;
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    const leaf = seen[0];
    return `${who} and is valid from ${leaf?.validFrom ?? "?"} to ${leaf?.validTo ?? "?"} only: ${cause.message}; renew it at the receiver, or set this host's clock`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `${who} but not for this name: ${cause.message}; use an address that the receiver's certificate names`;
  return `${who}, which is not trusted here (${cause.message}). If that is your company's intercepting proxy, name its authority in agent.yaml: tls: { ca: FILE }. Otherwise somebody may be in between; nothing was sent`;
}
