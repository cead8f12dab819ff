/**
 * The closed list of better-auth's routes that are open, each with what is taken of its body. All others are not there:
 * what a new version of the library brings is not open by surprise, and neither is what a body may say besides
 * (sessions that are not remembered, devices that are trusted, tokens instead of a redirect).
 */
export interface Route {
  readonly path: string;
  readonly method: "GET" | "POST";
  /** Keys of the body. */
  readonly takes: readonly string[];
  /** Set whatever was said. */
  readonly always?: Readonly<Record<string, unknown>>;
  /** Whether a refusal counts as a guess. */
  readonly guess?: boolean;
  /** Whether strangers may begin a login with it, which leaves something in the ledger. */
  readonly begins?: boolean;
  /** What it changes of that by which a person comes in. */
  readonly changes?: OwnChange;
  /** Whether it is not only for who is logged in. */
  readonly anyone?: boolean;
}

/** As the record names it. */
export type OwnChange = "password" | "authenticator app" | "backup codes" | "passkey";

export const AUTH_PATH = "/api/auth";

const get = (path: string, more: Partial<Route> = {}): Route => ({
  ...{ path, method: "GET", takes: [] },
  ...more,
});
const post = (path: string, takes: readonly string[], more: Partial<Route> = {}): Route => ({
  ...{ path, method: "POST", takes },
  ...more,
});

const LOGIN = { guess: true, anyone: true } as const;
const BEGIN = { begins: true, anyone: true } as const;

const ROUTES: readonly Route[] = [
  post("/sign-in/email", ["email", "password"], LOGIN),
  post("/sign-in/social", ["provider", "callbackURL", "errorCallbackURL"], BEGIN),
  get("/callback/:id", { anyone: true }),
  post("/sign-out", [], { anyone: true }),
  post("/change-password", ["currentPassword", "newPassword"], {
    always: { revokeOtherSessions: true },
    changes: "password",
  }),
  // It begins to set one up: nothing is in force before a code of it was right.
  post("/two-factor/enable", ["password"]),
  post("/two-factor/disable", ["password"], { changes: "authenticator app" }),
  post("/two-factor/generate-backup-codes", ["password"], { changes: "backup codes" }),
  post("/two-factor/verify-totp", ["code"], { ...LOGIN, changes: "authenticator app" }),
  post("/two-factor/verify-backup-code", ["code"], LOGIN),
];

const PASSKEY_ROUTES: readonly Route[] = [
  get("/passkey/generate-register-options"),
  post("/passkey/verify-registration", ["response", "name"], { changes: "passkey" }),
  get("/passkey/generate-authenticate-options", BEGIN),
  post("/passkey/verify-authentication", ["response"], LOGIN),
  get("/passkey/list-user-passkeys"),
  post("/passkey/update-passkey", ["id", "name"]),
  post("/passkey/delete-passkey", ["id"], { changes: "passkey" }),
];

/** All that can be open: those of providers and of passkeys are where there are such. */
export const ALL_ROUTES: readonly Route[] = [...ROUTES, ...PASSKEY_ROUTES];

/** What is asked for; undefined where it is not open. */
export type RouteOf = (method: string, path: string) => Route | undefined;

/** `providers`: the ids of those that people may come by. */
export function openRoutes(providers: readonly string[], passkeys: boolean): RouteOf {
  const open = new Map<string, Route>(
    [...ROUTES, ...(passkeys ? PASSKEY_ROUTES : [])].flatMap((route) =>
      route.path === "/callback/:id"
        ? providers.map((id) => [`GET ${AUTH_PATH}/callback/${id}`, route] as const)
        : [[`${route.method} ${AUTH_PATH}${route.path}`, route] as const],
    ),
  );
  return (method, path) => open.get(`${method} ${path}`);
}

/** What of a body is handed on. */
export function takenOf(
  route: Route,
  body: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const taken = route.takes.filter((key) => Object.hasOwn(body, key)).map((key) => [key, body[key]]);
  return { ...Object.fromEntries(taken), ...route.always };
}
