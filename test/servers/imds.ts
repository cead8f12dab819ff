import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Imds {
  /** `http://127.0.0.1:port`; the real one is `http://169.254.169.254`. */
  readonly endpoint: string;
  /** How many tokens it has given. */
  readonly given: number;
  /** Seconds that tokens given from now on are valid; negative ones have expired. */
  lifetime: number;
  /** Answered instead of a token: 429, 500 and 410 are to be tried again, 400 says that there is no identity. */
  refuse: 400 | 410 | 429 | 500 | undefined;
  stop(): Promise<void>;
}

/**
 * Azure's instance metadata service as far as managed identities go, made by hand: nobody offers it as a program. As its
 * documentation has it ("How to use managed identities … to acquire an access token"): GET with `Metadata: true`, which
 * a request forged by a web page does not have, and without X-Forwarded-For.
 */
export async function startImds(): Promise<Imds> {
  let given = 0;
  const server = createServer((request, response) => {
    const say = (status: number, body: object) =>
      response
        .writeHead(status, { "content-type": "application/json; charset=utf-8" })
        .end(JSON.stringify(body));
    const url = new URL(request.url ?? "/", "http://imds");
    const resource = url.searchParams.get("resource");
    const bad = (why: string) => say(400, { error: "invalid_request", error_description: why });
    if (url.pathname !== "/metadata/identity/oauth2/token") return say(404, { error: "not_found" });
    if (request.headers.metadata !== "true" || request.headers["x-forwarded-for"] !== undefined)
      return bad("Required metadata header not specified");
    if (url.searchParams.get("api-version") !== "2018-02-01") return bad("Unknown api-version");
    if (resource === null) return bad("resource is missing");
    if (imds.refuse === 400) return bad("Identity not found");
    if (imds.refuse !== undefined) return say(imds.refuse, { error: "unavailable" });
    given += 1;
    const now = Math.floor(Date.now() / 1000);
    const until = now + imds.lifetime;
    return say(200, {
      access_token: makeAzureToken(resource, until),
      client_id: url.searchParams.get("client_id") ?? "00000000-0000-0000-0000-000000000001",
      // Numbers as strings, as the real one has them.
      expires_in: `${imds.lifetime}`,
      expires_on: `${until}`,
      ext_expires_in: `${imds.lifetime}`,
      not_before: `${now - 300}`,
      resource,
      token_type: "Bearer",
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const imds: Imds = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get given() {
      return given;
    },
    lifetime: 86_400,
    refuse: undefined,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return imds;
}

/** A token that Azurite's `--oauth basic` takes: it looks at times, issuer and audience, at no signature and at no rights. */
export function makeAzureToken(resource: string, until: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const issuer = "https://sts.windows.net/00000000-0000-0000-0000-000000000002/";
  const from = Math.min(until, Math.floor(Date.now() / 1000)) - 300;
  return `${part({ alg: "none", typ: "JWT" })}.${part({ aud: resource, iss: issuer, iat: from, nbf: from, exp: until })}.`;
}
