/** Logging in, over both databases: what gets in, what does not, and what ends it. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { describe, expect, test } from "vitest";
import { Passwords } from "../identity/passwords.ts";
import type { Database } from "../ledger/schema.ts";
import type { PeopleFact } from "./facts.ts";
import { accept, resetLink } from "./invitations.ts";
import { changeRole, disable, enable, listPeople } from "./people.ts";
import { PASSWORD, peopleScene, softPasskey, totp } from "./scene.ts";
import { forgetEnded, listSessions, revokeSession, signOut } from "./sessions.ts";

export function authContract(openLedger: () => Promise<Database>): void {
  const open = async (more: Parameters<typeof peopleScene>[1] = {}) => peopleScene(await openLedger(), more);

  describe("password", () => {
    test("the right one gets in, and the session says who, how and since when", async () => {
      const { add, browser, db, facts } = await open();
      const ada = await add("Ada@Example.com");
      const began = Date.now();
      const one = browser();
      // What a client says of its address is not believed.
      const answer = await one.ask(
        ...(["POST", "/sign-in/email", { email: "ADA@example.com", password: PASSWORD }] as const),
        { "x-forwarded-for": "203.0.113.9", "x-tributary-address": "203.0.113.9" },
      );
      expect(answer.status).toBe(200);
      const session = await one.who();
      expect(session).toMatchObject({
        person: { id: ada.id, email: "ada@example.com", role: "operator", client: null, disabledAt: null },
        ...{ how: "password", mustSetUp: false },
      });
      expect(session?.since).toBeGreaterThanOrEqual(began);
      expect(session?.person.lastLoginAt).toBeGreaterThanOrEqual(began);
      expect(await listSessions(db, ada.id)).toEqual([
        expect.objectContaining({ id: session?.sessionId, address: "192.0.2.1", device: "Test/1.0" }),
      ]);
      expect(facts).toEqual([
        { kind: "PersonLoggedIn", person: ada.id, how: "password", address: "192.0.2.1" },
      ]);
      expect(await browser().who()).toBeUndefined();
    });

    test("the cookie is out of reach of scripts, of other hosts and of plain http, and ends with the browser", async () => {
      const { add, browser } = await open();
      await add("ada@example.com");
      const [cookie, ...more] = (await browser().login("ada@example.com")).headers.getSetCookie();
      expect(more).toEqual([]);
      expect(cookie).toMatch(
        /^__Host-tributary\.session_token=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      );
    });

    test("a wrong password and an email that is nobody's are refused alike", async () => {
      const { add, browser, facts } = await open();
      await add("ada@example.com");
      const wrong = await browser().login("ada@example.com", "wrong horse battery");
      const nobody = await browser().login("bob@example.com", "wrong horse battery");
      expect(wrong.status).toBe(401);
      expect(wrong.json.code).toBe("INVALID_EMAIL_OR_PASSWORD");
      const headers = (of: typeof wrong) => [...of.headers];
      expect([nobody.status, nobody.json, headers(nobody)]).toEqual([401, wrong.json, headers(wrong)]);
      expect(facts.map((fact) => fact.kind)).toEqual(["LoginRefused", "LoginRefused"]);
    });

    test("both take one look of the same cost", async () => {
      const looks: (string | undefined)[] = [];
      class Counting extends Passwords {
        override check(...of: Parameters<Passwords["check"]>) {
          looks.push(of[0].hash?.slice(0, 10));
          return super.check(...of);
        }
      }
      const { add, browser } = await open({ passwords: new Counting() });
      await add("ada@example.com");
      await browser().login("ada@example.com", "wrong horse battery");
      await browser().login("bob@example.com", "wrong horse battery");
      expect(looks).toEqual(["$argon2id$", undefined]);
    });

    test("guesses are slowed by place and email, and whoever logged in lately comes in all the same", async () => {
      const { add, browser } = await open();
      await add("ada@example.com");
      await add("bob@example.com");
      expect((await browser().login("ada@example.com")).status).toBe(200);
      const statuses = new Set<number>();
      for (let i = 0; i < 10; i += 1)
        statuses.add((await browser().login("ada@example.com", `wrong ${i} horse`)).status);
      expect([...statuses]).toEqual([401]);
      const slowed = await browser().login("ada@example.com", "wrong 11 horse");
      expect([slowed.status, slowed.json.code]).toEqual([429, "limit-requests"]);
      expect(Number(slowed.headers.get("retry-after"))).toBeGreaterThan(0);
      expect((await browser().login("ada@example.com")).status).toBe(200);
      expect((await browser().login("bob@example.com")).status).toBe(200);
      const liar = await browser().ask(
        "POST",
        "/sign-in/email",
        { email: "ada@example.com", password: "wrong 12 horse" },
        { "x-forwarded-for": "203.0.113.9", "x-tributary-address": "203.0.113.9" },
      );
      expect(liar.status).toBe(429);
      const elsewhere = browser();
      elsewhere.address = "203.0.113.9";
      expect((await elsewhere.login("ada@example.com", "wrong 13 horse")).status).toBe(401);
    });

    test("another one: the old ends, so do all other sessions", async () => {
      const { add, browser, db, facts } = await open();
      const ada = await add("ada@example.com");
      const [one, other] = [browser(), browser()];
      await one.login("ada@example.com");
      await other.login("ada@example.com");
      const newPassword = "another horse battery";
      const change = (currentPassword: string, to = newPassword) =>
        one.post("/change-password", { currentPassword, newPassword: to, revokeOtherSessions: false });
      expect((await change("wrong horse battery")).status).toBe(400);
      expect((await change(PASSWORD, "too short")).status).toBe(400);
      expect((await change(PASSWORD)).status).toBe(200);
      expect(await one.who()).toMatchObject({ how: "password" });
      expect(await other.who()).toBeUndefined();
      expect(await listSessions(db, ada.id)).toHaveLength(1);
      expect((await browser().login("ada@example.com")).status).toBe(401);
      expect((await browser().login("ada@example.com", newPassword)).status).toBe(200);
      const [told] = facts.filter((fact) => fact.kind === "OwnLoginChanged");
      const rest = { totp: false, passkeys: [], providers: [] };
      expect(told).toMatchObject({
        ...{ person: ada.id, changed: "password", address: "192.0.2.1" },
        before: { passwordSince: new Date(ada.createdAt).toISOString(), ...rest },
        after: { passwordSince: expect.stringMatching(/Z$/), ...rest },
      });
      expect(told?.after.passwordSince).not.toBe(told?.before.passwordSince);
    });

    test("what cannot be recorded fails, and is not said to be done", async () => {
      const told = async ({ kind }: PeopleFact) => {
        if (kind === "OwnLoginChanged") throw new ProblemError("ledger-unavailable", "no record");
      };
      const { add, browser } = await open({ told });
      await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      await expect(
        one.post("/change-password", { currentPassword: PASSWORD, newPassword: "another horse battery" }),
      ).rejects.toMatchObject({ code: "ledger-unavailable" });
    });
  });

  describe("a second factor", () => {
    test("asks for a code, which is good once", async () => {
      const { add, browser, db } = await open();
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      const { secret } = await one.setUpTotp();
      expect(await one.who()).toMatchObject({ person: { id: ada.id }, how: "password" });
      expect((await listPeople(db))[0]).toMatchObject({ totp: true, passkeys: 0, password: true });
      const kept = await db.selectFrom("people_totp").selectAll().executeTakeFirstOrThrow();
      expect(JSON.stringify(kept)).not.toContain(secret);

      const two = browser();
      const asked = await two.login("ada@example.com");
      expect(asked.json).toMatchObject({ twoFactorRedirect: true, twoFactorMethods: ["totp"] });
      expect(await two.who()).toBeUndefined();
      expect(await listSessions(db, ada.id)).toHaveLength(1);
      expect((await two.post("/two-factor/verify-totp", { code: "000000" })).status).toBe(401);
      // The code of the setting up is spent, though it is right still.
      const used = await db.selectFrom("people_codes_used").selectAll().execute();
      expect(used).toHaveLength(1);
      const right = await two.post("/two-factor/verify-totp", { code: totp(secret, 1), trustDevice: true });
      expect([right.status, right.json.code]).toEqual([200, undefined]);
      expect([...two.cookies.keys()]).toEqual(["__Host-tributary.session_token"]);
      expect(await two.who()).toMatchObject({ person: { id: ada.id }, how: "password" });

      const thief = browser();
      await thief.login("ada@example.com");
      const again = await thief.post("/two-factor/verify-totp", { code: totp(secret, 1) });
      expect([again.status, again.json.code]).toEqual([401, "INVALID_CODE"]);
      expect(await thief.who()).toBeUndefined();
    });

    test("of two who show the same code at once one gets in", async () => {
      const { add, browser } = await open();
      await add("ada@example.com");
      const first = browser();
      await first.login("ada@example.com");
      const { secret } = await first.setUpTotp();
      const both = [browser(), browser()];
      for (const one of both) await one.login("ada@example.com");
      const code = totp(secret, 1);
      const answers = await Promise.all(both.map((one) => one.post("/two-factor/verify-totp", { code })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 401]));
    });

    test("five wrong codes end the attempt", async () => {
      const { add, browser } = await open();
      await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      const { secret } = await one.setUpTotp();
      const thief = browser();
      await thief.login("ada@example.com");
      for (let i = 0; i < 5; i += 1)
        expect((await thief.post("/two-factor/verify-totp", { code: `00000${i}` })).status).toBe(401);
      const { status } = await thief.post("/two-factor/verify-totp", { code: totp(secret, 1) });
      expect(status).toBe(400);
      expect(await thief.who()).toBeUndefined();
    });

    test("a backup code does too, once", async () => {
      const { add, browser } = await open();
      await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      const { backupCodes } = await one.setUpTotp();
      const code = backupCodes[0];
      for (const status of [200, 401]) {
        const other = browser();
        await other.login("ada@example.com");
        expect((await other.post("/two-factor/verify-backup-code", { code })).status).toBe(status);
        expect((await other.who()) !== undefined).toBe(status === 200);
      }
    });

    test("an admin's reset takes it away, with the password and what was logged in", async () => {
      const { add, browser, db } = await open();
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      await one.setUpTotp();
      const halfWay = browser();
      await halfWay.login("ada@example.com");
      const only = await resetLink(db, ada.id);
      await accept(db, { secret: only, password: "another horse battery" });
      expect(await one.who()).toBeUndefined();
      expect((await listPeople(db))[0]).toMatchObject({ totp: true });
      expect((await halfWay.post("/two-factor/verify-totp", { code: "000000" })).json.code).toBe(
        "INVALID_TWO_FACTOR_COOKIE",
      );
      const both = await resetLink(db, ada.id, { alsoSecondFactor: true });
      await accept(db, { secret: both, password: PASSWORD });
      expect((await listPeople(db))[0]).toMatchObject({ totp: false });
      const after = browser();
      expect((await after.login("ada@example.com")).json.twoFactorRedirect).toBeUndefined();
      expect(await after.who()).toBeDefined();
    });

    test.for(["change-password", "sign-out", "disable"] as const)(
      "%s ends a login that waits for its code",
      async (what) => {
        const { add, browser, db } = await open();
        const ada = await add("ada@example.com");
        await add("root@example.com", { role: "admin" });
        const one = browser();
        await one.login("ada@example.com");
        const { backupCodes } = await one.setUpTotp();
        const [halfWay, bobs] = [browser(), browser()];
        await halfWay.login("ada@example.com");
        await bobs.ask("GET", "/passkey/generate-authenticate-options");
        const newPassword = "another horse battery";
        if (what === "sign-out") await signOut(db, ada.id);
        else if (what === "change-password")
          await one.post("/change-password", { currentPassword: PASSWORD, newPassword });
        else {
          await disable(db, ada.id);
          await enable(db, ada.id);
        }
        const late = await halfWay.post("/two-factor/verify-backup-code", { code: backupCodes[0] });
        expect([late.status, late.json.code]).toEqual([401, "INVALID_TWO_FACTOR_COOKIE"]);
        expect(await halfWay.who()).toBeUndefined();
        expect((await one.who()) !== undefined).toBe(what === "change-password");
        // What others have begun goes on.
        expect(await db.selectFrom("people_verifications").selectAll().execute()).not.toEqual([]);
      },
    );

    test("is told of when it is in force, and when it is not any more", async () => {
      const { add, browser, facts } = await open();
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      const changes = () => facts.flatMap((fact) => (fact.kind === "OwnLoginChanged" ? [fact] : []));
      const { json } = await one.post("/two-factor/enable", { password: PASSWORD });
      const secret = new URL(json.totpURI).searchParams.get("secret") as string;
      expect(changes()).toEqual([]);
      await one.post("/two-factor/verify-totp", { code: totp(secret) });
      const turned = { person: ada.id, changed: "authenticator app" };
      expect(changes()).toMatchObject([{ ...turned, before: { totp: false }, after: { totp: true } }]);
      const two = browser();
      await two.login("ada@example.com");
      await two.post("/two-factor/verify-totp", { code: totp(secret, 1) });
      expect(changes()).toHaveLength(1);
      await one.post("/two-factor/generate-backup-codes", { password: PASSWORD });
      await one.post("/two-factor/disable", { password: PASSWORD });
      expect(changes().slice(1)).toMatchObject([
        { person: ada.id, changed: "backup codes" },
        { ...turned, before: { totp: true }, after: { totp: false } },
      ]);
    });

    test("where it is required, who has none may only set one up", async () => {
      const { add, browser, db } = await open({ secondFactor: "required" });
      await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      expect(await one.who()).toMatchObject({ mustSetUp: true });
      await one.setUpTotp();
      expect(await one.who()).toMatchObject({ mustSetUp: false });

      const bob = await add("bob@example.com");
      await db
        .insertInto("people_passkeys")
        .values({
          ...{ id: "p", person: bob.id, name: null, credential_id: "c", public_key: "k", counter: 0 },
          ...{ device_type: "singleDevice", backed_up: 0, transports: null, aaguid: null, created_at: 1 },
        })
        .execute();
      const two = browser();
      const refused = await two.login("bob@example.com");
      expect([refused.status, refused.json.code]).toEqual([403, "PASSKEY_REQUIRED"]);
      expect(await listSessions(db, bob.id)).toEqual([]);
    });
  });

  describe("a passkey", () => {
    test("is set up and gets in alone, at its own site, by whoever its authenticator knows", async () => {
      const { add, browser, db, facts } = await open({ secondFactor: "required" });
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      expect(await one.who()).toMatchObject({ mustSetUp: true });
      const key = softPasskey();
      const register = async (more = {}) => {
        const { json } = await one.ask("GET", "/passkey/generate-register-options");
        const response = key.register(json.challenge, more);
        return await one.post("/passkey/verify-registration", { response, name: "laptop" });
      };
      expect((await register({ origin: "https://evil.test" })).status).toBe(400);
      expect((await register({ verified: false })).json.code).toBe("USER_NOT_VERIFIED");
      expect((await register()).status).toBe(200);
      expect(await one.who()).toMatchObject({ mustSetUp: false });
      expect((await listPeople(db))[0]).toMatchObject({ passkeys: 1 });
      const [told, ...more] = facts.filter((fact) => fact.kind === "OwnLoginChanged");
      expect([told, more]).toMatchObject([
        {
          ...{ person: ada.id, changed: "passkey" },
          ...{ before: { passkeys: [] }, after: { passkeys: ["laptop"] } },
        },
        [],
      ]);

      const two = browser();
      const authenticate = async (more = {}) => {
        const { json } = await two.ask("GET", "/passkey/generate-authenticate-options");
        return await two.post("/passkey/verify-authentication", { response: key.sign(json.challenge, more) });
      };
      expect((await authenticate({ origin: "https://evil.test" })).status).toBe(400);
      expect((await authenticate({ verified: false })).status).toBe(401);
      expect((await authenticate({ signature: Buffer.alloc(64) })).status).toBe(400);
      expect(await two.who()).toBeUndefined();
      expect((await authenticate()).status).toBe(200);
      expect(await two.who()).toMatchObject({ person: { id: ada.id }, how: "passkey", mustSetUp: false });
      const refused = await browser().login("ada@example.com");
      expect([refused.status, refused.json.code]).toEqual([403, "PASSKEY_REQUIRED"]);
      await disable(db, ada.id);
      expect((await authenticate()).json.code).toBe("PERSON_DISABLED");
      await enable(db, ada.id);
      const secret = await resetLink(db, ada.id, { alsoSecondFactor: true });
      await accept(db, { secret, password: PASSWORD });
      expect((await authenticate()).status).toBe(401);
    });

    test("is its owner's to name and to take away", async () => {
      const { add, browser } = await open();
      await add("ada@example.com");
      await add("bob@example.com");
      const [one, other] = [browser(), browser()];
      await one.login("ada@example.com");
      await other.login("bob@example.com");
      const { json: options } = await one.ask("GET", "/passkey/generate-register-options");
      const response = softPasskey().register(options.challenge);
      const { id } = (await one.post("/passkey/verify-registration", { response })).json;
      expect((await other.post("/passkey/delete-passkey", { id })).status).toBe(401);
      expect((await other.post("/passkey/update-passkey", { id, name: "mine" })).status).toBe(401);
      expect((await one.post("/passkey/update-passkey", { id, name: "laptop" })).status).toBe(200);
      const list = async () => (await one.ask("GET", "/passkey/list-user-passkeys")).json;
      expect(await list()).toMatchObject([{ id, name: "laptop" }]);
      expect((await one.post("/passkey/delete-passkey", { id })).status).toBe(200);
      expect(await list()).toEqual([]);
    });
  });

  describe("what ends a session", () => {
    test("a disabled person is out at once, also elsewhere, and back when enabled", async () => {
      const scene = await open();
      const elsewhere = peopleScene(scene.db);
      const ada = await scene.add("ada@example.com");
      const one = scene.browser();
      await one.login("ada@example.com");
      expect(await elsewhere.people.session(one.headers)).toBeDefined();
      await disable(scene.db, ada.id);
      expect(await elsewhere.people.session(one.headers)).toBeUndefined();
      expect(await one.who()).toBeUndefined();
      const refused = await scene.browser().login("ada@example.com");
      expect([refused.status, refused.json.code]).toEqual([403, "PERSON_DISABLED"]);
      await enable(scene.db, ada.id);
      expect(await one.who()).toBeUndefined();
      expect((await scene.browser().login("ada@example.com")).status).toBe(200);
    });

    test("what a login left behind that raced the disabling lets nobody in, then or later", async () => {
      const { add, browser, db } = await open();
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      const row = await db.selectFrom("people_sessions").selectAll().executeTakeFirstOrThrow();
      await disable(db, ada.id);
      await db.insertInto("people_sessions").values(row).execute();
      for (const [method, path, body] of [
        ["GET", "/passkey/list-user-passkeys"],
        ["GET", "/passkey/generate-register-options"],
        ["POST", "/two-factor/enable", { password: PASSWORD }],
        ["POST", "/change-password", { currentPassword: PASSWORD, newPassword: "another horse battery" }],
      ] as const) {
        const { status, json } = await one.ask(method, path, body);
        expect([path, status, json.code]).toEqual([path, 401, "unauthenticated"]);
      }
      expect((await one.post("/sign-out")).status).toBe(200);
      await db
        .insertInto("people_sessions")
        .values(row)
        .onConflict((oc) => oc.doNothing())
        .execute();
      await enable(db, ada.id);
      expect(await listSessions(db, ada.id)).toEqual([]);
    });

    test("disabled_at counts, though a session's row is there", async () => {
      const { add, browser, db } = await open();
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      await db.updateTable("people").set({ disabled_at: 5 }).where("id", "=", ada.id).execute();
      expect(await one.who()).toBeUndefined();
    });

    test("a role is another with the next request", async () => {
      const { add, browser, db } = await open();
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      await changeRole(db, ada.id, { role: "viewer" });
      expect(await one.who()).toMatchObject({ person: { role: "viewer" } });
    });

    test("revoking one or all, signing out, and not being used", async () => {
      const { add, browser, db } = await open();
      const ada = await add("ada@example.com");
      const bob = await add("bob@example.com");
      const browsers = [browser(), browser(), browser(), browser()] as const;
      for (const one of browsers) await one.login("ada@example.com");
      const ids = await Promise.all(browsers.map(async (one) => (await one.who())?.sessionId as string));
      const there = async () =>
        await Promise.all(browsers.map(async (one) => (await one.who()) !== undefined));
      await expect(revokeSession(db, bob.id, ids[0] as string)).rejects.toMatchObject({ code: "not-found" });
      await revokeSession(db, ada.id, ids[0] as string);
      expect(await there()).toEqual([false, true, true, true]);
      expect((await browsers[1].post("/sign-out")).status).toBe(200);
      expect(browsers[1].cookies.size).toBe(0);
      expect(await listSessions(db, ada.id)).toHaveLength(2);
      const past = { expires_at: Date.now() - 1 };
      await db
        .updateTable("people_sessions")
        .set(past)
        .where("id", "=", ids[2] as string)
        .execute();
      expect(await there()).toEqual([false, false, false, true]);
      await signOut(db, ada.id, ids[3]);
      expect(await there()).toEqual([false, false, false, true]);
      expect(await signOut(db, ada.id)).toHaveLength(1);
      expect(await there()).toEqual([false, false, false, false]);
    });

    test("what has ended is forgotten, and nothing else", async () => {
      const { add, browser, db } = await open();
      await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      await one.setUpTotp();
      await browser().login("ada@example.com");
      const tables = ["people_sessions", "people_verifications", "people_codes_used"] as const;
      const counts = async () =>
        await Promise.all(
          tables.map(async (table) => (await db.selectFrom(table).selectAll().execute()).length),
        );
      const before = await counts();
      expect(before.every((count) => count > 0)).toBe(true);
      await forgetEnded(db);
      expect(await counts()).toEqual(before);
      await forgetEnded(db, Date.now() + 86_400_000);
      expect(await counts()).toEqual([0, 0, 0]);
    });

    test("using it keeps it", async () => {
      const { add, browser, db } = await open();
      const ada = await add("ada@example.com");
      const one = browser();
      await one.login("ada@example.com");
      const soon = Date.now() + 100_000;
      await db.updateTable("people_sessions").set({ expires_at: soon, used_at: 5 }).execute();
      expect(await one.who()).toBeDefined();
      const [session] = await listSessions(db, ada.id);
      expect(session?.expiresAt).toBeGreaterThan(soon + 3_000_000);
      expect(session?.usedAt).toBeGreaterThan(5);
    });

    test("a token of the ledger is no cookie", async () => {
      const { add, browser, db } = await open();
      await add("ada@example.com");
      await browser().login("ada@example.com");
      const { token } = await db.selectFrom("people_sessions").select("token").executeTakeFirstOrThrow();
      for (const value of [token, `${token}.`, `${token}.AAAA`]) {
        const thief = browser();
        thief.cookies.set("__Host-tributary.session_token", value);
        expect(await thief.who()).toBeUndefined();
      }
    });
  });
}
