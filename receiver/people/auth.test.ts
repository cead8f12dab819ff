/** What stands before better-auth: the closed list, who may ask, and what of a body is taken. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqlite } from "../ledger/sqlite.ts";
import { secretOf } from "./auth.ts";
import { openAuth } from "./better-auth.ts";
import { openPatience } from "./patience.ts";
import { AUTH_PATH, openRoutes, takenOf } from "./routes.ts";
import { answerOf, ORIGIN, PASSWORD, peopleScene } from "./scene.ts";

const OPEN = [
  "GET /callback/corp",
  "GET /passkey/generate-authenticate-options",
  "GET /passkey/generate-register-options",
  "GET /passkey/list-user-passkeys",
  "POST /change-password",
  "POST /passkey/delete-passkey",
  "POST /passkey/update-passkey",
  "POST /passkey/verify-authentication",
  "POST /passkey/verify-registration",
  "POST /sign-in/email",
  "POST /sign-in/social",
  "POST /sign-out",
  "POST /two-factor/disable",
  "POST /two-factor/enable",
  "POST /two-factor/generate-backup-codes",
  "POST /two-factor/verify-backup-code",
  "POST /two-factor/verify-totp",
];

const CORP = {
  ...{ id: "corp", name: "Corp", issuer: "http://127.0.0.1:9", clientId: "c", clientSecret: "s" },
};

async function open(more: Parameters<typeof peopleScene>[1] = {}) {
  const folder = mkdtempSync(join(tmpdir(), "tributary-people-"));
  const { db, close } = await openSqlite(join(folder, "ledger.sqlite"));
  onTestFinished(async () => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  });
  return peopleScene(db, { oidc: [CORP], ...more });
}

test("of all that better-auth and its plugins have, what is on the list is open, and nothing else", async () => {
  const { browser, db } = await open();
  const never = (): never => expect.fail("nobody is asked");
  const auth = openAuth({
    ...{ db, secret: "s".repeat(43), origin: ORIGIN, rpId: "console.test", oidc: [CORP], idleMs: 60_000 },
    asked: { admit: never, join: never, joined: never, linked: never, hash: never, verify: never },
  });
  const all = Object.values(auth.api).flatMap((endpoint) => {
    const { path, options } = endpoint as {
      path?: string;
      options: { method?: string | readonly string[] };
    };
    if (path === undefined) return [];
    return ["GET", "POST", "PUT", "PATCH", "DELETE", ...[options.method ?? []].flat()].map(
      (method) => `${method} ${path.replace("/callback/:id", "/callback/corp").replace(/:\w+/g, "x")}`,
    );
  });
  const asked = new Set(all);
  // The walk sees what there is: sign-up, sessions, reset, account linking and more.
  expect(asked.size).toBeGreaterThan(150);
  for (const known of ["POST /sign-up/email", "GET /get-session", "POST /update-user"])
    expect(asked).toContain(known);
  expect([...asked].filter((one) => OPEN.includes(one)).sort()).toEqual(OPEN);
  const one = browser();
  for (const endpoint of asked) {
    const [method = "", path = ""] = endpoint.split(" ");
    const { status, json } = await one.ask(method, path, method === "POST" ? {} : undefined);
    if (OPEN.includes(endpoint)) expect([endpoint, json.code]).not.toEqual([endpoint, "not-found"]);
    else expect([endpoint, status, json.code]).toEqual([endpoint, 404, "not-found"]);
  }
});

test.for([
  "/callback/other",
  "/callback/corp/",
  "/sign-in/email/",
  "/sign-in//email",
  "/Sign-In/Email",
  "/sign-in%2Femail",
  "/x/../sign-up/email",
  "/ok",
  "",
])("%j is not there", async (path) => {
  const routeOf = openRoutes(["corp"], true);
  for (const method of ["GET", "POST", "HEAD", "OPTIONS"])
    expect(routeOf(method, `${AUTH_PATH}${path}`)).toBeUndefined();
});

test("nothing that better-auth would take besides gets through", () => {
  const route = (path: string) => openRoutes([], true)("POST", `${AUTH_PATH}${path}`);
  const body = {
    ...{ email: "e", password: "p", rememberMe: false, callbackURL: "/x", code: "1", trustDevice: true },
    ...{
      disableSession: true,
      idToken: {},
      requestSignUp: true,
      revokeOtherSessions: false,
      provider: "corp",
    },
  };
  const taken = (path: string) => takenOf(route(path) ?? expect.fail(path), body);
  expect(taken("/sign-in/email")).toEqual({ email: "e", password: "p" });
  expect(taken("/two-factor/verify-backup-code")).toEqual({ code: "1" });
  expect(taken("/sign-in/social")).toEqual({ provider: "corp", callbackURL: "/x" });
  expect(taken("/change-password")).toEqual({ revokeOtherSessions: true });
});

test("pages of others, forms and bodies that are none are refused before anything is looked at", async () => {
  const { add, browser, people } = await open();
  await add("ada@example.com");
  const body = { email: "ada@example.com", password: PASSWORD };
  const one = browser();
  const ask = async (more: Record<string, string>, sent: unknown = body) =>
    (await one.ask("POST", "/sign-in/email", sent, more)).status;
  expect(await ask({ origin: "https://evil.test" })).toBe(403);
  expect(await ask({ origin: "null" })).toBe(403);
  expect(await ask({ "content-type": "application/x-www-form-urlencoded" })).toBe(400);
  expect(await ask({}, [])).toBe(400);
  expect(await ask({}, { ...body, more: "x".repeat(70_000) })).toBe(413);
  expect(await ask({}, { email: 5, password: 5 })).toBe(400);
  expect(await ask({}, { email: "ada\0@example.com", password: PASSWORD })).toBe(400);
  // better-auth would let this one pass.
  const nowhere = new Request(`${ORIGIN}${AUTH_PATH}/sign-in/email`, {
    ...{ method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } },
  });
  expect((await answerOf(people, nowhere, "192.0.2.1")).status).toBe(403);
  expect(one.cookies.size).toBe(0);
  expect(await ask({})).toBe(200);
});

/** As deep as 64 KB can be. */
const DEEP = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;

