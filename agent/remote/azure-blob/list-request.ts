/** The one request that the SDK is not asked for: `page.ts` says why. */
import { setTimeout as delay } from "node:timers/promises";
import { EnvHttpProxyAgent, request } from "undici";
import { RemoteError } from "../remote.ts";

/** Signs what "Authorize with Shared Key" has it sign. */
export type Sign = (text: string) => string;

export type Permit =
  | { readonly kind: "key"; readonly account: string; readonly sign: Sign }
  /** The query of a SAS. */
  | { readonly kind: "sas"; readonly query: string }
  | { readonly kind: "token"; readonly token: () => Promise<string> };

/** Names with characters that XML cannot hold are encoded from 2021-02-12 on. */
const VERSION = "2021-12-02";
const TRIES = 4;
/** As the SDK: through a proxy where the environment names one. */
let proxies: EnvHttpProxyAgent | undefined;

/** An answer that is none of success, in the form of the SDK's errors: `failureOf` reads both. */
interface NoSuccess {
  readonly statusCode: number;
  readonly response: { readonly headers: { get(name: string): string | undefined } };
}

/** The body of the answer. Throws `NoSuccess`, or what the network says. */
export async function listText(
  container: string,
  query: Readonly<Record<string, string>>,
  permit: Permit,
  pause: number,
  signal: AbortSignal,
): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await once(container, query, permit, signal);
    } catch (error) {
      const { statusCode } = error as Partial<NoSuccess>;
      const passing = statusCode === undefined || statusCode === 500 || statusCode === 503;
      if (!passing || signal.aborted || tries === TRIES || error instanceof RemoteError) throw error;
    }
    // The second comes at once, as the SDK's.
    await delay((2 ** (tries - 1) - 1) * pause, undefined, { signal });
  }
}

async function once(
  container: string,
  query: Readonly<Record<string, string>>,
  permit: Permit,
  signal: AbortSignal,
): Promise<string> {
  const url = new URL(container);
  if (permit.kind === "sas") url.search = permit.query;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const headers: Record<string, string> = {
    "x-ms-date": new Date().toUTCString(),
    "x-ms-version": VERSION,
    "user-agent": "tributary-agent",
  };
  if (permit.kind === "key") headers.authorization = sharedKey(permit, url, query, headers);
  if (permit.kind === "token") headers.authorization = `Bearer ${await permit.token()}`;
  proxies ??= new EnvHttpProxyAgent();
  const answer = await request(url, { headers, signal, dispatcher: proxies });
  const text = await answer.body.text();
  if (answer.statusCode === 200) return text;
  const get = (name: string): string | undefined => {
    const value = answer.headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const noSuccess: NoSuccess = { statusCode: answer.statusCode, response: { headers: { get } } };
  throw Object.assign(new Error(`answered ${answer.statusCode}`), noSuccess);
}

/** Version 2015-02-21 and later; a GET without a body has none of the eleven standard headers. */
function sharedKey(
  { account, sign }: Extract<Permit, { kind: "key" }>,
  url: URL,
  query: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
): string {
  const own = ["x-ms-date", "x-ms-version"].map((name) => `${name}:${headers[name]}`);
  const asked = Object.keys(query)
    .sort()
    .map((name) => `${name}:${query[name]}`);
  const text = ["GET", ...Array<string>(11).fill(""), ...own, `/${account}${url.pathname}`, ...asked];
  return `SharedKey ${account}:${sign(text.join("\n"))}`;
}
