/** For tests: oidc-provider (a certified OpenID Provider) on loopback, with one client and somebody at its keyboard. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";
import { expect, onTestFinished } from "vitest";

export interface TestProvider {
  readonly client: { readonly issuer: string; readonly clientId: string; readonly clientSecret: string };
  /** What it says of each account. */
  readonly accounts: Map<string, Readonly<Record<string, unknown>>>;
  /** Whether it answers with 503. */
  away: boolean;
  /** The account that logs in there, for a browser of its own. */
  keyboard: string;
  /** From the address that a login begins at to that which leads back; `as` logs in there. */
  follow(url: string, as: string): Promise<string>;
}

export async function openProvider(redirectUri: string): Promise<TestProvider> {
  const accounts = new Map<string, Readonly<Record<string, unknown>>>();
  const state = { away: false, keyboard: "" };
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((closed) => server.close(() => closed()));
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = { issuer, clientId: "tributary", clientSecret: "a secret+with/odd:characters" };
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        redirect_uris: [redirectUri],
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    cookies: { keys: ["test"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, ...accounts.get(id) }),
    }),
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: client.clientId,
        accountId: ctx.oidc.session?.accountId as string,
      });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  server.on("request", (request, response) => {
    if (state.away) response.writeHead(503).end();
    else if (request.url?.startsWith("/interaction/"))
      void provider.interactionFinished(request, response, { login: { accountId: state.keyboard } });
    else void answer(request, response);
  });

  return {
    client,
    accounts,
    get away() {
      return state.away;
    },
    set away(away) {
      state.away = away;
    },
    get keyboard() {
      return state.keyboard;
    },
    set keyboard(keyboard) {
      state.keyboard = keyboard;
    },
    async follow(url, as) {
      state.keyboard = as;
      const cookies = new Map<string, string>();
      let at = url;
      for (let hop = 0; hop < 10 && at.startsWith(issuer); hop += 1) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
        const response = await fetch(at, { redirect: "manual", headers: { cookie } });
        for (const set of response.headers.getSetCookie()) {
          const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
          cookies.set(name, value);
        }
        const location = response.headers.get("location");
        if (location === null) expect.fail(`${response.status} at ${at}: ${await response.text()}`);
        at = new URL(location, at).href;
      }
      return at;
    },
  };
}