test.for<[string, string, string]>([
  ["an email that is none", "/sign-in/email", '{"email":{"toString":1},"password":"x"}'],
  ["an email without end", "/sign-in/email", `{"email":"${"a".repeat(250)}@b.de","password":"x"}`],
  ["depth where a text belongs", "/sign-in/email", `{"email":"a@b.de","password":${DEEP}}`],
  ["depth", "/passkey/verify-authentication", `{"response":{"id":${DEEP}}}`],
  ["no text of a database", "/passkey/verify-authentication", '{"response":{"id":"a\\u0000b"}}'],
  ["a code that is none", "/two-factor/verify-totp", '{"code":{"a":1}}'],
])("a stranger's %s is refused, and no failure of ours", async ([, path, body]) => {
  const { browser, facts } = await open();
  const one = browser();
  await one.ask("GET", "/passkey/generate-authenticate-options");
  const { status, json } = await one.postText(path, body);
  expect([status, json.code]).toEqual([400, "request-invalid"]);
  expect(facts).toEqual([]);
});

test("depth in what nothing takes is no failure either", async () => {
  const { add, browser } = await open();
  await add("ada@example.com");
  const body = { email: "ada@example.com", password: PASSWORD, more: "MORE" };
  const text = JSON.stringify(body).replace('"MORE"', DEEP);
  expect((await browser().postText("/sign-in/email", text)).status).toBe(200);
});

