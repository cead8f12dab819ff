/** Every call of the console, asked by everybody: the table of docs/console-access.md, tried. */
import { request } from "node:https";
import { join } from "node:path";
import { expectGolden } from "@tributary/test/golden/golden.ts";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listAudit } from "../audit/audit.ts";
import type { Database } from "../ledger/schema.ts";
import { disable } from "../people/people.ts";
import { ALL_ROUTES } from "../people/routes.ts";
import { PASSWORD } from "../people/scene.ts";
import { signOut } from "../people/sessions.ts";
import { CALLS, type CallName } from "./calls.ts";
import { ACTS, accessTable, expected, NO_ACT, openTo, VISITORS, type VisitorName } from "./expected.ts";
import { SAMPLES, type SampleSite, sampleSite } from "./samples.ts";
import { type ConsoleScene, startConsole, type Visitor } from "./scene.ts";

const NAMES = Object.keys(CALLS) as CallName[];
const EVERYBODY = Object.keys(VISITORS) as VisitorName[];
const emailOf = (visitor: VisitorName): string => `${visitor}@example.com`;

let scene: ConsoleScene;
let site: SampleSite;
let visitors: ReadonlyMap<VisitorName, Visitor>;

beforeAll(async () => {
  // A second factor is required, so that one can have none.
  scene = await startConsole({ secondFactor: "required" });
  site = sampleSite(scene);
  const come = async (name: VisitorName): Promise<[VisitorName, Visitor]> => {
    if (name === "nobody") return [name, scene.visitor()];
    const { id } = await scene.add(emailOf(name), standingOf(name));
    const visitor = await scene.login(emailOf(name), { secondFactor: name !== "newcomer" });
    if (name === "revoked") await signOut(scene.db, id);
    if (name === "disabled") await disable(scene.db, id);
    return [name, visitor];
  };
  visitors = new Map(await Promise.all(EVERYBODY.map(come)));
}, 60_000);
afterAll(() => scene.stop(), 60_000);

function standingOf(name: VisitorName) {
  if (name === "uploader") return { role: "uploader", client: "acme" } as const;
  if (name === "stranger") return { role: "uploader", client: "other" } as const;
  if (name === "viewer" || name === "operator") return { role: name } as const;
  return { role: "admin" } as const;
}

/** The request of a call: its path filled in, the rest as query or body. */
function requestFor(name: CallName, input: Readonly<Record<string, unknown>>) {
  const { method, path } = CALLS[name];
  const rest = { ...input };
  const filled = path.replaceAll(/:(\w+)/g, (_, key: string) => {
    const value = String(rest[key]);
    delete rest[key];
    return encodeURIComponent(value);
  });
  const texts = Object.entries(rest).map(([key, value]): [string, string] => [key, String(value)]);
  const query = method === "GET" && texts.length > 0 ? `?${new URLSearchParams(texts)}` : "";
  return { method, path: `${filled}${query}`, body: method === "GET" ? undefined : rest };
}

interface Asked {
  readonly status: number;
  readonly requestId: string;
  readonly text: string;
}

async function ask(visitor: VisitorName, name: CallName, input: object): Promise<Asked> {
  const { method, path, body } = requestFor(name, input as Record<string, unknown>);
  const one = visitors.get(visitor) as Visitor;
  if (name === "live") return await askForStream(one, path);
  const { status, headers, body: answer } = await one.ask(method, path, body);
  return { status, requestId: String(headers["x-request-id"]), text: answer.toString().slice(0, 500) };
}

/** It has no end: its beginning is the answer. */
async function askForStream(visitor: Visitor, path: string): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>();
  const headers = visitor.headers("GET");
  const to = { agent: scene.agent, hostname: "127.0.0.1", port: scene.port, path, headers };
  const sent = request(to, (incoming) => {
    const { statusCode: status = 0, headers: got } = incoming;
    resolve({ status, requestId: String(got["x-request-id"]), text: "" });
    incoming.destroy();
  });
  sent.on("error", reject).end();
  return await promise;
}

/** What is followed from entries and made anew by itself is no act of anybody. */
const FOLLOWING = /^(search_|arrivals|reordered|segments|tree_|migrations)/;

/** Everything that the ledger holds. */
async function everything(db: Database): Promise<ReadonlyMap<string, unknown>> {
  const tables = (await db.introspection.getTables()).map(({ name }) => name);
  const read = tables
    .filter((name) => !FOLLOWING.test(name))
    .map(async (name) => [name, (await sql`select * from ${sql.table(name)}`.execute(db)).rows] as const);
  return new Map(await Promise.all(read));
}

