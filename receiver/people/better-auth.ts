/**
 * better-auth over the ledger's tables: the only file that loads it. What is ours stays ours: no sign-up but by our
 * links, passwords by our argon2, ids by our clock, and each session passes `admit` before it is there. Tokens of
 * providers are not kept, for nothing is asked of a provider after the login.
 */
import { passkey } from "@better-auth/passkey";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { type BetterAuthOptions, betterAuth } from "better-auth";
import { APIError, isAPIError } from "better-auth/api";
import { genericOAuth } from "better-auth/plugins/generic-oauth";
import { twoFactor } from "better-auth/plugins/two-factor";
import type { Database } from "../ledger/schema.ts";
import {
  ACCOUNT_FIELDS,
  PASSKEY_FIELDS,
  PERSON_FIELDS,
  SESSION_FIELDS,
  spoken,
  TOTP_FIELDS,
  VERIFICATION_FIELDS,
} from "./columns.ts";
import { ADDRESS_HEADER, COOKIE_PREFIX } from "./cookies.ts";
import { SHORTEST_PASSWORD } from "./invitations.ts";
import { currentMoment } from "./moment.ts";
import { discoveryOf, type OidcSettings } from "./oidc.ts";
import { nameFor, type Person } from "./people.ts";
import { AUTH_PATH } from "./routes.ts";

/** Why somebody is not let in, as the page may tell it: better-auth's form of it. */
export interface Refusal {
  readonly status: "UNAUTHORIZED" | "FORBIDDEN";
  readonly code: string;
  readonly message: string;
}

/** What better-auth asks us. */
export interface Asked {
  /** How a session that is about to be made was come by; or why it is not made. `renewed`: in place of one that is there. */
  admit(person: string, renewed: boolean): Promise<{ readonly how: string } | { readonly refusal: Refusal }>;
  /** What a person becomes whom a provider vouches for and who is not there yet. */
  join(email: string): Promise<Pick<Person, "role" | "client"> | { readonly refusal: Refusal }>;
  /** The person is there. */
  joined(person: string): Promise<void>;
  /** A person comes by a provider for the first time. */
  linked(person: string, provider: string): Promise<void>;
  hash(password: string): Promise<string>;
  verify(password: string, hash: string): Promise<boolean>;
}

export interface AuthSettings {
  readonly db: Database;
  readonly secret: string;
  /** Of the console: https://console.example.com. */
  readonly origin: string;
  /** Undefined: no passkeys. */
  readonly rpId: string | undefined;
  readonly oidc: readonly OidcSettings[];
  /** How long a session that is not used is good, ms. */
  readonly idleMs: number;
  readonly asked: Asked;
}

const FRESH_S = 3600;

export type Auth = ReturnType<typeof openAuth>;