test("a password that was typed as the email is told to nobody; who guesses on is told of while he waits", async () => {
  const { add, browser, facts } = await open();
  await add("ada@example.com");
  await browser().login("My-Secret-Passw0rd!");
  const told = { route: "/sign-in/email", email: undefined, address: "192.0.2.1", code: "INVALID_EMAIL" };
  expect(facts).toEqual([{ kind: "LoginRefused", ...told }]);
  for (let i = 0; i < 10; i += 1) await browser().login("ada@example.com", `wrong ${i} horse`);
  facts.length = 0;
  const slowed = await browser().login("ada@example.com", "wrong 11 horse");
  expect(slowed.status).toBe(429);
  expect(facts).toMatchObject([{ kind: "LoginRefused", email: "ada@example.com", code: "limit-requests" }]);
});

test("passkeys belong to a host name", async () => {
  const { add, browser, people } = await open();
  expect(people.passkeys).toEqual({ kind: "on", rpId: "console.test" });
  await add("ada@example.com");
  const one = browser();
  const options = await one.ask("GET", "/passkey/generate-authenticate-options");
  expect(options.json).toMatchObject({ rpId: "console.test", challenge: expect.any(String) });
  expect((await one.ask("GET", "/passkey/generate-register-options")).status).toBe(401);
  await one.login("ada@example.com");
  const register = await one.ask("GET", "/passkey/generate-register-options");
  expect(register.json).toMatchObject({
    rp: { id: "console.test", name: "Tributary" },
    user: { name: "ada@example.com" },
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  });
  expect((await one.ask("GET", "/passkey/list-user-passkeys")).json).toEqual([]);
  const forged = await browser().post("/passkey/verify-authentication", { response: { id: "x" } });
  expect(forged.status).toBe(400);

  for (const origin of ["https://192.0.2.7:8444", "https://[::1]:8444"]) {
    const at = await open({ origin });
    expect(at.people.passkeys).toMatchObject({ kind: "off", why: expect.stringMatching(/console\.url/) });
    const there = await answerOf(
      at.people,
      new Request(`${origin}${AUTH_PATH}/passkey/generate-authenticate-options`),
      "192.0.2.1",
    );
    expect(there.status).toBe(404);
  }
});

test("beginning again and again, which leaves something in the ledger each time, is slowed", async () => {
  const { browser, db } = await open();
  const one = browser();
  const begin = async () => (await one.ask("GET", "/passkey/generate-authenticate-options")).status;
  const statuses = await Promise.all(Array.from({ length: 70 }, begin));
  expect(statuses.filter((status) => status === 200)).toHaveLength(60);
  expect(statuses.filter((status) => status === 429)).toHaveLength(10);
  expect((await one.post("/sign-in/social", { provider: "corp" })).status).toBe(429);
  one.address = "192.0.2.2";
  expect(await begin()).toBe(200);
  expect(await db.selectFrom("people_verifications").selectAll().execute()).toHaveLength(61);
});

test("the secret is the site's, and for this alone", () => {
  const key = Buffer.alloc(32, 7);
  expect(secretOf(key)).toMatch(/^[\w-]{43}$/);
  expect(secretOf(key)).toBe(secretOf(Buffer.alloc(32, 7)));
  expect(secretOf(key)).not.toBe(secretOf(Buffer.alloc(32, 8)));
  expect(secretOf(key)).not.toBe(key.toString("base64url"));
});

test("guesses are counted for the place, for the email there, and for the email anywhere", () => {
  let now = 0;
  const patience = openPatience(() => now);
  const guess = (place: string, email: string | undefined, credentials: string): boolean => {
    const judging = patience.about(place, email, credentials);
    try {
      judging.begin();
    } catch {
      return false;
    }
    judging.judged(false);
    return true;
  };
  const many = (count: number, one: (i: number) => boolean) =>
    Array.from({ length: count }, (_, i) => one(i)).filter(Boolean).length;
  expect(many(50, (i) => guess("a", "ada", `${i}`))).toBe(10);
  expect(many(50, (i) => guess("a", `other ${i}`, `o ${i}`))).toBe(20);
  expect(many(50, (i) => guess("a", undefined, `code ${i}`))).toBe(0);
  expect(many(500, (i) => guess(`place ${i}`, "ada", `x ${i}`))).toBe(90);
  now += 60_000;
  expect(guess("a", "ada", "again")).toBe(true);
});
