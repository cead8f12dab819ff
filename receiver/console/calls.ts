/**
 * Everything the console's pages can ask: one table of method, path and the least role. The application makes its routes
 * from it, the pages their requests, and the tests try every line of it with every role. `inputs.ts` says what goes in, `answers.ts` what
 * comes out. Nothing but plain data is here, because the pages are built with it.
 */

/** Each may do what those before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `:name` is one segment, percent-encoded. */
  readonly path: string;
  /** anyone: without a session, too. */
  readonly role: Role | "anyone";
}

type Least = Call["role"];
const get = (path: string, role: Least = "viewer"): Call => ({ method: "GET", path, role });
const post = (path: string, role: Least = "operator"): Call => ({ method: "POST", path, role });
const put = (path: string, role: Least = "operator"): Call => ({ method: "PUT", path, role });
const remove = (path: string, role: Least = "operator"): Call => ({ method: "DELETE", path, role });

export const CALLS = {
  "sign-in": get("/api/sign-in", "anyone"),
  "welcome.look": post("/api/welcome", "anyone"),
  "welcome.accept": post("/api/welcome/accept", "anyone"),
  me: get("/api/me"),
  live: get("/api/live"),

  "overview.get": get("/api/overview"),
  "overview.troubled": get("/api/overview/troubled"),
  "overview.punctuality": get("/api/punctuality"),
  "overview.client": get("/api/clients/:client/overview"),

  "clients.list": get("/api/clients"),
  "clients.get": get("/api/clients/:client"),
  "clients.add": post("/api/clients"),
  "clients.suspend": post("/api/clients/:client/suspend"),
  "clients.resume": post("/api/clients/:client/resume"),
  "clients.offboarding": get("/api/clients/:client/offboarding"),
  "clients.offboard": post("/api/clients/:client/offboard"),
  "clients.bound": put("/api/clients/:client/bounds"),

  "agents.list": get("/api/agents"),
  "agents.get": get("/api/agents/:id"),
  "agents.commands": get("/api/agents/:id/commands"),
  "agents.scan": post("/api/agents/:id/scan"),
  "agents.pause": post("/api/agents/:id/pause"),
  "agents.resume": post("/api/agents/:id/resume"),
  "agents.diagnose": post("/api/agents/:id/diagnostics"),
  "agents.bundle": get("/api/diagnostics/:id", "operator"),
  "agents.revoke": post("/api/agents/:id/revoke"),
  "agents.bound": put("/api/agents/:id/bounds"),

  "invitations.list": get("/api/clients/:client/invitations"),
  "invitations.add": post("/api/clients/:client/invitations"),
  "invitations.cancel": remove("/api/invitations/:id"),

  "keys.list": get("/api/clients/:client/keys"),
  "keys.add": post("/api/clients/:client/keys"),
  "keys.bound": put("/api/keys/:id/bounds"),
  "keys.revoke": post("/api/keys/:id/revoke"),

  "accounts.list": get("/api/clients/:client/accounts"),
  "accounts.add": post("/api/clients/:client/accounts"),
  "accounts.bound": put("/api/accounts/:user/bounds"),
  "accounts.credentials": put("/api/accounts/:user/credentials"),
  "accounts.revoke": post("/api/accounts/:user/revoke"),

  "webhooks.list": get("/api/webhooks"),
  "webhooks.add": post("/api/webhooks"),
  "webhooks.replay": post("/api/webhooks/:id/replay"),
  "webhooks.revoke": post("/api/webhooks/:id/revoke"),
  "deadletters.list": get("/api/dead-letters"),

  "deliveries.list": get("/api/deliveries"),
  "newer.count": get("/api/deliveries/newer"),

  /** Not below `files`, where names of sources stand. */
  "files.bounds": get("/api/clients/:client/file-bounds"),
  "files.sources": get("/api/clients/:client/files"),
  "files.list": get("/api/clients/:client/files/:source"),
  "files.versions": get("/api/clients/:client/files/:source/versions"),
  "files.version": get("/api/versions/:id"),
  "files.receipt": get("/api/versions/:id/receipt"),
  "files.download": get("/api/versions/:id/content"),
  "files.preview": get("/api/versions/:id/preview"),

  "search.all": get("/api/search"),
  "search.files": get("/api/search/files"),

  "quarantine.list": get("/api/quarantine"),
  "quarantine.release": post("/api/quarantine/:id/release"),
  "quarantine.discard": post("/api/quarantine/:id/discard", "admin"),

  "audit.list": get("/api/audit"),

  "refusals.list": get("/api/refusals"),
  "log.lines": get("/api/log", "operator"),
  "site.diagnostics": get("/api/diagnostics", "admin"),
  "site.jwks": get("/api/receipt-keys"),

  "people.list": get("/api/people", "admin"),
  "people.invite": post("/api/people", "admin"),
  "people.withdraw": post("/api/people/withdraw", "admin"),
  "people.role": put("/api/people/:id/role", "admin"),
  "people.disable": post("/api/people/:id/disable", "admin"),
  "people.enable": post("/api/people/:id/enable", "admin"),
  "people.reset": post("/api/people/:id/reset", "admin"),
  "people.sessions": get("/api/people/:id/sessions", "admin"),
  "people.signout": post("/api/people/:id/sign-out", "admin"),

  /** Of whoever asks. */
  "account.get": get("/api/account"),
  "account.rename": put("/api/account/name", "viewer"),
  "account.revoke": post("/api/account/sessions/:id/revoke", "viewer"),
} satisfies Readonly<Record<string, Call>>;

export type CallName = keyof typeof CALLS;

/** Whether who has the one role may do what the other is the least for. */
export function mayDo(has: Role, least: Role): boolean {
  return ROLES.indexOf(has) >= ROLES.indexOf(least);
}