export function openAuth(settings: AuthSettings) {
  const { asked, db, idleMs, oidc, origin, rpId, secret } = settings;
  return betterAuth({
    appName: "Tributary",
    baseURL: origin,
    basePath: AUTH_PATH,
    trustedOrigins: [origin],
    secret,
    // Whatever the ledger is: as "postgres" it hands on dates and booleans as they are, and `spoken` makes numbers of them.
    database: { db: db.withPlugin(spoken), type: "postgres" },
    telemetry: { enabled: false },
    logger: { disabled: true },
    // Ours counts, by the address that the listener knows.
    rateLimit: { enabled: false },
    onAPIError: { errorURL: `${origin}/login`, onError: remember },
    // What the tables require comes from the hooks below: better-auth would ask for it before they were asked.
    user: {
      modelName: "people",
      fields: PERSON_FIELDS,
      additionalFields: {
        role: { type: "string", input: false, required: false },
        client: { type: "string", input: false, required: false },
        disabledAt: { type: "date", input: false, required: false, fieldName: "disabled_at" },
        lastLoginAt: { type: "date", input: false, required: false, fieldName: "last_login_at" },
      },
      validateUserInfo: ({ user }) =>
        user.emailVerified === true
          ? undefined
          : {
              error: "email_not_verified",
              errorDescription: `the provider does not say that ${user.email} is verified; verify it there, or log in with your password`,
            },
    },
    account: {
      modelName: "people_accounts",
      fields: ACCOUNT_FIELDS,
      updateAccountOnSignIn: false,
      accountLinking: { enabled: true, trustedProviders: [] },
    },
    session: {
      modelName: "people_sessions",
      fields: SESSION_FIELDS,
      additionalFields: { how: { type: "string", input: false, required: false } },
      expiresIn: Math.ceil(idleMs / 1000),
      updateAge: Math.min(60, Math.ceil(idleMs / 10_000)),
      freshAge: FRESH_S,
      // A disabled person is out with the next request, at every receiver.
      cookieCache: { enabled: false },
    },
    verification: {
      modelName: "people_verifications",
      fields: VERIFICATION_FIELDS,
      storeIdentifier: "hashed",
    },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: SHORTEST_PASSWORD,
      maxPasswordLength: 1024,
      password: {
        hash: (password) => remembering(() => asked.hash(password)),
        verify: ({ password, hash }) => remembering(() => asked.verify(password, hash)),
      },
    },
    databaseHooks: {
      user: {
        create: {
          before: async (user) => {
            const { email, name } = user;
            const made = await remembering(() => asked.join(email));
            if ("refusal" in made) throw refused(made.refusal);
            return { data: { ...user, ...made, name: nameFor(name, email) } };
          },
          after: async ({ id }) => await remembering(() => asked.joined(id)),
        },
      },
      account: {
        create: {
          before: async (account) => ({ data: { ...account, ...NO_TOKENS } }),
          after: async ({ userId, providerId }) => {
            if (providerId !== "credential") await remembering(() => asked.linked(userId, providerId));
          },
        },
      },
      session: {
        create: {
          before: async (session) => {
            const before = session["how"];
            const admitted = await remembering(() => asked.admit(session.userId, before !== undefined));
            if ("refusal" in admitted) throw refused(admitted.refusal);
            return { data: { ...session, how: before ?? admitted.how } };
          },
        },
      },
    },
    plugins: [
      twoFactor({
        issuer: "Tributary",
        twoFactorTable: "people_totp",
        // Nobody asks for it: a device that is trusted would be a second cookie that nobody sees.
        trustDeviceMaxAge: 0,
        schema: {
          user: { fields: { twoFactorEnabled: "totp_enabled" } },
          twoFactor: { fields: TOTP_FIELDS },
        },
      }),
      passkey({
        rpName: "Tributary",
        origin,
        ...(rpId === undefined ? {} : { rpID: rpId }),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        registration: {
          afterVerification: ({ verification }) => requireUser(verification.registrationInfo?.userVerified),
        },
        authentication: {
          afterVerification: ({ verification }) => requireUser(verification.authenticationInfo.userVerified),
        },
        schema: { passkey: { modelName: "people_passkeys", fields: PASSKEY_FIELDS } },
      }),
      genericOAuth({ config: oidc.map(providerOf) }),
    ],
    advanced: {
      cookiePrefix: COOKIE_PREFIX,
      useSecureCookies: false,
      // Lax and not Strict: a provider's answer is a navigation from its site to ours, and its cookie has to come along.
      defaultCookieAttributes: { secure: true, httpOnly: true, sameSite: "lax", path: "/" },
      ipAddress: { ipAddressHeaders: [ADDRESS_HEADER], ipv6Subnet: 128 },
      database: { generateId: () => uuidv7(), validateSchema: false },
      // By default they are off in tests.
      disableOriginCheck: false,
      disableCSRFCheck: false,
    },
  } satisfies BetterAuthOptions);
}

const NO_TOKENS = {
  ...{ accessToken: undefined, refreshToken: undefined, idToken: undefined },
  ...{ accessTokenExpiresAt: undefined, refreshTokenExpiresAt: undefined },
};

function providerOf(oidc: OidcSettings) {
  return {
    providerId: oidc.id,
    name: oidc.name,
    discoveryUrl: discoveryOf(oidc),
    clientId: oidc.clientId,
    clientSecret: oidc.clientSecret,
    // Every provider takes it (RFC 6749, 2.3.1).
    authentication: "basic" as const,
    scopes: ["openid", "email", "profile"],
    requireIdTokenVerification: true,
    disableProviderLogout: true,
    mapProfileToUser(claims: Readonly<Record<string, unknown>>) {
      currentMoment().claims = claims;
      return { image: undefined };
    },
  };
}

const refused = ({ status, ...told }: Refusal): APIError => new APIError(status, told);

/** A passkey stands for both factors, so the authenticator has to have asked for a finger, a face or a PIN. */
function requireUser(verified: boolean | undefined): undefined {
  if (verified !== true)
    throw new APIError("UNAUTHORIZED", {
      code: "USER_NOT_VERIFIED",
      message: "the authenticator did not verify who uses it; set a PIN, finger or face there",
    });
}

/** better-auth makes "internal" of every failure that is not its own, and prints it; who called it is told which it was. */
async function remembering<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    remember(error);
    throw isAPIError(error) ? error : new APIError("INTERNAL_SERVER_ERROR");
  }
}

function remember(error: unknown): void {
  if (!isAPIError(error)) currentMoment().failure ??= error;
}
