/**
 * Logging in, and who stands behind a cookie. better-auth does the work, behind a closed list of routes; here is what it
 * does not know: who may come in, what a guess costs, whose address it was.
 */
import { createHash, hkdfSync } from "node:crypto";
import { isIP } from "node:net";
import { ProblemError } from "@tributary/shared/problems.ts";
import { networkOf } from "../identity/network.ts";
import { hashPassword, Passwords } from "../identity/passwords.ts";
import { named } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { admit, type How, hasPasskey, join, joined, linked } from "./admission.ts";
import type { Auth } from "./better-auth.ts";
import type { Told } from "./facts.ts";
import { isEmail } from "./invitations.ts";
import { currentMoment, during, type Moment } from "./moment.ts";
import type { OidcSettings } from "./oidc.ts";
import { openPatience, type Patience } from "./patience.ts";
import type { Person, Role } from "./people.ts";
import { forBrowser, type Incoming, incoming, onward } from "./requests.ts";
import { type OwnChange, openRoutes } from "./routes.ts";
import { signOut } from "./sessions.ts";
import { type Ways, waysOf } from "./ways.ts";

export interface PeopleSettings {
  readonly db: Database;
  /** Signs cookies, and encrypts second factors; of this site alone, and not in the ledger. At least 32 characters. */
  readonly secret: string;
  /** Of the console: https://console.example.com:8444. */
  readonly origin: string;
  readonly oidc: readonly OidcSettings[];
  /** How long a session is good that is not used, ms. */
  readonly idleMs: number;
  readonly secondFactor: "optional" | "required";
  readonly told?: Told;
  readonly patience?: Patience;
  readonly passwords?: Passwords;
  /** ms since 1970. */
  readonly now?: () => number;
}

/** Who stands behind a request. */
export interface PersonSession {
  readonly person: Person;
  readonly sessionId: string;
  /** When it was logged in, ms since 1970. */
  readonly since: number;
  readonly how: How;
  /** Nothing but setting up a second factor is open to him. */
  readonly mustSetUp: boolean;
}

export type Passkeys =
  | { readonly kind: "on"; readonly rpId: string }
  | { readonly kind: "off"; readonly why: string };

export interface People {
  /**
   * Answers a request below /api/auth/. `address` is who asks, as the listener knows it. Throws what stands before
   * better-auth (`not-found` of all that is not on the list, `limit-requests`), `ledger-unavailable`, and faults of ours.
   */
  handle(request: Request, address: string): Promise<Response>;
  /**
   * Undefined where nobody is logged in, or is disabled: asked of the ledger each time. `unused`: it is only looked at,
   * and is good no longer by that. Throws `ledger-unavailable`.
   */
  session(headers: Headers, how?: "used" | "unused"): Promise<PersonSession | undefined>;
  readonly passkeys: Passkeys;
  /** For the buttons of the login page; `provider` of POST /sign-in/social. */
  readonly providers: readonly Pick<OidcSettings, "id" | "name">[];
}

interface Standing {
  readonly person: string;
  readonly changed: OwnChange;
  readonly ways: Ways;
}

/** `secret` of a site: of its key that closes secrets (`secrets.key`), for this purpose alone; the same at every receiver. */
export function secretOf(secretsKey: Buffer): string {
  return Buffer.from(hkdfSync("sha256", secretsKey, "", "tributary people", 32)).toString("base64url");
}

