/** For tests: what every visitor may ask of the console, from its table alone; and what each act leaves in the audit log. */
import type { Act } from "../audit/audit.ts";
import type { Route } from "../people/routes.ts";
import { CALLS, type CallName, mayDo, type Role } from "./calls.ts";

/** Who comes to the console. */
export const VISITORS = {
  nobody: "nobody has logged in",
  revoked: "the session was revoked",
  disabled: "the person is disabled",
  newcomer: "an admin who has to set up a second factor first",
  uploader: "a person of the client",
  stranger: "a person of another client",
  viewer: "viewer",
  operator: "operator",
  admin: "admin",
} as const;

export type VisitorName = keyof typeof VISITORS;

/** 401, 403, or allowed. */
export function expected(call: CallName, visitor: VisitorName): 401 | 403 | "yes" {
  const { role } = CALLS[call];
  if (role === "anyone") return "yes";
  if (["nobody", "revoked", "disabled"].includes(visitor)) return 401;
  if (visitor === "newcomer") return ["me", "account.get"].includes(call) ? "yes" : 403;
  if (visitor === "uploader" || visitor === "stranger") return 403;
  return mayDo(visitor as Role, role) ? "yes" : 403;
}

/** What a call leaves in the audit log, in order, with its outcomes; the calls that are not here change nothing. */
export const ACTS: { readonly [K in CallName]?: readonly `${Act} ${"asked" | "done"}`[] } = {
  "welcome.accept": ["person.join done"],
  "clients.add": ["client.add done"],
  "clients.suspend": ["client.suspend done"],
  "clients.resume": ["client.resume done"],
  "clients.offboard": ["client.offboard done"],
  "clients.bound": ["client.quota done", "client.limit done"],
  "agents.scan": ["agent.scan done"],
  "agents.pause": ["agent.pause done"],
  "agents.resume": ["agent.resume done"],
  "agents.diagnose": ["agent.diagnostics done"],
  "agents.bundle": ["agent.bundle done"],
  "agents.revoke": ["agent.revoke done"],
  "agents.bound": ["agent.limit done"],
  "invitations.add": ["agent.invite done"],
  "invitations.cancel": ["agent.uninvite done"],
  "keys.add": ["key.add done"],
  "keys.bound": ["key.limit done"],
  "keys.revoke": ["key.revoke done"],
  "accounts.add": ["sftp.add done"],
  "accounts.bound": ["sftp.limit done"],
  "accounts.credentials": ["sftp.credentials done", "sftp.credentials done"],
  "accounts.revoke": ["sftp.revoke done"],
  "webhooks.add": ["webhook.add done"],
  "webhooks.replay": ["webhook.replay done"],
  "webhooks.revoke": ["webhook.revoke done"],
  "files.download": ["file.download done"],
  "files.preview": ["file.preview done"],
  "quarantine.release": ["quarantine.release asked", "quarantine.release done"],
  "quarantine.discard": ["quarantine.delete asked", "quarantine.delete done"],
  "site.diagnostics": ["site.diagnostics done"],
  "people.invite": ["person.invite done"],
  "people.withdraw": ["person.withdraw done"],
  "people.role": ["person.role done"],
  "people.disable": ["person.disable done"],
  "people.enable": ["person.enable done"],
  "people.reset": ["person.reset done"],
  "people.signout": ["person.sign-out done"],
  "account.rename": ["person.rename done"],
  "account.revoke": ["person.sign-out done"],
};

/** Calls that are no GET and change nothing, and why they are none. */
export const NO_ACT: { readonly [K in CallName]?: string } = {
  "welcome.look": "it looks at a link, whose secret must not stand in an address",
};

/** The table as people read it. */
export function accessTable(routes: readonly Route[]): string {
  const visitors = Object.keys(VISITORS) as VisitorName[];
  const row = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const names = Object.keys(CALLS) as CallName[];
  return [
    "# Who may ask what of the console",
    "",
    "Made from the table of calls (`receiver/console/calls.ts`) and tried, every line with every visitor, against a whole",
    "receiver (`receiver/console/access.test.ts`). 401: log in first. 403: not with this role. What is refused changes nothing;",
    "what is allowed and changes something leaves the named records in the audit log, and no other (welcome.accept by a link",
    "to a new password: person.login).",
    "",
    ...Object.entries(VISITORS).map(([name, who]) =>
      name === who ? `- **${name}**` : `- **${name}**: ${who}`,
    ),
    "",
    row(["call", "request", ...visitors, "audit log"]),
    row(["---", "---", ...visitors.map(() => "---"), "---"]),
    ...names.map((name) => {
      const { method, path } = CALLS[name];
      const left = [...new Set((ACTS[name] ?? []).map((act) => act.split(" ")[0]))].join(", ");
      return row([name, `\`${method} ${path}\``, ...visitors.map((one) => expected(name, one)), left]);
    }),
    "",
    "## Logging in",
    "",
    "Routes of the login, below `/api/auth`. All others of its library are closed (404). Whoever is logged in uses them for",
    "himself alone, whatever the role.",
    "",
    row(["route", "open to", "audit log"]),
    row(["---", "---", "---"]),
    ...routes.map((route) => {
      const { method, path, changes } = route;
      return row([
        `\`${method} ${path}\``,
        openTo(route),
        changes === undefined ? "" : `person.login: ${changes}`,
      ]);
    }),
    "",
  ].join("\n");
}

/** Of a route of the login. */
export function openTo({ anyone }: Route): "anyone" | "who is logged in" {
  return anyone === true ? "anyone" : "who is logged in";
}
