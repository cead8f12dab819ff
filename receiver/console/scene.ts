/** For tests: a whole receiver with its console, over real HTTPS, and people who have really logged in. */
import { Agent } from "node:https";
import { join } from "node:path";
import { requireSecretsKey } from "../identity/rotation.ts";
import { closeSecret } from "../identity/secretskey.ts";
import { openInstall } from "../install/install.ts";
import type { Database } from "../ledger/schema.ts";
import { LineMemory } from "../lines/memory.ts";
import { openPeople, type PeopleSettings, secretOf } from "../people/auth.ts";
import { accept, invitePerson } from "../people/invitations.ts";
import type { Person, Standing } from "../people/people.ts";
import { PASSWORD, totp } from "../people/scene.ts";
import { type Answer, type Rig, type RigOptions, send, startRig } from "../rig.ts";
import { ownerOf } from "../webhooks/webhook.ts";

/** Of `web/`, as they would have been built. */
const PAGES: ReadonlyMap<string, string> = new Map([
  ["index.html", '<!doctype html><meta property="csp-nonce" nonce="%NONCE%"><title>Console</title>'],
  ["assets/main-1a2b.js", "export {};"],
  ["assets/main-1a2b.css", "body{}"],
  ["mark.svg", "<svg/>"],
]);

/** A browser: keeps cookies, and says with every change where it comes from. */
export interface Visitor {
  readonly cookies: Map<string, string>;
  ask(method: string, path: string, body?: unknown, more?: Record<string, string>): Promise<Answer>;
  /** The headers of a request that it makes. */
  headers(method: string): Record<string, string>;
}

export interface ConsoleScene {
  readonly rig: Rig;
  readonly db: Database;
  readonly origin: string;
  readonly port: number;
  readonly agent: Agent;
  visitor(): Visitor;
  add(email: string, standing: Standing): Promise<Person>;
  /** With a second factor where `secondFactor` says so. */
  login(email: string, more?: { readonly secondFactor?: boolean }): Promise<Visitor>;
  stop(): Promise<void>;
}

export interface ConsoleSceneOptions extends Omit<RigOptions, "console"> {
  readonly secondFactor?: "optional" | "required";
  readonly people?: Partial<PeopleSettings>;
  readonly lines?: LineMemory;
  /** Where its own address does not tell it; default: any. */
  readonly port?: number;
}

export async function startConsole(options: ConsoleSceneOptions = {}): Promise<ConsoleScene> {
  const { secondFactor = "optional", lines = new LineMemory(), people, port: wanted = 0, ...more } = options;
  const rig = await startRig({
    ...more,
    settings: {
      publicUrl: "https://receiver.example.com",
      ...more.settings,
      listen: { ingest: "127.0.0.1:0", console: `127.0.0.1:${wanted}` },
    },
    console: ({ database: { db }, keys, keysFolder }) => ({
      ...{ site: keys.site, install: openInstall([join(keysFolder, "install")]), lines, pages: PAGES },
      diagnose: async () => Buffer.from("a bundle"),
      people: async (origin, told) => {
        const secret = secretOf(await requireSecretsKey(db, keysFolder));
        return openPeople({
          ...{ db, origin, told, secondFactor, oidc: [], idleMs: 3_600_000 },
          secret,
          ...people,
        });
      },
      closer: async () => {
        const key = await requireSecretsKey(db, keysFolder);
        return (secret, webhook) => closeSecret(key, secret, ownerOf(webhook));
      },
      refusalOf: async () => undefined,
    }),
  });
  const origin = rig.receiver.consoleUrl as string;
  const port = wanted || Number(new URL(origin).port);
  const agent = new Agent({ keepAlive: true, ca: rig.ca, maxSockets: 50, servername: "localhost" });
  const { db } = rig.database;

  const visitor = (): Visitor => {
    const cookies = new Map<string, string>();
    const headers = (method: string): Record<string, string> => ({
      host: new URL(origin).host,
      ...(cookies.size === 0
        ? {}
        : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") }),
      ...(["GET", "HEAD"].includes(method) ? {} : { origin, "sec-fetch-site": "same-origin" }),
    });
    return {
      cookies,
      headers,
      async ask(method, path, body, others = {}) {
        const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
        // Node itself says no length with a DELETE.
        const size = text === undefined ? {} : { "content-length": String(Buffer.byteLength(text)) };
        const json = text === undefined ? {} : { "content-type": "application/json", ...size };
        const all = { ...headers(method), ...json, ...others };
        const answer = await send(agent, `https://127.0.0.1:${port}`, method, path, all, text);
        for (const cookie of answer.headers["set-cookie"] ?? []) {
          const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
          if (value === "" || /Max-Age=0/i.test(cookie)) cookies.delete(name);
          else cookies.set(name, value);
        }
        return answer;
      },
    };
  };
  const must = (answer: Answer): Answer => {
    if (answer.status === 200) return answer;
    throw new Error(`the login was answered ${answer.status}: ${answer.body.toString()}`);
  };

  return {
    ...{ rig, db, origin, port, agent, visitor },
    async add(email, standing) {
      const secret = await invitePerson(db, { email, name: email.split("@")[0], ...standing });
      return await accept(db, { secret, password: PASSWORD });
    },
    async login(email, { secondFactor: also = false } = {}) {
      const one = visitor();
      must(await one.ask("POST", "/api/auth/sign-in/email", { email, password: PASSWORD }));
      if (!also) return one;
      const begun = must(await one.ask("POST", "/api/auth/two-factor/enable", { password: PASSWORD }));
      const secret = new URL(String(begun.json["totpURI"])).searchParams.get("secret") as string;
      must(await one.ask("POST", "/api/auth/two-factor/verify-totp", { code: totp(secret) }));
      return one;
    },
    async stop() {
      agent.destroy();
      await rig.stop();
    },
  };
}
