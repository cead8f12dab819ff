/** For tests: a console's login over a ledger, and browsers that keep cookies as RFC 6265 says. */
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { ProblemError, problemBody } from "@tributary/shared/problems.ts";
import { expect } from "vitest";
import type { Database } from "../ledger/schema.ts";
import { openPeople, type People, type PeopleSettings } from "./auth.ts";
import type { PeopleFact } from "./facts.ts";
import { accept, invitePerson } from "./invitations.ts";
import type { Person, Standing } from "./people.ts";

export const ORIGIN = "https://console.test";
export const PASSWORD = "correct horse battery";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was answered
  readonly json: any;
}

export class Browser {
  readonly people: People;
  readonly cookies = new Map<string, string>();
  address = "192.0.2.1";

  constructor(people: People) {
    this.people = people;
  }

  get headers(): Headers {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    return new Headers({ ...(cookie === "" ? {} : { cookie }), "user-agent": "Test/1.0" });
  }

  /** `path` below /api/auth, or a whole address. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    more: Record<string, string> = {},
  ): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return await this.#send(method, path, text, more);
  }

  /** A body that no JSON.stringify makes. */
  async postText(path: string, text: string): Promise<Answer> {
    return await this.#send("POST", path, text, {});
  }

  async #send(
    method: string,
    path: string,
    body: string | undefined,
    more: Record<string, string>,
  ): Promise<Answer> {
    const headers = this.headers;
    if (method === "POST") headers.set("origin", ORIGIN);
    if (body !== undefined) headers.set("content-type", "application/json");
    for (const [name, value] of Object.entries(more)) headers.set(name, value);
    const url = path.startsWith("https:") ? path : `${ORIGIN}/api/auth${path}`;
    const request = new Request(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const response = await answerOf(this.people, request, this.address);
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === "" || /Max-Age=0/i.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const text = await response.text();
    const json =
      /json/.test(response.headers.get("content-type") ?? "") && text !== "" ? JSON.parse(text) : text;
    return { status: response.status, headers: response.headers, json };
  }

  async post(path: string, body: unknown = {}): Promise<Answer> {
    return await this.ask("POST", path, body);
  }

  async login(email: string, password = PASSWORD): Promise<Answer> {
    return await this.post("/sign-in/email", { email, password });
  }

  async who() {
    return await this.people.session(this.headers);
  }

  /** Sets up TOTP; its secret and the backup codes. */
  async setUpTotp(password = PASSWORD): Promise<{ secret: string; backupCodes: string[] }> {
    const begun = await this.post("/two-factor/enable", { password });
    expect(begun.status).toBe(200);
    const secret = new URL(begun.json.totpURI).searchParams.get("secret") as string;
    expect((await this.post("/two-factor/verify-totp", { code: totp(secret) })).status).toBe(200);
    return { secret, backupCodes: begun.json.backupCodes };
  }
}

/** As the console answers. */
export async function answerOf(people: People, request: Request, address: string): Promise<Response> {
  try {
    return await people.handle(request, address);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.status >= 500) throw error;
    const retry = error.retryAfter === undefined ? {} : { "retry-after": String(error.retryAfter) };
    const headers = { "content-type": "application/problem+json", ...retry };
    return new Response(JSON.stringify(problemBody(error)), { status: error.status, headers });
  }
}

export interface PeopleScene {
  readonly db: Database;
  readonly people: People;
  readonly facts: PeopleFact[];
  readonly browser: () => Browser;
  readonly add: (email: string, standing?: Standing) => Promise<Person>;
}

export function peopleScene(db: Database, more: Partial<PeopleSettings> = {}): PeopleScene {
  const facts: PeopleFact[] = [];
  const people = openPeople({
    ...{ db, secret: "s".repeat(43), origin: ORIGIN, oidc: [], idleMs: 3_600_000 },
    secondFactor: "optional",
    told: async (fact) => void facts.push(fact),
    ...more,
  });
  return {
    ...{ db, people, facts },
    browser: () => new Browser(people),
    add: async (email, standing = { role: "operator" }) => {
      const secret = await invitePerson(db, { email, name: email.split("@")[0], ...standing });
      return await accept(db, { secret, password: PASSWORD });
    },
  };
}

/** RFC 6238 with HMAC-SHA-1, 30 s and six digits; `step` relative to now. */
export function totp(secret: string, step = 0, now = Date.now()): string {
  const bits = Array.from(secret, (c) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0"),
  );
  const bytes = bits.join("").match(/.{8}/g) ?? [];
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30_000) + step));
  const mac = createHmac("sha1", Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2))))
    .update(counter)
    .digest();
  const at = (mac.at(-1) as number) & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

interface Ceremony {
  readonly origin?: string;
  /** Whether the authenticator asked for a finger, a face or a PIN. */
  readonly verified?: boolean;
  readonly signature?: Buffer;
}

/** An authenticator in software: WebAuthn Level 3, 6 and 6.5, with ES256 and no attestation. */
export function softPasskey(rpId = "console.test") {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const id = randomBytes(16);
  let count = 0;
  const client = (type: string, challenge: string, origin = ORIGIN) =>
    Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  const authenticator = (verified: boolean, attested: Buffer) => {
    const flags = 1 | (verified ? 4 : 0) | (attested.length > 0 ? 64 : 0);
    const counter = Buffer.alloc(4);
    count += 1;
    counter.writeUInt32BE(count);
    return Buffer.concat([
      createHash("sha256").update(rpId).digest(),
      Buffer.from([flags]),
      counter,
      attested,
    ]);
  };
  const answer = (response: Record<string, Buffer>) => ({
    ...{ id: id.toString("base64url"), rawId: id.toString("base64url"), type: "public-key" },
    clientExtensionResults: {},
    response: Object.fromEntries(
      Object.entries(response).map(([name, bytes]) => [name, bytes.toString("base64url")]),
    ),
  });
  return {
    register(challenge: string, { origin, verified = true }: Ceremony = {}) {
      const coordinate = (text: string) =>
        Buffer.concat([Buffer.from([0x58, 32]), Buffer.from(text, "base64url")]);
      // CBOR (RFC 8949) of {1: 2, 3: -7, -1: 1, -2: x, -3: y}, a COSE key.
      const key = Buffer.concat([
        Buffer.from("a501020326200121", "hex"),
        coordinate(x),
        Buffer.from([0x22]),
        coordinate(y),
      ]);
      const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, id.length]), id, key]);
      const data = authenticator(verified, attested);
      // {"fmt": "none", "attStmt": {}, "authData": …}
      const attestationObject = Buffer.concat([
        Buffer.from("a363666d74646e6f6e656761747453746d74a068617574684461746158", "hex"),
        Buffer.from([data.length]),
        data,
      ]);
      return answer({ clientDataJSON: client("webauthn.create", challenge, origin), attestationObject });
    },
    sign(challenge: string, { origin, verified = true, signature }: Ceremony = {}) {
      const clientDataJSON = client("webauthn.get", challenge, origin);
      const authenticatorData = authenticator(verified, Buffer.alloc(0));
      const signed = Buffer.concat([authenticatorData, createHash("sha256").update(clientDataJSON).digest()]);
      return answer({
        ...{ clientDataJSON, authenticatorData },
        signature: signature ?? sign("sha256", signed, privateKey),
      });
    },
  };
}
