/** Single sign-on against a real provider, over both databases: the whole dance of redirects. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { describe, expect, test } from "vitest";
import type { Database } from "../ledger/schema.ts";
import type { PeopleFact } from "./facts.ts";
import { invitePerson } from "./invitations.ts";
import type { OidcSettings, RoleClaim } from "./oidc.ts";
import { openProvider, type TestProvider } from "./oidc-provider.ts";
import { disable, listPeople, personByEmail } from "./people.ts";
import { type Browser, ORIGIN, peopleScene } from "./scene.ts";

const ROLES: RoleClaim = {
  claim: "groups",
  admin: ["lake-admins"],
  operator: ["ops"],
  viewer: ["all", "staff"],
};

export function oidcContract(openLedger: () => Promise<Database>): void {
  const open = async (roles?: RoleClaim, more: Parameters<typeof peopleScene>[1] = {}) => {
    const provider = await openProvider(`${ORIGIN}/api/auth/callback/corp`);
    const oidc: OidcSettings = { id: "corp", name: "Example Corp", ...provider.client, roles };
    return { provider, ...peopleScene(await openLedger(), { oidc: [oidc], ...more }) };
  };

  /** Where the browser is in the end. */
  const come = async (browser: Browser, provider: TestProvider, as: string): Promise<URL> => {
    const begun = await browser.post("/sign-in/social", { provider: "corp", callbackURL: "/clients" });
    expect(begun.status).toBe(200);
    const back = await provider.follow(begun.json.url, as);
    const ended = await browser.ask("GET", back);
    expect(ended.status).toBe(302);
    return new URL(ended.headers.get("location") as string, ORIGIN);
  };
  const refused = (url: URL) => {
    expect([url.origin, url.pathname]).toEqual([ORIGIN, "/login"]);
    return [url.searchParams.get("error"), url.searchParams.get("error_description")];
  };

  describe("oidc", () => {
    test("a person who was added comes in, and is linked", async () => {
      const { add, browser, db, facts, people, provider } = await open();
      expect(people.providers).toEqual([{ id: "corp", name: "Example Corp" }]);
      const ada = await add("ada@example.com");
      provider.accounts.set("a1", { email: "Ada@Example.com", email_verified: true, name: "Ada L." });
      const one = browser();
      expect((await come(one, provider, "a1")).pathname).toBe("/clients");
      expect(await one.who()).toMatchObject({
        person: { id: ada.id, name: "ada", role: "operator" },
        how: "oidc",
      });
      expect((await listPeople(db))[0]).toMatchObject({ password: true, providers: ["corp"] });
      expect(facts).toContainEqual(expect.objectContaining({ kind: "PersonLoggedIn", how: "oidc" }));
      const linkings = () => facts.filter((fact) => fact.kind === "OwnLoginChanged");
      expect(linkings()).toMatchObject([
        {
          ...{ person: ada.id, changed: "provider", address: "192.0.2.1" },
          ...{ before: { providers: [] }, after: { providers: ["corp"] } },
        },
      ]);
      // Now it is the provider's id that counts, and not the email any more.
      provider.accounts.set("a1", { email: "ada.l@example.com", email_verified: true, name: "Ada L." });
      const two = browser();
      await come(two, provider, "a1");
      expect(await two.who()).toMatchObject({ person: { id: ada.id, email: "ada@example.com" } });
      expect(await db.selectFrom("people_accounts").selectAll().execute()).toHaveLength(2);
      expect(linkings()).toHaveLength(1);
      await disable(db, ada.id);
      expect(refused(await come(browser(), provider, "a1"))[0]).toBe("PERSON_DISABLED");
    });

    test("an invitation is accepted by coming in", async () => {
      const { browser, db, facts, provider } = await open();
      await invitePerson(db, { email: "ada@example.com", role: "viewer" });
      provider.accounts.set("a1", { email: "ada@example.com", email_verified: true });
      const one = browser();
      await come(one, provider, "a1");
      expect(await one.who()).toMatchObject({
        person: { email: "ada@example.com", name: "ada", role: "viewer" },
      });
      expect((await listPeople(db))[0]).toMatchObject({ password: false, providers: ["corp"] });
      const { id } = await personByEmail(db, "ada@example.com");
      const person = { id, email: "ada@example.com", role: "viewer" };
      expect(facts).toMatchObject([
        { kind: "PersonJoined", provider: "corp", address: "192.0.2.1", person },
        { kind: "PersonLoggedIn", person: id, how: "oidc" },
      ]);
    });

    test("what a provider calls somebody is a name, or is not taken", async () => {
      const { browser, db, provider } = await open(ROLES);
      const come1 = async (as: string, said: Record<string, unknown>) => {
        provider.accounts.set(as, { email_verified: true, groups: ["all"], ...said });
        return await come(browser(), provider, as);
      };
      await come1("a1", { email: "ada@example.com", name: "Ada\u001b[2J" });
      await come1("b1", { email: "bob@example.com", name: "b".repeat(201) });
      await come1("c1", { email: "cid@example.com", name: " Cid " });
      expect((await listPeople(db)).map(({ name }) => name)).toEqual(["ada", "bob", "Cid"]);
      const odd = await come1("d1", { email: `${"d".repeat(300)}@example.com`, name: "D" });
      expect(refused(odd)[0]).toBe("email_invalid");
      expect(await listPeople(db)).toHaveLength(3);
    });

    test("a role that cannot be recorded is not given, and nobody comes in by it", async () => {
      const told = async ({ kind }: PeopleFact) => {
        if (kind === "RoleFollowedClaim") throw new ProblemError("ledger-unavailable", "no record");
      };
      const { add, browser, db, provider } = await open(ROLES, { told });
      await add("ada@example.com", { role: "viewer" });
      const ada = { email: "ada@example.com", email_verified: true, groups: ["lake-admins"] };
      provider.accounts.set("a1", ada);
      await expect(come(browser(), provider, "a1")).rejects.toMatchObject({ code: "ledger-unavailable" });
      expect(await personByEmail(db, "ada@example.com")).toMatchObject({ role: "viewer" });
      expect(await db.selectFrom("people_sessions").selectAll().execute()).toEqual([]);
    });

    test("nobody else does", async () => {
      const { add, browser, db, facts, provider } = await open();
      await add("ada@example.com");
      provider.accounts.set("e1", { email: "eve@example.com", email_verified: true });
      const eve = browser();
      const [error, why] = refused(await come(eve, provider, "e1"));
      expect([error, why]).toEqual(["person_unknown", expect.stringMatching(/nobody added eve@example.com/)]);
      provider.accounts.set("e2", { email: "ada@example.com", email_verified: false });
      expect(refused(await come(eve, provider, "e2"))[0]).toBe("account_not_linked");
      provider.accounts.set("e3", { email: "mallory@example.com" });
      expect(refused(await come(eve, provider, "e3"))[0]).toBe("email_not_verified");
      expect(await eve.who()).toBeUndefined();
      expect(facts.map((fact) => fact.kind === "LoginRefused" && fact.code)).toEqual([
        ...["person_unknown", "account_not_linked", "email_not_verified"],
      ]);
      expect(await listPeople(db)).toHaveLength(1);
      expect(await db.selectFrom("people_accounts").selectAll().execute()).toHaveLength(1);
    });

    test("an answer that was meant for another browser, or is shown again, is none", async () => {
      const { add, browser, provider } = await open();
      await add("ada@example.com");
      provider.accounts.set("a1", { email: "ada@example.com", email_verified: true });
      const [one, other] = [browser(), browser()];
      const begun = await one.post("/sign-in/social", { provider: "corp", callbackURL: "/" });
      const back = await provider.follow(begun.json.url, "a1");
      const stolen = await other.ask("GET", back);
      expect(stolen.headers.get("location")).toMatch(/error=state_mismatch/);
      expect(await other.who()).toBeUndefined();
      expect((await one.ask("GET", back)).headers.get("location")).toMatch(/\/$/);
      expect(await one.who()).toBeDefined();
      const again = await one.ask("GET", back);
      expect(again.headers.get("location")).toMatch(/error=state_mismatch/);
      const redirect = await one.post("/sign-in/social", {
        provider: "corp",
        callbackURL: "https://evil.test/",
      });
      expect(redirect.status).toBe(403);
    });

    test("with roles, people are made and their role follows the claim", async () => {
      const { add, browser, db, facts, provider } = await open(ROLES);
      await add("root@example.com", { role: "admin" });
      const groups = (...names: string[]) =>
        provider.accounts.set("a1", {
          email: "ada@example.com",
          email_verified: true,
          name: "Ada",
          groups: names,
        });
      const role = async () => {
        const one = browser();
        const at = await come(one, provider, "a1");
        return at.pathname === "/login" ? at.searchParams.get("error") : (await one.who())?.person.role;
      };
      groups("all", "ops");
      expect(await role()).toBe("operator");
      groups("all");
      expect(await role()).toBe("viewer");
      groups("lake-admins", "all");
      expect(await role()).toBe("admin");
      groups("visitors");
      expect(await role()).toBe("role_missing");
      const root = (await listPeople(db)).find(({ email }) => email === "root@example.com");
      await disable(db, root?.id as string);
      groups("all");
      expect(await role()).toBe("last_admin");
      expect(facts).toContainEqual({
        kind: "RoleFollowedClaim",
        provider: "corp",
        address: "192.0.2.1",
        change: {
          endedLinks: [],
          before: expect.objectContaining({ role: "operator" }),
          after: expect.objectContaining({ role: "viewer" }),
        },
      });
      provider.accounts.set("e1", { email: "eve@example.com", email_verified: true, groups: ["visitors"] });
      expect(refused(await come(browser(), provider, "e1"))[0]).toBe("role_missing");
      expect((await listPeople(db)).map(({ email }) => email)).not.toContain("eve@example.com");
    });

    test("a provider that is away is asked again, and no reason not to start", async () => {
      const { add, browser, provider } = await open();
      await add("ada@example.com");
      provider.accounts.set("a1", { email: "ada@example.com", email_verified: true });
      provider.away = true;
      const one = browser();
      expect((await one.post("/sign-in/social", { provider: "corp" })).status).toBe(404);
      provider.away = false;
      await come(one, provider, "a1");
      expect(await one.who()).toMatchObject({ how: "oidc" });
    });
  });
}
