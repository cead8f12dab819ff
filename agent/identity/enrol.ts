/**
 * Enrolment: a one-time code becomes an identity. Before the secret leaves this host the receiver has proved
 * itself: by the pin in the code, by the system's authorities where the code says so, or by the authority that
 * this host's own administrator named (`tls.ca`).
 */
import { createHash, type X509Certificate } from "node:crypto";
import { hostname } from "node:os";
import { type InvitationCode, parseCode } from "@tributary/shared/code.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type EnrollAnswer, type EnrollRequest, enrollAnswer, ROUTE } from "@tributary/shared/protocol.ts";
import { Client } from "undici";
import { readAnswer } from "./answer.ts";
import { ReceiverClock } from "./clock.ts";
import { type Enrolled, loadIdentity, pendingKey, publicX, storeEnrolment } from "./identity.ts";
import { issuerSeen, openLine, presentedChain, secureContext, type Way } from "./line.ts";
import { proxyFor } from "./proxy.ts";
import { authoritiesOf, mergeTrust, type Trust } from "./trust.ts";

export interface EnrolOptions {
  readonly data: string;
  readonly code: string;
  readonly version: string;
  /** `proxy:` of agent.yaml. */
  readonly proxy: string | undefined;
  /** Content (PEM) of the file that `tls.ca` names. */
  readonly ca: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Enrols this data folder, or finds it enrolled with this very code. Throws the problem that says what to do. */
export async function enrol(options: EnrolOptions): Promise<Enrolled> {
  const code = parseCode(options.code);
  const codeSha256 = createHash("sha256").update(code.secret).digest("hex");
  const before = loadIdentity(options.data);
  if (before?.codeSha256 === codeSha256) return before;
  const url = new URL(code.url);
  const way: Way = { url, proxy: proxyFor(url, options.proxy, options.env), ca: options.ca };
  const verified = await establishTrust(way, code, options.ca);
  const key = pendingKey(options.data);
  const publicKey = publicX(key);
  const request: EnrollRequest = {
    secret: code.secret,
    publicKey: { kty: "OKP", crv: "Ed25519", x: publicKey },
    host: hostname(),
    platform: `${process.platform} ${process.arch}`,
    version: options.version,
  };
  const { answer, now } = await send(way, authoritiesOf(verified, options.ca), request);
  if (before !== undefined && before.agentId !== answer.agentId) {
    throw new ProblemError(
      "usage",
      `${options.data} is already enrolled as agent ${before.agentId} (${before.name}), and this code made another one, ${answer.agentId}, which is not used: revoke it at the receiver. To give this host a new key, ask for a code with --replaces ${before.agentId}; for a second agent use another --data folder`,
    );
  }
  const identity: Enrolled = {
    agentId: answer.agentId,
    name: answer.name,
    site: answer.site,
    url: code.url,
    codeSha256,
    publicKey,
    clients: answer.clients,
    trust: mergeTrust(verified, answer.trust, now),
    jwks: answer.jwks,
    nonce: answer.nonce,
    heartbeatSeconds: answer.heartbeatSeconds,
  };
  storeEnrolment(options.data, identity);
  return identity;
}

/** What the code makes this agent trust: nothing is sent over the line that finds it out. */
async function establishTrust(way: Way, code: InvitationCode, ca: string | undefined): Promise<Trust> {
  const now = Date.now();
  if (code.trust === "system") return { authorities: [], systemNamedAt: now };
  const chain = await presentedChain(way);
  const pinned = chain.find((one) => fingerprint(one) === code.trust);
  if (pinned !== undefined)
    return { authorities: [{ pem: pinned.toString(), lastNamedAt: now }], systemNamedAt: null };
  if (ca !== undefined) return { authorities: [], systemNamedAt: null };
  throw new ProblemError(
    "receiver-untrusted",
    `what answers at ${way.url.host} is not the receiver that made this code: its certificate is issued by "${issuerSeen(chain)}". If that is your company's intercepting proxy, name its authority in agent.yaml: tls: { ca: FILE }. Otherwise check the address, or ask for a new code; the code's secret was not sent`,
  );
}

function fingerprint(certificate: X509Certificate): string {
  return createHash("sha256").update(certificate.raw).digest("hex");
}

async function send(
  way: Way,
  authorities: readonly string[],
  request: EnrollRequest,
): Promise<{ answer: EnrollAnswer; now: number }> {
  const clock = new ReceiverClock();
  const mark = clock.mark();
  // The line is opened here and handed over, so that its failure is told by name.
  const socket = await openLine(way, secureContext(authorities));
  const client = new Client(way.url.origin, {
    connect: (_options, done) => setImmediate(done, null, socket),
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  });
  try {
    const path = way.url.pathname.replace(/\/$/, "") + ROUTE.enroll;
    const response = await client.request({
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const date = response.headers["date"];
    clock.heard(typeof date === "string" ? date : undefined, mark);
    const text = await response.body.text();
    const { json } = readAnswer(response.statusCode, response.headers, text, clock.now());
    const answer = enrollAnswer.safeParse(json);
    if (answer.success) return { answer: answer.data, now: clock.now() };
    throw new ProblemError(
      "receiver-unreachable",
      `${way.url.origin} answered the enrolment with something else than an enrolment; run the command again`,
      { cause: answer.error },
    );
  } catch (cause) {
    if (cause instanceof ProblemError) throw explained(cause);
    throw new ProblemError(
      "receiver-unreachable",
      `the answer of ${way.url.origin} was lost: ${(cause as Error).message}; run the same command again, the code still counts for this host`,
      { cause },
    );
  } finally {
    await client.destroy();
  }
}

const ADVICE: Partial<Record<string, string>> = {
  "code-used": "a code counts once, for one host: ask the receiver's operator for a new one",
  "code-expired": "ask the receiver's operator for a new one",
  "code-unknown":
    "it may be of another receiver, or was withdrawn: ask the receiver's operator for a new one",
};

function explained(problem: ProblemError): ProblemError {
  const advice = ADVICE[problem.code];
  return advice === undefined
    ? problem
    : new ProblemError(problem.code, `${problem.message}; ${advice}`, { cause: problem });
}