describe("every call", () => {
  test("has an act, or a reason to have none, or only reads; and the document is up to date", () => {
    for (const name of NAMES)
      if (CALLS[name].method !== "GET")
        expect([name, (ACTS[name] ?? NO_ACT[name]) !== undefined]).toEqual([name, true]);
    expectGolden(join(import.meta.dirname, "../../docs/console-access.md"), accessTable(ALL_ROUTES));
  });

  test("has an address that no other call of its method answers", () => {
    const fits = (pattern: string, path: string): boolean => {
      const [wanted, given] = [pattern.split("/"), path.split("/")];
      const same = (a = "", b = "") => a === b || a.startsWith(":") || b.startsWith(":");
      return wanted.length === given.length && wanted.every((one, i) => same(one, given[i]));
    };
    const clashes = NAMES.flatMap((one) =>
      NAMES.filter((other) => other > one && CALLS[one].method === CALLS[other].method)
        .filter((other) => fits(CALLS[one].path, CALLS[other].path))
        .map((other) => `${one} ${other}`),
    );
    expect(clashes).toEqual([]);
  });

  test("is refused to whom the table says, and then nothing has changed", { timeout: 120_000 }, async () => {
    const inputs = new Map<CallName, object>();
    for (const name of NAMES) inputs.set(name, await SAMPLES[name](site, emailOf("admin")));
    const wrong: string[] = [];
    const before = await everything(scene.db);
    for (const name of NAMES)
      for (const visitor of EVERYBODY) {
        const wanted = expected(name, visitor);
        if (wanted === "yes") continue;
        const { status, text } = await ask(visitor, name, inputs.get(name) as object);
        if (status !== wanted) wrong.push(`${visitor} ${name}: ${status} and not ${wanted}: ${text}`);
        if (/acme|eicar|till/i.test(text)) wrong.push(`${visitor} ${name} is told of what there is: ${text}`);
      }
    expect(wrong).toEqual([]);
    const after = await everything(scene.db);
    for (const [table, rows] of before) expect([table, after.get(table)]).toEqual([table, rows]);
  });

  test("is allowed to whom the table says, and leaves its record", { timeout: 120_000 }, async () => {
    const wrong: string[] = [];
    for (const name of NAMES)
      for (const visitor of EVERYBODY) {
        if (expected(name, visitor) !== "yes") continue;
        const input = await SAMPLES[name](site, emailOf(visitor));
        const [last] = await listAudit(scene.db, { limit: 1 });
        const { status, requestId, text } = await ask(visitor, name, input);
        if (status !== 200) wrong.push(`${visitor} ${name}: ${status}: ${text}`);
        const lines = (await listAudit(scene.db, { limit: 20 }))
          .filter(({ id }) => last === undefined || id > last.id)
          .toReversed();
        const left = lines.map(({ act, outcome }) => `${act} ${outcome}`);
        if (JSON.stringify(left) !== JSON.stringify(ACTS[name] ?? []))
          wrong.push(`${visitor} ${name} left ${left.join(", ") || "nothing"} in the audit log`);
        const who = { kind: "person", address: "127.0.0.1", requestId };
        const joins = name === "welcome.accept";
        for (const line of lines)
          expect([name, line.who]).toMatchObject([
            name,
            { ...who, ...(joins ? {} : { name: emailOf(visitor) }) },
          ]);
      }
    expect(wrong).toEqual([]);
  });
});

describe("what is no call", () => {
  test.for(["HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND"])("%s is no method of it", async (method) => {
    const admin = visitors.get("admin") as Visitor;
    const before = await everything(scene.db);
    const { path: download } = requestFor("files.download", { id: await site.version() });
    for (const path of ["/api/me", "/api/live", "/api/nothing", "/api/auth/sign-out", download]) {
      const { status, headers } = await admin.ask(method, path);
      expect([path, status, headers.allow]).toEqual([path, 405, "GET, POST, PUT, DELETE"]);
    }
    expect((await everything(scene.db)).get("audit")).toEqual(before.get("audit"));
  });

  test.for([
    ["GET", "/api"],
    ["GET", "/api/"],
    ["GET", "/api/nothing"],
    ["GET", "/api/me/"],
    ["GET", "/api/%6de"],
    ["GET", "/api/../api/me"],
    ["POST", "/api/me"],
    ["DELETE", "/api/clients/acme"],
    ["GET", "/api/auth/get-session"],
    ["GET", "/api/auth/ok"],
    ["GET", "/api/auth/error"],
    ["POST", "/api/auth/sign-up/email"],
    ["POST", "/api/auth/update-user"],
    ["POST", "/api/auth/delete-user"],
    ["POST", "/api/auth/revoke-sessions"],
    ["POST", "/api/auth/request-password-reset"],
    ["GET", "/api/auth/list-sessions"],
  ])("%s %s is not there", async ([method = "", path = ""]) => {
    const admin = visitors.get("admin") as Visitor;
    const { status } = await admin.ask(method, path, method === "GET" ? undefined : {});
    expect(status).toBe(404);
  });
});

/** As a page would send it: what is not whole would be refused for that. */
const BODIES: Readonly<Record<string, object>> = {
  "/change-password": { currentPassword: PASSWORD, newPassword: "another horse battery" },
  "/two-factor/enable": { password: PASSWORD },
  "/two-factor/disable": { password: PASSWORD },
  "/two-factor/generate-backup-codes": { password: PASSWORD },
  "/passkey/verify-registration": { response: {}, name: "laptop" },
  "/passkey/update-passkey": { id: "p", name: "laptop" },
  "/passkey/delete-passkey": { id: "p" },
};

describe("every route of the login", () => {
  const open = ALL_ROUTES.filter(({ path }) => path !== "/callback/:id");
  test.for(open)(
    "$method $path is closed to who has not logged in, where it is for himself",
    async (route) => {
      const { method, path } = route;
      for (const visitor of ["nobody", "revoked", "disabled"] as const) {
        const one = visitors.get(visitor) as Visitor;
        const body = method === "GET" ? undefined : (BODIES[path] ?? {});
        const { status } = await one.ask(method, `/api/auth${path}`, body);
        if (openTo(route) === "who is logged in") expect([visitor, status]).toEqual([visitor, 401]);
        else expect([200, 400, 401, 404]).toContain(status);
      }
      // A route of a provider that is not there, or one that needs what only its owner has.
      expect(await scene.visitor().ask(method, "/api/auth/callback/nobody")).toMatchObject({ status: 404 });
    },
  );
});
