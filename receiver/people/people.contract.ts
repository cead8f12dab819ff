/** Persons and their links, over both databases. */
import { describe, expect, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import type { Database } from "../ledger/schema.ts";
import {
  accept,
  firstAdminLink,
  invitePerson,
  LINK_MS,
  openLinks,
  prepareAcceptance,
  resetLink,
  welcome,
  withdraw,
} from "./invitations.ts";
import { changeRole, disable, enable, listPeople, personByEmail, personById, rename } from "./people.ts";
import { PASSWORD, peopleScene } from "./scene.ts";

export function peopleContract(openLedger: () => Promise<Database>): void {
  const refusal = (code: string, message = /./) =>
    expect.objectContaining({ name: "ProblemError", code, message: expect.stringMatching(message) });

  describe("links", () => {
    test("the first admin's is there until there was a person, and the newest alone is good", async () => {
      const db = await openLedger();
      const old = (await firstAdminLink(db, Date.now() - 61_000)) as string;
      const secret = (await firstAdminLink(db)) as string;
      expect(secret).toMatch(/^trbp_[A-Za-z0-9_-]{43}$/);
      await expect(welcome(db, old)).rejects.toEqual(refusal("link-spent", /made another one since/));
      expect(await welcome(db, secret)).toMatchObject({ kind: "first", email: undefined, role: "admin" });
      const given = { secret, name: " Ada ", password: PASSWORD };
      await expect(accept(db, given)).rejects.toEqual(refusal("request-invalid", /no email address/));
      await expect(accept(db, { ...given, email: "ada" })).rejects.toEqual(refusal("request-invalid"));
      const ada = await accept(db, { ...given, email: " Ada@Example.com" });
      expect(ada).toMatchObject({ email: "ada@example.com", name: "Ada", role: "admin", client: null });
      expect(await firstAdminLink(db)).toBeUndefined();
    });

    test("of receivers that start at once each prints a link that is good, and one of them begins", async () => {
      const db = await openLedger();
      const links = (await Promise.all([1, 2, 3].map(() => firstAdminLink(db)))) as string[];
      for (const link of links) expect(await welcome(db, link)).toMatchObject({ kind: "first" });
      const begun = await Promise.allSettled(
        links.map((secret, i) =>
          accept(db, { secret, email: `a${i}@example.com`, name: "Ada", password: PASSWORD }),
        ),
      );
      expect(begun.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
      expect(begun.filter((one) => one.status === "rejected").map(({ reason }) => reason.code)).toEqual([
        "link-spent",
        "link-spent",
      ]);
      expect(await listPeople(db)).toHaveLength(1);
    });

    test("of two first admins the later finds his link spent", async () => {
      const db = await openLedger();
      const secret = (await firstAdminLink(db)) as string;
      const invited = await invitePerson(db, { email: "bob@example.com", role: "viewer", name: "Bob" });
      await accept(db, { secret: invited, password: PASSWORD });
      const given = { secret, email: "ada@example.com", name: "Ada", password: PASSWORD };
      await expect(accept(db, given)).rejects.toEqual(refusal("link-spent"));
      await expect(welcome(db, secret)).rejects.toEqual(refusal("link-spent"));
      expect(await openLinks(db)).toEqual([]);
    });

    test("an invitation is good once, whoever comes at the same time", async () => {
      const db = await openLedger();
      const secret = await invitePerson(db, { email: "Ada@example.com", role: "admin", name: "Ada" });
      expect(await welcome(db, secret)).toMatchObject({ kind: "invite", email: "ada@example.com" });
      const given = { secret, password: PASSWORD };
      const results = await Promise.allSettled([accept(db, given), accept(db, given), accept(db, given)]);
      expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
      for (const result of results)
        if (result.status === "rejected")
          expect(result.reason).toEqual(refusal("link-spent", /used already/));
      expect(await listPeople(db)).toMatchObject([{ email: "ada@example.com", role: "admin", name: "Ada" }]);
      expect(await db.selectFrom("people_accounts").selectAll().execute()).toHaveLength(1);
      await expect(accept(db, given)).rejects.toEqual(refusal("link-spent"));
      const kept = JSON.stringify(await db.selectFrom("people_invitations").selectAll().execute());
      expect(kept).not.toContain(secret.slice(5));
      await expect(invitePerson(db, { email: "ada@example.com", role: "viewer" })).rejects.toEqual(
        refusal("request-invalid", /person reset ada@example.com/),
      );
    });

    test("of two who have it ready one follows it", async () => {
      const db = await openLedger();
      const secret = await invitePerson(db, { email: "ada@example.com", role: "viewer", name: "Ada" });
      const given = { secret, password: PASSWORD };
      const [one, other] = [await prepareAcceptance(db, given), await prepareAcceptance(db, given)];
      expect(await listPeople(db)).toEqual([]);
      expect(await one(db)).toMatchObject({ kind: "joined", person: { email: "ada@example.com" } });
      await expect(other(db)).rejects.toEqual(refusal("link-spent", /used already/));
    });

    test("a password is long enough before the link is spent", async () => {
      const db = await openLedger();
      const secret = await invitePerson(db, { email: "ada@example.com", role: "viewer", name: "Ada" });
      for (const password of ["elevenchars", "", "\u{1F511}".repeat(11), "x".repeat(1025)])
        await expect(accept(db, { secret, password })).rejects.toEqual(refusal("request-invalid"));
      await accept(db, { secret, password: "\u{1F511}".repeat(12) });
    });

    test("it ends after 72 hours, when another one is made, and when it is taken back", async () => {
      const db = await openLedger();
      const now = Date.now();
      const invite = async () =>
        await invitePerson(db, { email: "ada@example.com", role: "viewer", name: "Ada" }, now);
      const expired = await invite();
      const late = now + LINK_MS;
      await expect(welcome(db, expired, late)).rejects.toEqual(refusal("link-spent", /was good until 20/));
      await expect(accept(db, { secret: expired, password: PASSWORD }, late)).rejects.toEqual(
        refusal("link-spent"),
      );
      expect(await welcome(db, expired, late - 1)).toMatchObject({ expiresAt: late });
      const newer = await invite();
      await expect(welcome(db, expired)).rejects.toEqual(refusal("link-spent"));
      expect(await openLinks(db)).toMatchObject([{ email: "ada@example.com", kind: "invite" }]);
      expect(await withdraw(db, "ADA@example.com")).toBe(true);
      expect(await withdraw(db, "ada@example.com")).toBe(false);
      await expect(welcome(db, newer)).rejects.toEqual(refusal("link-spent"));
      expect(await openLinks(db)).toEqual([]);
      await expect(welcome(db, "trbp_\0")).rejects.toEqual(refusal("link-spent"));
    });

    test("a reset is for one who is there, and the password alone is another", async () => {
      const db = await openLedger();
      const { add } = peopleScene(db);
      const ada = await add("ada@example.com");
      const old = await resetLink(db, ada.id);
      const secret = await resetLink(db, ada.id);
      await expect(welcome(db, old)).rejects.toEqual(refusal("link-spent"));
      expect(await welcome(db, secret)).toMatchObject({ kind: "reset", email: "ada@example.com" });
      const hash = async () =>
        (await db.selectFrom("people_accounts").select("password_hash").executeTakeFirstOrThrow())
          .password_hash;
      const before = await hash();
      const given = { secret, password: PASSWORD, email: "eve@example.com", name: "Eve" };
      expect(await accept(db, given)).toEqual(ada);
      expect(await hash()).not.toBe(before);
      await expect(resetLink(db, "nobody")).rejects.toEqual(refusal("not-found"));
    });

    test.for(["disable", "demote"] as const)("%s: the open links of an admin end with him", async (what) => {
      const db = await openLedger();
      const { add } = peopleScene(db);
      await add("root@example.com", { role: "admin" });
      const eve = await add("eve@example.com", { role: "admin" });
      const bob = await add("bob@example.com");
      const hers = await invitePerson(db, { email: "mole@example.com", role: "admin", by: eve.id });
      const reset = await resetLink(db, bob.id, { by: eve.id });
      const others = await invitePerson(db, { email: "cid@example.com", role: "viewer" });
      await rename(db, eve.id, "Eve");
      expect(await openLinks(db)).toHaveLength(3);
      const change =
        what === "disable" ? await disable(db, eve.id) : await changeRole(db, eve.id, { role: "operator" });
      expect(change.endedLinks).toEqual(["bob@example.com", "mole@example.com"]);
      for (const secret of [hers, reset])
        await expect(welcome(db, secret)).rejects.toEqual(refusal("link-spent"));
      expect(await welcome(db, others)).toMatchObject({ email: "cid@example.com" });
      const late = { email: "mole@example.com", role: "admin", by: eve.id } as const;
      await expect(invitePerson(db, late)).rejects.toEqual(refusal("forbidden"));
      await expect(resetLink(db, bob.id, { by: eve.id })).rejects.toEqual(refusal("forbidden"));
    });

    test("an uploader has a client, and nobody else has", async () => {
      const db = await openLedger();
      await expect(
        invitePerson(db, { email: "ada@example.com", role: "uploader", client: "none" }),
      ).rejects.toEqual(refusal("request-invalid", /no client "none"/));
      await addClient(db, "bakery");
      const { add } = peopleScene(db);
      const ada = await add("ada@example.com", { role: "uploader", client: "bakery" });
      expect(ada).toMatchObject({ role: "uploader", client: "bakery" });
      expect(await changeRole(db, ada.id, { role: "viewer" })).toMatchObject({
        before: { role: "uploader", client: "bakery" },
        after: { role: "viewer", client: null },
      });
      await expect(changeRole(db, ada.id, { role: "uploader", client: "none" })).rejects.toEqual(
        refusal("request-invalid"),
      );
    });
  });

  describe("persons", () => {
    test("changes tell what was before and after", async () => {
      const db = await openLedger();
      const { add } = peopleScene(db);
      const ada = await add("ada@example.com");
      expect(await rename(db, ada.id, "Countess")).toEqual({
        before: ada,
        after: { ...ada, name: "Countess" },
        endedLinks: [],
      });
      await expect(rename(db, ada.id, " ")).rejects.toEqual(refusal("request-invalid"));
      expect(await disable(db, ada.id, 5)).toMatchObject({
        before: { disabledAt: null },
        after: { disabledAt: 5 },
      });
      expect((await disable(db, ada.id, 6)).after.disabledAt).toBe(5);
      expect((await enable(db, ada.id)).after.disabledAt).toBeNull();
      expect(await personByEmail(db, "ADA@example.com")).toMatchObject({ id: ada.id });
      await expect(personByEmail(db, "eve@example.com")).rejects.toEqual(refusal("not-found"));
      await expect(personById(db, "nobody")).rejects.toEqual(refusal("not-found"));
      expect([await personById(db, ada.id)]).toEqual(await listPeople(db));
      await expect(rename(db, "nobody", "x")).rejects.toEqual(refusal("not-found"));
    });

    test("the last admin who is enabled stays one", async () => {
      const db = await openLedger();
      const { add } = peopleScene(db);
      const ada = await add("ada@example.com", { role: "admin" });
      const bob = await add("bob@example.com", { role: "admin" });
      await disable(db, bob.id);
      const last = refusal("last-admin", /ada@example.com is the last admin.*make another person admin/);
      await expect(disable(db, ada.id)).rejects.toEqual(last);
      await expect(changeRole(db, ada.id, { role: "operator" })).rejects.toEqual(last);
      await changeRole(db, ada.id, { role: "admin" });
      await enable(db, bob.id);
      const each = await Promise.allSettled([
        disable(db, ada.id),
        changeRole(db, bob.id, { role: "viewer" }),
      ]);
      expect(each.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      const admins = (await listPeople(db)).filter((one) => one.role === "admin" && one.disabledAt === null);
      expect(admins).toHaveLength(1);
    });
  });
}