/** Nothing of better-auth is loaded before the first request. */
export function openPeople(settings: PeopleSettings): People {
  const { db, secret, origin, oidc, idleMs, secondFactor } = settings;
  const { told = async () => {}, now = Date.now } = settings;
  const { patience = openPatience(), passwords = new Passwords() } = settings;
  if (secret.length < 32) throw new Error("the secret of the people's cookies is too short");
  const passkeys = passkeysAt(origin);
  const routeOf = openRoutes(
    oidc.map(({ id }) => id),
    passkeys.kind === "on",
  );
  const admission = { db, oidc, secondFactor, told, now };
  const check = (asked: { id: string; hash: string | undefined; password: string }): Promise<boolean> => {
    const { place, judging } = currentMoment();
    return passwords.check(asked, place, judging);
  };
  let opened: Promise<Auth> | undefined;
  const auth = (): Promise<Auth> => {
    opened ??= import("./better-auth.ts").then(({ openAuth }) =>
      openAuth({
        ...{ db, secret, origin, oidc, idleMs },
        rpId: passkeys.kind === "on" ? passkeys.rpId : undefined,
        asked: {
          admit: (person, renewed) => admit(admission, person, renewed),
          join: (email) => join(admission, email),
          joined: (person) => joined(admission, person),
          linked: (person, provider) => linked(admission, person, provider),
          async hash(password) {
            const { email, route } = currentMoment();
            if (route !== "/sign-in/email") return await hashPassword(password);
            // Of an email that is nobody's: it waits its turn and counts as a wrong password does, and takes as long.
            await check({ id: `nobody ${email}`, hash: undefined, password });
            return "";
          },
          verify: (password, hash) => check({ id: hash, hash, password }),
        },
      }),
    );
    return opened;
  };

  function momentOf({ route, provider, body, place, address }: Incoming): Moment {
    const email = typeof body["email"] === "string" ? body["email"].toLowerCase() : undefined;
    const credentials = createHash("sha256")
      .update(JSON.stringify([route.path, body]))
      .digest("hex");
    return {
      ...{ route: route.path, provider, address, place, email },
      code: typeof body["code"] === "string" ? body["code"] : undefined,
      judging: patience.about(place, email, credentials),
    };
  }

  async function answer(asked: Incoming): Promise<Response> {
    const moment = momentOf(asked);
    try {
      return await answerAt(moment, asked);
    } catch (error) {
      // Whoever guesses on is in the log also while he is not heard.
      if (error instanceof ProblemError && error.code === "limit-requests")
        await refused(asked, moment, error.code);
      throw error;
    }
  }

  async function answerAt(moment: Moment, asked: Incoming): Promise<Response> {
    const { route } = asked;
    const standing = await standingOf(asked);
    // Of a password the judge is `check`, when its turn has come.
    const judged = route.guess === true && route.path !== "/sign-in/email";
    if (judged) moment.judging.begin();
    if (route.begins === true) patience.begun(asked.place);
    const { handler } = await auth();
    const answered = await during(moment, () => handler(onward(asked, origin)));
    if (moment.failure !== undefined) throw moment.failure;
    // better-auth calls it a fault of its own when a new passkey's answer does not fit.
    const misfit = answered.status === 500 && route.path === "/passkey/verify-registration";
    const response = misfit
      ? new Response(answered.body, { status: 400, headers: answered.headers })
      : answered;
    if (response.status >= 500) throw new Error(`better-auth answered ${response.status} to ${route.path}`);
    if (judged) moment.judging.judged(response.ok);
    await tell(asked, moment, response);
    if (standing !== undefined && response.ok) await changed(asked, standing, response);
    return forBrowser(response);
  }

  /** Who changes something of the own login, and by what he comes in before. Throws `unauthenticated`. */
  async function standingOf({ request, route }: Incoming): Promise<Standing | undefined> {
    if (route.anyone === true && route.changes === undefined) return undefined;
    const person = (await session(request.headers, "unused"))?.person.id;
    // better-auth would take the session of a disabled person that a login left behind while he was disabled.
    if (person === undefined && route.anyone !== true)
      throw new ProblemError("unauthenticated", "sign in first; the session may have ended");
    if (person === undefined || route.changes === undefined) return undefined;
    return { person, changed: route.changes, ways: await waysOf(db, person) };
  }

  async function changed({ address }: Incoming, standing: Standing, response: Response): Promise<void> {
    const { person, changed, ways: before } = standing;
    const after = await waysOf(db, person);
    // Nobody sees which backup codes there are.
    if (changed !== "backup codes" && JSON.stringify(before) === JSON.stringify(after)) return;
    // Also a login with the old password that waits for its code.
    if (changed === "password") await signOut(db, person, (await sessionOf(response))?.sessionId);
    await told({ kind: "OwnLoginChanged", person, changed, before, after, address }, db);
  }

  async function tell(asked: Incoming, moment: Moment, response: Response): Promise<void> {
    const { route } = asked;
    if (route.guess === true && !response.ok) {
      const { code = "REFUSED" } = (await response.clone().json()) as { code?: string };
      await refused(asked, moment, code);
    }
    const error = /[?&]error=([^&]*)/.exec(response.headers.get("location") ?? "")?.[1];
    if (route.path === "/callback/:id" && error !== undefined)
      await refused(asked, moment, error.slice(0, 100));
  }

  async function refused({ route, address }: Incoming, { email }: Moment, code: string): Promise<void> {
    // A password that was typed into the wrong field shall not stand in a log.
    const shown = email !== undefined && isEmail(email) ? email : undefined;
    await told({ kind: "LoginRefused", route: route.path, email: shown, address, code }, db);
  }

  /** That which an answer's cookies stand for. */
  async function sessionOf(response: Response): Promise<PersonSession | undefined> {
    const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
    return await session(new Headers({ cookie: cookies.join("; ") }), "unused");
  }

  async function session(
    headers: Headers,
    how: "used" | "unused" = "used",
  ): Promise<PersonSession | undefined> {
    if (!headers.has("cookie")) return undefined;
    const { api } = await auth();
    const query = { disableRefresh: how === "unused" };
    const found = await api.getSession({ headers, query }).catch((error: unknown) => {
      const { statusCode } = error as { statusCode?: number };
      // It ended while it was looked at.
      if (statusCode === 401) return null;
      throw new ProblemError("ledger-unavailable", "the ledger did not say whose session it is", {
        cause: error,
      });
    });
    if (found === null || found.user.disabledAt != null) return undefined;
    const { user } = found;
    const loggedIn = found.session.how as How;
    return {
      person: {
        ...{ id: user.id, email: user.email, name: user.name, role: user.role as Role },
        client: user.client ?? null,
        createdAt: user.createdAt.getTime(),
        disabledAt: null,
        lastLoginAt: user.lastLoginAt?.getTime() ?? null,
      },
      sessionId: found.session.id,
      since: found.session.createdAt.getTime(),
      how: loggedIn,
      // A provider asks for its own second factor, and a passkey is two.
      mustSetUp:
        secondFactor === "required" &&
        loggedIn === "password" &&
        user.twoFactorEnabled !== true &&
        !(await named(() => hasPasskey(db, user.id))),
    };
  }

  return {
    session,
    passkeys,
    providers: oidc.map(({ id, name }) => ({ id, name })),
    async handle(request, address) {
      const asked = await incoming(request, address, networkOf(address), origin, routeOf);
      return await named(() => answer(asked));
    },
  };
}

/** WebAuthn knows host names alone (Level 3, 5.1.2: an effective domain). */
function passkeysAt(origin: string): Passkeys {
  const host = new URL(origin).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) === 0) return { kind: "on", rpId: host };
  return {
    kind: "off",
    why: `passkeys belong to a host name, and the console is at the address ${host}; set console.url in receiver.yaml to a name`,
  };
}
