/**
 * Tokens of the identity that Azure gives a machine or an app: one HTTP call on the host itself. Microsoft's library for
 * it is as large as half of what the agent is otherwise (docs/sources/azure-blob.md has the numbers). Known are virtual
 * machines (IMDS), App Service and what is like it, and servers with Azure Arc.
 */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname, normalize } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { RemoteError } from "../remote.ts";

export interface Token {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

/** As the SDK asks for tokens. */
export interface IdentityCredential {
  getToken(scopes: string | string[], options?: { abortSignal?: unknown }): Promise<Token>;
  /** A token was refused: the next one is asked for anew. */
  forget(): void;
}

export interface IdentityOptions {
  readonly clientId?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The real one is the same on every machine of Azure. */
  readonly imds?: string;
  /** Where Azure Arc's agent puts what proves that one may read files here. */
  readonly arcKeys?: string;
  /** ms between tries. */
  readonly pause?: number;
}

const RESOURCE = "https://storage.azure.com/";
const IMDS = "http://169.254.169.254";
const ARC = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
const windows = process.platform === "win32";
const ARC_KEYS = windows
  ? `${process.env.ProgramData}\\AzureConnectedMachineAgent\\Tokens`
  : "/var/opt/azcmagent/tokens";
const ARC_PROGRAM = windows
  ? `${process.env.ProgramFiles}\\AzureConnectedMachineAgent\\himds.exe`
  : "/opt/azcmagent/bin/himds";
/** A token is asked for anew so long before its end, or at half of its life. */
const EARLY_MS = 300_000;
const TRIES = 3;

export function managedIdentity(options: IdentityOptions = {}): IdentityCredential {
  let held: Promise<Token & { readonly until: number }> | undefined;
  return {
    async getToken() {
      const now = Date.now();
      const before = held;
      const have = await before?.catch(() => undefined);
      if (have !== undefined && now < have.until) return have;
      // Whoever came in between has asked already.
      if (held !== undefined && held !== before) return await held;
      held = ask(options).then((token) => ({
        ...token,
        until: token.expiresOnTimestamp - Math.min(EARLY_MS, (token.expiresOnTimestamp - now) / 2),
      }));
      return await held;
    },
    forget() {
      held = undefined;
    },
  };
}

interface Answered {
  readonly status: number;
  readonly challenge: string;
  readonly body: Readonly<Record<string, unknown>>;
}

async function ask(options: IdentityOptions): Promise<Token> {
  const { env = process.env, imds = IMDS, clientId, pause = 1000 } = options;
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header, IMDS_ENDPOINT: hybrid } = env;
  const arc = header === undefined && (hybrid === undefined ? existsSync(ARC_PROGRAM) : true);
  const call = ((): (() => Promise<Answered>) => {
    if (endpoint !== undefined && header !== undefined)
      return () => get(endpoint, "2019-08-01", { "x-identity-header": header }, clientId);
    if (arc) return () => byArc(endpoint ?? ARC, options);
    return () => get(`${imds}/metadata/identity/oauth2/token`, "2018-02-01", { metadata: "true" }, clientId);
  })();
  for (let tries = 1; ; tries += 1) {
    const answer = await call();
    const { status } = answer;
    if (status === 200) return tokenIn(answer);
    // "Retry guidance": 404 and 410 while the service itself is renewed, 429, and its own faults.
    const passing = [404, 410, 429].includes(status) || status >= 500;
    if (!passing) throw none(answer, clientId);
    if (tries === TRIES)
      throw new RemoteError(
        "away",
        `the service that gives managed identities their tokens answers ${status}`,
      );
    await delay(pause * tries);
  }
}

function none({ status, body }: Answered, clientId: string | undefined): RemoteError {
  const why = typeof body.error_description === "string" ? `: ${body.error_description.slice(0, 200)}` : "";
  return new RemoteError(
    "away",
    clientId === undefined
      ? `this machine is given no managed identity (${status}${why}): switch one on in Azure; where it has several, name one by clientId`
      : `this machine has no managed identity with the client id ${clientId} (${status}${why}): assign it to the machine`,
  );
}

async function get(
  endpoint: string,
  version: string,
  headers: Readonly<Record<string, string>>,
  clientId: string | undefined,
): Promise<Answered> {
  const url = new URL(endpoint);
  url.searchParams.set("api-version", version);
  url.searchParams.set("resource", RESOURCE);
  if (clientId !== undefined) url.searchParams.set("client_id", clientId);
  try {
    const answer = await request(url, { headers: { ...headers }, signal: AbortSignal.timeout(5_000) });
    const text = await answer.body.text();
    const challenge = answer.headers["www-authenticate"];
    return {
      status: answer.statusCode,
      challenge: typeof challenge === "string" ? challenge : "",
      body: parsed(text),
    };
  } catch (cause) {
    throw new RemoteError(
      "away",
      `${url.host}, which gives managed identities their tokens, does not answer: is this a machine of Azure, or one with Azure Arc?`,
      { cause },
    );
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Who may read a file of Arc's folder may have a token: the first answer names the file. Only that folder counts, whoever answers. */
async function byArc(endpoint: string, options: IdentityOptions): Promise<Answered> {
  const { clientId, arcKeys = ARC_KEYS } = options;
  if (clientId !== undefined)
    throw new RemoteError(
      "away",
      "Azure Arc gives a machine one identity: leave out managedIdentity.clientId",
    );
  const first = await get(endpoint, "2019-11-01", { metadata: "true" }, undefined);
  if (first.status !== 401) return first;
  const file = /^Basic realm=(.+)$/i.exec(first.challenge)?.[1] ?? "";
  const cannot = (why: string, cause?: unknown): RemoteError =>
    new RemoteError("away", `the key of Azure Arc, ${file || "which it did not name"}, ${why}`, { cause });
  if (normalize(dirname(file)) !== normalize(arcKeys) || !file.endsWith(".key"))
    throw cannot(`does not lie in ${arcKeys}: it is not read`);
  const key = await stat(file)
    .then(({ size }) => (size > 4096 ? undefined : readFile(file, "utf8")))
    .catch((cause: unknown) => {
      throw cannot("cannot be read: put the agent's user into the group himds", cause);
    });
  if (key === undefined) throw cannot("is too long for one");
  return await get(
    endpoint,
    "2019-11-01",
    { metadata: "true", authorization: `Basic ${key.trim()}` },
    undefined,
  );
}

function tokenIn({ body }: Answered): Token {
  const { access_token: token, expires_in: life, expires_on: end } = body;
  // Seconds from now, where they are said: this host's clock need not be right.
  const until = Number(life) > 0 ? Date.now() + Number(life) * 1000 : Number(end) * 1000;
  if (typeof token !== "string" || !(until > 0))
    throw new RemoteError("away", "the service that gives managed identities their tokens gave none");
  return { token, expiresOnTimestamp: until };
}
